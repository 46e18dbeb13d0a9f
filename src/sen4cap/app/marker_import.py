"""Markers that were made elsewhere, taken into the table of a season."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sen4cap.app.markers import geometry_hashes
from sen4cap.app.system import System
from sen4cap.domain import Asset, Product, ProductType, Season, Sensor, revision_of, slot_of
from sen4cap.errors import NoInput, NotFound
from sen4cap.processing import Progress, no_progress

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.processing.marker_table import MarkerTable
    from sen4cap.processing.signals import SignalColumns

PROCESSOR = "import/1"
IMPORTS = "sen4cap:imports"
"""Property of a product: which imports it holds."""
SHOWN = 5


@dataclass(frozen=True)
class Imported:
    """What an import took in."""

    rows: int
    markers: tuple[str, ...]
    parcels: int
    declared: int
    """Parcels that were declared for it, without a geometry."""
    outside: int
    """Rows left out because they are not of the season."""


def import_markers(
    system: System,
    site: str,
    season: str,
    path: Path,
    columns: SignalColumns,
    *,
    declare: bool = False,
    progress: Progress = no_progress,
) -> Imported:
    """Take the signals of a table in; the same table again changes nothing.

    Parcels are known by their declared identifier or `NewID`. With `declare` those that are not
    known are declared, without a geometry: they get rows, and a reason wherever a geometry is
    needed.

    Raises
    ------
    NotFound
        If there is no such site or season, or a parcel is not known.
    NoInput
        If no row is of the season.
    InputRefused
        If the table cannot be used; nothing is recorded.
    """
    import polars as pl

    from sen4cap.processing.marker_table import MarkerTable
    from sen4cap.processing.signals import read_signals

    when = system.store.seasons.get(site, season)
    zone = system.store.sites.get(site).zone
    progress(0.1, "reading the table")
    rows = read_signals(path, columns)
    start, end = when.bounds(zone)
    inside = rows.filter((pl.col("time") >= start) & (pl.col("time") < end))
    if not inside.height:
        raise NoInput(
            f"No row of '{path.name}' is of season '{season}', {when.start} to {when.end}."
        )
    new = _declared(system, when, inside["parcel"].unique(), declare=declare)
    progress(0.4, "looking up parcels")
    placed = _placed(system, when, inside)
    digest = revision_of(hashlib.sha256(path.read_bytes()).hexdigest(), repr(columns))
    progress(0.6, "writing markers")
    table = MarkerTable.of(system.archive, when)
    products = _written(table, when, placed, path.name, digest)
    system.store.products.commit([_united(system, item) for item in products])
    for marker in placed["marker"].unique():
        table.compact(marker)
    return Imported(
        rows=placed.height,
        markers=tuple(sorted(placed["marker"].unique())),
        parcels=placed["parcel"].n_unique(),
        declared=new,
        outside=rows.height - inside.height,
    )


def _declared(system: System, when: Season, named: pl.Series, *, declare: bool) -> int:
    """Declare what is not known yet; how many that were.

    Raises
    ------
    NotFound
        If something is not known and is not to be declared.
    """
    known = system.store.parcels.identities(when.site, when.year).parcels
    numbers = known["NewID"].cast(named.dtype)
    missing = sorted(set(named) - set(known["ori_id"]) - set(numbers))
    if not missing:
        return 0
    if not declare:
        shown = ", ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
        raise NotFound(
            f"{len(missing)} parcels are not declared in {when.year}: {shown}. Import their "
            "declarations ('sen4cap lpis import'), or give --declare to have them without geometry."
        )
    _declare(system, when, missing)
    return len(missing)


def _declare(system: System, when: Season, names: Sequence[str]) -> None:
    import geopandas as gpd

    from sen4cap.app.lpis import import_declarations
    from sen4cap.domain.parcel import Mode
    from sen4cap.parcels import Columns

    frame = gpd.GeoDataFrame({"parcel_id": names}, geometry=[None] * len(names), crs="EPSG:4326")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "declared.gpkg"
        frame.to_file(path, geometry_type="Polygon")
        columns = Columns(("parcel_id",))
        import_declarations(system, when.site, when.year, path, columns, mode=Mode.INCREMENTAL)


def _placed(system: System, when: Season, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with `NewID`, geometry hash and home grid of their parcels; no grid is an empty one."""
    import polars as pl

    from sen4cap.processing.marker_table import RADAR

    known = system.store.parcels.identities(when.site, when.year).parcels
    by_number = known.select(pl.col("NewID").cast(pl.String).alias("parcel"), "NewID")
    by_name = known.select(pl.col("ori_id").alias("parcel"), "NewID")
    names = pl.concat([by_name, by_number]).unique("parcel", keep="first", maintain_order=True)
    numbered = rows.join(names, on="parcel", how="left").drop("parcel")
    radar = pl.any_horizontal(pl.col("marker").str.starts_with(name) for name in RADAR)
    homes = _homes(system, when, numbered["NewID"].unique().to_list())
    placed = (
        numbered.rename({"NewID": "parcel"})
        .with_columns(radar=radar)
        .join(homes, on=["parcel", "radar"], how="left")
    )
    hashes = geometry_hashes(system, when)
    return (
        placed.drop("radar")
        .join(hashes, on="parcel", how="left")
        .with_columns(pl.col("grid").fill_null(""), pl.col("geom_hash").fill_null(""))
    )


