"""The demonstration: the main job on a generated season, from images to a page."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app import jobs, lpis, planning, products, reports, sites
from sen4cap.app.system import System, session
from sen4cap.domain import Product, Reason
from sen4cap.errors import Conflict
from sen4cap.processing import Context, Progress, Step, no_progress, processor
from sen4cap.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from sen4cap.reports import Scores
    from sen4cap.simulate import Simulated

SIGN = ".sen4cap-demo"
"""File that tells a folder of a former demonstration, which may be made anew."""
SITE, SEASON, YEAR = "demo", "2023", 2023
BLOCK_SIZE = 1000
"""Edge of the spatial blocks, metres: the landscape is 5 km wide."""
RARE = 8
"""Fewest training parcels of a crop to learn it: the landscape has a few hundred."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demonstrated:
    """What the demonstration came to."""

    report: Path
    """The page."""
    home: Path
    """Home of the installation it ran in."""
    accuracy: dict[str, Any]
    """Agreement with the declarations, out of fold."""
    scores: Scores
    """Against what truly grew."""
    seconds: float


def demonstrate(
    folder: Path, *, seed: int = 1, say: Say = print, progress: Progress = no_progress
) -> Demonstrated:
    """Generate a season in `folder` and run the main job on it.

    Raises
    ------
    Conflict
        If the folder holds something else.
    """
    from sen4cap.simulate import write_season

    began = time.monotonic()
    _clear(folder)
    say("1/6  generating a season: fields, crops, clouds, some wrong declarations")
    season = write_season(folder / "input", seed=seed, progress=progress)
    settings = Settings(home=folder / "home", database_url=None, archive=None)
    with session(settings) as system:
        product = _main_job(system, season, say, progress)
        page, truth = folder / "report.html", _truth(season)
        reports.write_crop_report(*_made_in(system, product), product, page, truth)
    document = json.loads(Path(product.asset("accuracy.json").href).read_text("utf-8"))
    scores = _scores(product.asset("CropType.parquet").href, truth)
    return Demonstrated(page, folder / "home", document, scores, time.monotonic() - began)


def _main_job(system: System, season: Simulated, say: Say, progress: Progress) -> Product:
    """From files to the crop type product."""
    _take_in(system, season, say, progress)
    say("4/6  vegetation index of each acquisition (l3b)")
    jobs.run(system, "l3b", SITE, SEASON, {}, progress)
    say("5/6  statistics of each parcel at each acquisition (s4c_mdb1)")
    jobs.run(system, "s4c_mdb1", SITE, SEASON, {}, progress)
    say("6/6  crop of each parcel (s4c_l4a)")
    given = {"block-size": BLOCK_SIZE, "pa-min": RARE}
    return jobs.run(system, "s4c_l4a", SITE, SEASON, given, progress).made[0]


def _made_in(system: System, product: Product) -> tuple[Context, Step]:
    """What a crop type product was made in and from."""
    site, season = system.store.sites.get(SITE), system.store.seasons.get(SITE, SEASON)
    context = planning.context_of(system, processor("s4c_l4a"), site, season)
    inputs = tuple(system.store.products.get(name) for name in product.parents)
    return context, Step(inputs, product.slot)


def _clear(folder: Path) -> None:
    """Make the folder, or empty one that a former demonstration made."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / SIGN).exists():
            raise Conflict(f"'{folder}' holds something else: give another --folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIGN).touch()


def _take_in(system: System, season: Simulated, say: Say, progress: Progress) -> None:
    from sen4cap.parcels import Columns, Mode

    sites.create_site(system, "Demo", timezone=season.timezone)
    sites.create_season(system, SITE, SEASON, season.start, season.end)
    say("2/6  importing declarations and the crop table")
    columns = Columns((season.parcel_id,), (season.holding_id,), season.crop_code)
    lpis.import_declarations(
        system,
        SITE,
        YEAR,
        season.declarations,
        columns,
        mode=Mode.UPDATE,
        lut=season.lut,
        progress=progress,
    )
    say("3/6  taking in the rasters")
    products.ingest(system, SITE, season.scenes, progress=progress)


def _truth(season: Simulated) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(season.truth, dtype={season.parcel_id: str})


def _scores(parcels: str, truth: pd.DataFrame) -> Scores:
    from sen4cap.geo.vector import read_parcels
    from sen4cap.reports import score, with_truth
    from sen4cap.reports.scores import codes

    table = with_truth(read_parcels(Path(parcels)), truth)
    return score(codes(table["CT_decl"]), codes(table["CT_pred_1"]), codes(table["CT_true"]))


def lines(done: Demonstrated) -> list[str]:
    """What the demonstration made, left out and reached, for people."""
    found, left = done.scores, dict(done.accuracy["reasons"])
    parcels = found.parcels + sum(left.values())
    return [
        "",
        f"Made in {done.seconds:.0f} s: a crop for {found.parcels} of {parcels} parcels.",
        "Left out:",
        *(f"  {count:4d}  {Reason(code).sentence}" for code, count in left.items()),
        f"Against what truly grew: {found.accuracy:.1%} right.",
        f"Wrong declarations found: {found.caught} of {found.wrong}.",
        f"False alarms: {found.false_alarms}.",
        f"Agreement with the declarations: {done.accuracy['overall_accuracy']:.1%}, out of fold.",
        "",
        f"Report:   {done.report}",
        f"Console:  SEN4CAP_HOME={done.home} {_program()} console",
    ]


def _program() -> str:
    """How this program was called."""
    import sys

    called = Path(sys.argv[0])
    return str(called) if called.name == "sen4cap" else "sen4cap"
