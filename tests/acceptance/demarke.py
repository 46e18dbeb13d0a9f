"""De Marke: 1,690 real Dutch parcels and 26 real NDVI rasters, as an agency would work on them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

GROUPS = (
    "grass",
    "maize",
    "potato",
    "cereal",
    "beet",
    "woody_nature",
    "other",
    "margin",
)
LAND_COVER = {"grass": 3, "woody_nature": 2, "margin": 0}
"""Annual crops are 1; margins are not monitored."""
SMALLEST = 1000.0
"""Parcels below are left out of the accuracy figures, square metres."""


def write_lut(folder: Path, path: Path) -> Path:
    """The crop table of the groups, in the original's columns."""
    with (folder / "crop_groups.csv").open(encoding="utf-8", newline="") as file:
        crops = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Ori_crop", "CTnum", "CT", "LC", "CTnumL4A", "CTL4A"])
        for number, crop in enumerate(crops, 1):
            group = crop["group"]
            cover = LAND_COVER.get(group, 1)
            name, code = crop["crop_name_en"], crop["crop_code"]
            writer.writerow([code, number, name, cover, GROUPS.index(group) + 1, group])
    return path


def prepare(terminal: Any, folder: Path, lut: Path, *, markers: bool = True) -> None:
    """Site, season, parcels, rasters and, if asked for, markers."""
    terminal("site", "create", "De Marke", "--short", "demarke", "--timezone", "Europe/Amsterdam")
    terminal("season", "create", "demarke", "2017", "--start", "2017-01-01", "--end", "2017-12-31")
    terminal(
        *("lpis", "import", "demarke", 2017, folder / "parcels.gpkg", "--lut", lut),
        *("--parcel-id-cols", "parcel_id", "--crop-code-col", "crop_code"),
    )
    terminal(
        *("product", "ingest", "demarke", folder / "ndvi"),
        *("--pattern", "NDVI_{date}.tif", "--band", "ndvi", "--grid", "demarke"),
    )
    if markers:
        terminal("run", "s4c_mdb1", "demarke", "2017")


def classify(terminal: Any, seed: int) -> dict[str, Path]:
    """Crop types in five folds of 1 km blocks; the files of the product by name."""
    done = terminal(
        *("run", "s4c_l4a", "demarke", "2017", "--seed", seed),
        *("--folds", 5, "--block-size", 1000, "--pa-min", 1, "--min-s2-pix", 0),
    )
    item = terminal("product", "show", done["made"][0])
    return {name: Path(asset["href"]) for name, asset in item["assets"].items()}


def scores(files: dict[str, Path]) -> dict[str, float]:
    """Overall accuracy and F1 of grass and maize over parcels of at least 1,000 m², margins out.

    Every such parcel counts, also one without a result.
    """
    table = gpd.read_parquet(files["CropType.parquet"])
    counted = table[(table["Area_meters"] >= SMALLEST) & (table["CT_decl_name"] != "margin")]
    declared = counted["CT_decl_name"].to_numpy(str)
    predicted = counted["CT_pred_1_name"].fillna("").to_numpy(str)
    found = {"overall": float(np.mean(declared == predicted)), "parcels": float(len(counted))}
    for group in ("grass", "maize"):
        hit = np.sum((declared == group) & (predicted == group))
        found[group] = float(2 * hit / (np.sum(declared == group) + np.sum(predicted == group)))
    return found