def _homes(system: System, when: Season, numbers: Sequence[int]) -> pl.DataFrame:
    """Home grid of each parcel for optical and for radar markers: `parcel`, `radar`, `grid`."""
    import polars as pl

    from sen4cap.processing.homes import SCHEMA, homes_in

    standing = system.store.parcels.current(when.site, when.year)
    grids = system.store.grids.all(when.site)
    found = [pl.DataFrame(schema={**SCHEMA, "radar": pl.Boolean()})]
    for kind in (Sensor.S2, Sensor.S1):
        if standing is None:
            continue
        own = homes_in(standing.path, [item for item in grids if item.sensor is kind], numbers)
        found.append(own.with_columns(radar=pl.lit(kind is Sensor.S1)))
    return pl.concat(found).drop("geom_hash")


def _written(
    table: MarkerTable, when: Season, rows: pl.DataFrame, source: str, digest: str
) -> list[Product]:
    """Append the rows, a file for each marker; a product for each acquisition and grid."""
    import polars as pl

    for (marker,), group in sorted(rows.group_by("marker")):
        name = str(marker)
        whole = group.with_columns(
            valid_fraction=pl.lit(1.0),
            generation=_generation(table, name, digest),
            product=pl.lit(source),
            revision=pl.lit(digest[:8]),
        )
        table.append(name, whole, name=f"import_{digest[:12]}")
    acquisitions = rows.group_by("time", "grid").agg(pl.col("marker").unique().sort())
    return [
        _product(table, when, time, grid, markers, source, digest)
        for time, grid, markers in acquisitions.sort("time", "grid").iter_rows()
    ]


def _generation(table: MarkerTable, marker: str, digest: str) -> int:
    """Above all that stands, but for rows of the same import."""
    import polars as pl

    rows = table.read(marker, columns=["generation", "revision"])
    same = rows.filter(pl.col("revision") == digest[:8])["generation"].max()
    other = rows.filter(pl.col("revision") != digest[:8])["generation"].max()
    above = -1 if other is None else int(str(other))
    return max(above + 1, -1 if same is None else int(str(same)))


def _product(
    table: MarkerTable,
    when: Season,
    time: datetime,
    grid: str,
    markers: Sequence[str],
    source: str,
    digest: str,
) -> Product:
    place = f"_T{grid}" if grid else ""
    return Product(
        name=f"SEN4CAP_MDB1_S{when.site}_A{time:%Y%m%dT%H%M%S}{place}_I{digest[:8]}",
        site=when.site,
        type=ProductType.MARKERS,
        grid=grid,
        season=when.name,
        start=time,
        end=time,
        revision=digest,
        assets=tuple(_asset(table, name) for name in markers),
        processor=PROCESSOR,
        properties={
            "markers": list(markers),
            "sen4cap:imported_from": source,
            IMPORTS: [digest],
        },
    )


def _asset(table: MarkerTable, marker: str) -> Asset:
    return Asset(marker, str(table.root / marker), media_type="application/vnd.apache.parquet")


def _united(system: System, product: Product) -> Product:
    """The product with the markers of the one that stands in its slot, which it takes over.

    One that holds the same import already stays.
    """
    site, kind, grid = product.site, product.type, product.grid
    slot = slot_of(site, kind, grid, product.start, product.end, product.season)
    standing = system.store.products.current(slot)
    if standing is None:
        return product
    imports = standing.properties.get(IMPORTS, [])
    if product.revision in imports:
        return standing
    assets = {item.name: item for item in (*standing.assets, *product.assets)}
    markers = sorted({*standing.properties.get("markers", []), *product.properties["markers"]})
    return replace(
        product,
        revision=revision_of(standing.revision, product.revision),
        name=f"{product.name}_r{revision_of(standing.revision, product.revision)[:8]}",
        assets=tuple(assets[name] for name in sorted(assets)),
        properties={
            **standing.properties,
            **product.properties,
            "markers": markers,
            IMPORTS: [*imports, product.revision],
        },
        parents=standing.parents,
    )
