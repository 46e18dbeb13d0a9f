"""Crop maps after the run: what changed since the last one, and what holdings grow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app import lpis
from sen4cap.app.system import System
from sen4cap.domain import Product, ProductType
from sen4cap.errors import MissingColumn, NoInput, NotFound, UnreadableFile
from sen4cap.processing import write_whole

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.processors.l4a_crop_type.changes import Difference, Provenance

TABLE, ACCURACY = "CropType.parquet", "accuracy.json"
DIVERSIFICATION_COLUMNS = (
    *("NewID", "HoldID", "Area_meters", "CTnumDIV", "CT_decl", "CT_pred_1", "CT_conf_1"),
    *("CT_pred_2", "GeomValid", "Duplic", "Overlap", "LC", "S2Pix", "S1Pix"),
)
"""Of a crop map, what the diversification is assessed from."""


@dataclass(frozen=True)
class Changed:
    """What differs between two runs."""

    previous: Product
    current: Product
    differences: tuple[Difference, ...]
    """Of their inputs."""
    table: pl.DataFrame
    """Parcels whose result differs, and why."""


def changes(system: System, site: str, season: str, against: str | None = None) -> Changed:
    """Compare the newest crop map of a season with the one made before, or another.

    Raises
    ------
    NotFound
        If there is no such site, or no crop map of the season has the name `against`.
    NoInput
        If there are no two crop maps, or one does not tell what it was made from.
    """
    from sen4cap.processors.l4a_crop_type.changes import changes as compare
    from sen4cap.processors.l4a_crop_type.changes import differences

    current, *others = _maps(system, site, season)
    previous = _previous(others, season, against)
    before, after = _provenance(previous), _provenance(current)
    table = compare(_table(previous), _table(current), before, after)
    return Changed(previous, current, differences(before, after), table)


@dataclass(frozen=True)
class Diversity:
    """What was assessed and where it was written."""

    product: Product
    diagnoses: dict[str, int]
    """Holdings per diagnosis."""
    files: tuple[Path, Path]
    """Parcels, holdings."""


def diversification(
    system: System, site: str, season: str, output: Path, rules: Path | None = None
) -> Diversity:
    """Assess the crop diversification of holdings from the newest crop map of a season.

    Writes the original's two tables: `output`, and beside it one whose name ends in `_holding`.

    Raises
    ------
    NotFound
        If there is no such site or season.
    NoInput
        If there is no crop map, no parcels or no crop table.
    InputRefused
        If the map lacks a column, or the rules cannot be followed.
    """
    from sen4cap.processors.l4a_crop_type.diversification import assess, read_rules

    product = _maps(system, site, season)[0]
    year = system.store.seasons.get(site, season).year
    followed = read_rules(rules)
    found = assess(_classified(system, product, year), followed)
    holdings = output.with_name(f"{output.stem}_holding{output.suffix}")
    for path, table in ((output, found.parcels), (holdings, found.holdings)):
        with write_whole(path) as temporary:
            table.write_csv(temporary)
    counts = found.holdings["CD_diagn"].value_counts().sort("CD_diagn")
    return Diversity(product, dict(counts.iter_rows()), (output, holdings))


def _maps(system: System, site: str, season: str) -> list[Product]:
    """Crop maps of a season, the newest first, by when their accuracy was written."""
    system.store.sites.get(site)
    found = system.store.products.search(site, types=(ProductType.L4A,), current=False)
    maps = [product for product in found if product.season == season and _written(product)]
    if not maps:
        raise NoInput(
            f"There is no crop map of season '{season}' of site '{site}': "
            f"run 'sen4cap run s4c_l4a {site} {season}' first."
        )
    return sorted(maps, key=_written, reverse=True)


def _written(product: Product) -> int:
    """When the accuracy of a crop map was written, nanoseconds; 0 where it is not there."""
    path = Path(product.asset(ACCURACY).href)
    return path.stat().st_mtime_ns if path.is_file() else 0


def _previous(others: Sequence[Product], season: str, against: str | None) -> Product:
    if against is None:
        if not others:
            raise NoInput(f"Season '{season}' has one crop map: there is none to compare it with.")
        return others[0]
    named = {product.name: product for product in others}
    if against not in named:
        known = ", ".join(f"'{name}'" for name in named) or "none"
        raise NotFound(f"There is no earlier crop map '{against}'; there are: {known}.")
    return named[against]


def _provenance(product: Product) -> Provenance:
    from sen4cap.processors.l4a_crop_type.changes import Provenance

    document: dict[str, Any] = json.loads(Path(product.asset(ACCURACY).href).read_text("utf-8"))
    try:
        return Provenance.of_json(document["provenance"])
    except (KeyError, TypeError) as error:
        raise NoInput(
            f"'{product.name}' does not tell what it was made from: compare crop maps that were "
            "made by this version."
        ) from error


def _table(product: Product) -> pl.DataFrame:
    import polars as pl

    path = product.asset(TABLE).href
    try:
        return pl.read_parquet(path).drop("geometry", strict=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UnreadableFile(f"'{path}' cannot be read: run 's4c_l4a' again.") from error


def _classified(system: System, product: Product, year: int) -> pl.DataFrame:
    """A crop map with what its crops mean for the diversification."""
    import polars as pl

    from sen4cap.processors.l4a_crop_type.diversification import with_classes

    table, parcels = _table(product), system.store.parcels.current(product.site, year)
    if lacking := [name for name in DIVERSIFICATION_COLUMNS if name not in table.columns]:
        raise MissingColumn(
            f"'{product.name}' has no column {', '.join(lacking)}: run 's4c_l4a' again."
        )
    if parcels is None:
        raise NoInput(f"Site '{product.site}' has no parcels of {year}: import them first.")
    codes = pl.read_parquet(parcels.path, columns=["NewID", "ori_crop"])
    lut = pl.read_parquet(lpis.lut_file(system, product.site, year))
    return with_classes(table.join(codes, "NewID", "left", maintain_order="left"), lut)
