"""Make the pictures of the documentation: from a run of the demonstration, and from real data."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
from matplotlib.figure import Figure

from sen4cap.app.demo import SEASON, SITE, YEAR, demonstrate
from sen4cap.app.system import session
from sen4cap.app.validation import Asked, of_spectra, picture
from sen4cap.domain import ProductType
from sen4cap.geo.style import palette
from sen4cap.geo.vector import read_parcels
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.reports import season_picture
from sen4cap.settings import Settings
from sen4cap.testing.wheat import matchups

OUT = Path(__file__).parents[1] / "docs" / "pictures"
BANDS = ("B08", "B04", "B03")
DATA = Path(os.environ.get("SEN4CAP_TEST_DATA", "../shared/data"))
"""Real data of the tests."""


def main() -> None:
    """Draw all of them; those of real data where these are."""
    OUT.mkdir(parents=True, exist_ok=True)
    if DATA.exists():
        wheat(DATA / "ch_wheat_lai_s2" / "lai_matchups.parquet")
    overview()


def wheat(path: Path) -> None:
    """LAI of Swiss wheat against what was measured in the field."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "pairs.parquet"
        matchups(path).write_parquet(pairs)
        asked = Asked(pairs, "lai", "glai_insitu")
        found = of_spectra(asked)
    title = "Swiss winter wheat 2022, Sentinel-2 within 2 days"
    (OUT / "lai_wheat.png").write_bytes(picture(found, asked, title))
    print(f"{OUT / 'lai_wheat.png'}: {found.as_json()}")


def overview() -> None:
    """Run the demonstration and draw scene, curves and crop map side by side."""
    with tempfile.TemporaryDirectory() as folder:
        done = demonstrate(Path(folder) / "demo", say=lambda _text: None)
        settings = Settings(home=done.home, database_url=None, archive=None)
        with session(settings) as system:
            scenes = system.store.products.search(SITE, types=[ProductType.L2A])
            maps = system.store.products.search(SITE, types=[ProductType.L4A])
            parcels = system.store.parcels.current(SITE, YEAR)
            season = system.store.seasons.get(SITE, SEASON)
        assert parcels is not None
        crops = read_parcels(Path(maps[0].asset("CropType.parquet").href))
        clearest = min(scenes, key=lambda item: float(item.properties["eo:cloud_cover"]))
        assets = tuple(clearest.asset(band) for band in BANDS)
        scene = season_picture(assets, pixels=900)
        table = MarkerTable.of(settings.archive_root, season)
        figure = draw(scene, crops, table)
        figure.savefig(OUT / "overview.png", dpi=110, metadata={"Software": None})
        print(f"{OUT / 'overview.png'}: scene of {clearest.date}, {len(crops)} parcels")


def draw(scene: bytes, crops: gpd.GeoDataFrame, table: MarkerTable) -> Figure:
    """Three panels: the scene, the curves of four crops, the map."""
    from io import BytesIO

    from matplotlib.image import imread

    figure = Figure((13.5, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.15, 1))
    left.imshow(imread(BytesIO(scene)))
    left.set_title("Sentinel-2 acquisition (false colour)")
    codes = sorted(crops["CT_pred_1"].dropna().unique())
    colours = dict(zip(codes, palette(len(codes)), strict=True))
    names = crops.dropna(subset="CT_pred_1").groupby("CT_pred_1")["CT_pred_1_name"].first()
    rows = table.read("ndvi", columns=("parcel", "time", "mean")).to_pandas()
    for code in codes:
        chosen = crops.loc[(crops["CT_pred_1"] == code), "NewID"]
        curve = rows[rows["parcel"].isin(chosen)].groupby("time")["mean"].median()
        middle.plot(curve.index, curve, color=colours[code], marker="o", ms=3, label=names[code])
    middle.set_title("NDVI per parcel, median of each crop")
    middle.set_ylim(0, 1)
    middle.legend(fontsize=7, loc="lower center", ncol=3, frameon=False)
    for label in middle.get_xticklabels():
        label.set_rotation(30)
    shown = crops[crops.geometry.notna()]
    fill = (
        shown["CT_pred_1"].map(colours).astype(object).where(shown["CT_pred_1"].notna(), "#e8e8e8")
    )
    shown.plot(ax=right, color=np.asarray(fill), edgecolor="white", linewidth=0.3)
    right.set_title("Crop of each parcel")
    for axes in (left, right):
        axes.set_axis_off()
    return figure


if __name__ == "__main__":
    main()
