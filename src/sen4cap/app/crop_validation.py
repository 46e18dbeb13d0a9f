"""How good crop type maps are, by parcels that taught nothing.

Out of fold: the map's own figures, each parcel judged by a model that saw nothing of its block.
Hold-out region: taught by the parcels outside, judged inside. Hold-out season: taught by another
season, judged in this one. The last two are harder, and closer to what a map is used for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app.planning import draft
from sen4cap.errors import InvalidParameter, NoInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sen4cap.app.planning import Draft
    from sen4cap.app.system import System
    from sen4cap.processing import Step
    from sen4cap.processors.l4a_crop_type.model import Sample
    from sen4cap.processors.l4a_crop_type.params import CropTypeParams
    from sen4cap.processors.l4a_crop_type.run import Prepared

PROCESSOR = "s4c_l4a"
BOX_CRS = "EPSG:4326"
FIGURES = (
    *("overall_accuracy", "overall_accuracy_n", "overall_accuracy_interval"),
    *("kappa", "kappa_interval"),
    *("macro_f1", "macro_f1_classes", "macro_f1_from", "macro_f1_interval"),
    *("overall_accuracy_by_area", "overall_accuracy_by_area_n"),
    *("overall_accuracy_by_area_interval", "log_loss", "log_loss_of_shares"),
    *("classes", "confusion", "per_class"),
)


@dataclass(frozen=True)
class Region:
    """Parcels that are held out: those that all that is given applies to."""

    tiles: tuple[str, ...] = ()
    """Names of Sentinel-2 grids that are their homes."""
    box: tuple[float, float, float, float] | None = None
    """West, south, east, north, degrees; holds a point inside them."""
    column: str = ""
    """Of the parcel set, that holds `value`; a region, a farm."""
    value: str = ""


@dataclass(frozen=True)
class Judgement:
    """What came of it."""

    how: str
    """Who taught and who was judged, one sentence."""
    figures: Mapping[str, Any]
    """Those of `FIGURES`, JSON values."""


def out_of_fold(
    system: System, site: str, season: str, overrides: Mapping[str, Any] | None = None
) -> Judgement:
    """The figures of the map that stands.

    Raises
    ------
    NotFound, InvalidParameter
        As for a job.
    NoInput
        If there is no map.
    """
    step = step_of(draft(system, PROCESSOR, site, season, overrides))
    if step.previous is None:
        raise NoInput(f"Season '{season}' of '{site}' has no crop map: run 'sen4cap run l4a'.")
    path = Path(step.previous.asset("accuracy.json").href)
    document = json.loads(path.read_text("utf-8"))
    how = f"Out of fold, from {step.previous.name}: no parcel taught the model that judged it."
    return Judgement(how, {name: document[name] for name in FIGURES})


def held_out_region(
    system: System,
    site: str,
    season: str,
    region: Region,
    overrides: Mapping[str, Any] | None = None,
) -> Judgement:
    """Teach by the parcels outside a region, judge those inside.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        As for a job; also if the region holds no judged parcel, or all of them.
    """
    drafted = draft(system, PROCESSOR, site, season, overrides)
    prepared, params = prepared_of(drafted)
    inside = _inside(drafted, prepared, region)
    sample, classes = prepared.sample, prepared.classes
    if not inside.any() or inside.all():
        raise NoInput(
            f"The region holds {int(inside.sum())} of {len(inside)} parcels: choose one that "
            "holds some of them."
        )
    taught = replace(sample, teaches=sample.teaches & ~inside)
    how = (
        f"Hold-out region: taught by {int(taught.teaches.sum())} parcels outside, judged on "
        f"{int(inside.sum())} inside."
    )
    return _judged(how, taught, prepared, inside, classes, params, drafted.context.cores)


def held_out_season(
    system: System,
    site: str,
    season: str,
    taught_in: str,
    overrides: Mapping[str, Any] | None = None,
) -> Judgement:
    """Teach by another season of the site, judge this one, by the features that both have.

    Parcels of a crop that the other season does not teach count as wrong.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        As for a job of either season; also if they have no feature in common.
    """
    import numpy as np

    here = draft(system, PROCESSOR, site, season, overrides)
    there = draft(system, PROCESSOR, site, taught_in, overrides)
    judged, params = prepared_of(here)
    taught, _ = prepared_of(there)
    names = [name for name in taught.features.names if name in set(judged.features.names)]
    if not names:
        raise NoInput(
            f"Seasons '{taught_in}' and '{season}' have no feature in common: "
            "make the same markers for both."
        )
    classes = sorted({*taught.classes, *judged.classes})
    teachers, known = (_over(part, names, classes) for part in (taught, judged))
    everyone = np.ones(len(known.target), bool)
    how = (
        f"Hold-out season: taught by {int(teachers.teaches.sum())} parcels of '{taught_in}', "
        f"judged on {len(known.target)} of '{season}', by {len(names)} features that both have."
    )
    prepared = replace(judged, sample=known)
    return _judged(how, teachers, prepared, everyone, classes, params, here.context.cores)


def step_of(drafted: Draft) -> Step:
    """The one step that makes a crop map."""
    [step] = (*drafted.plan.steps, *drafted.plan.done)
    return step


def prepared_of(drafted: Draft) -> tuple[Prepared, CropTypeParams]:
    """What a crop map would be learnt from, and its parameters; errors as in its run."""
    from sen4cap.processors.l4a_crop_type.params import CropTypeParams
    from sen4cap.processors.l4a_crop_type.run import prepare

    params = drafted.parameters
    assert isinstance(params, CropTypeParams)
    return prepare(drafted.context, params, step_of(drafted).inputs), params


def _over(prepared: Prepared, names: Sequence[str], classes: Sequence[tuple[int, str]]) -> Sample:
    """The sample with the features of some names, its classes numbered among others."""
    import numpy as np

    place = {name: at for at, name in enumerate(prepared.features.names)}
    number = np.array([classes.index(item) for item in prepared.classes])
    return replace(
        prepared.sample,
        values=prepared.sample.values[:, [place[name] for name in names]],
        target=number[prepared.sample.target],
        classes=len(classes),
    )


def _judged(
    how: str,
    taught: Sample,
    prepared: Prepared,
    inside: NDArray[np.bool_],
    classes: Sequence[tuple[int, str]],
    params: CropTypeParams,
    cores: int,
) -> Judgement:
    """Let a model judge the parcels of `prepared` that are inside, shape (judged,)."""
    from sen4cap.processors.l4a_crop_type.model import judge
    from sen4cap.processors.l4a_crop_type.scores import Judged, agreement

    sample, parcels = prepared.sample, prepared.parcels
    known = (parcels["reason"] == "").to_numpy(bool)
    judged = Judged(
        declared=sample.target[inside],
        probability=judge(taught, sample.values[inside], params, cores),
        area=parcels.loc[known, "Area_meters"].to_numpy(float)[inside],
        pixels=prepared.features.pixels[known[prepared.looked_at]][inside],
    )
    document = agreement(judged, classes, {})
    return Judgement(how, {name: document[name] for name in FIGURES})


def _inside(drafted: Draft, prepared: Prepared, region: Region) -> NDArray[np.bool_]:
    """Which judged parcels lie in a region, shape (judged,)."""
    import numpy as np

    judged = prepared.parcels[prepared.parcels["reason"] == ""]
    inside = np.ones(len(judged), bool)
    if region.tiles:
        inside &= _on_tiles(drafted, judged, region.tiles)
    if region.box is not None:
        west, south, east, north = region.box
        points = judged.geometry.representative_point().to_crs(BOX_CRS)
        inside &= (
            points.x.between(west, east).to_numpy() & points.y.between(south, north).to_numpy()
        )
    if region.column:
        inside &= _with_value(drafted, judged, region)
    return inside


def _on_tiles(drafted: Draft, judged: Any, tiles: Sequence[str]) -> NDArray[np.bool_]:
    import numpy as np

    from sen4cap.domain import Sensor
    from sen4cap.processing.homes import places_of

    known = {grid.name for grid in drafted.context.sensor_grids(Sensor.S2)}
    if unknown := set(tiles) - known:
        raise InvalidParameter(
            f"There is no grid {', '.join(sorted(unknown))}; there are: {', '.join(sorted(known))}."
        )
    home = places_of(judged, drafted.context.grids, Sensor.S2).home
    return np.isin(home, list(tiles))


def _with_value(drafted: Draft, judged: Any, region: Region) -> NDArray[np.bool_]:
    from sen4cap.geo.vector import read_parcels

    table = read_parcels(drafted.context.parcels.path, ["NewID", region.column])
    values = table.set_index("NewID")[region.column].reindex(judged["NewID"])
    chosen: NDArray[np.bool_] = (values.astype(str) == region.value).to_numpy()
    return chosen


def picture(found: Judgement) -> bytes:
    """PNG of the F1 of each crop."""
    from sen4cap.reports import class_picture

    return class_picture(found.figures["per_class"])
