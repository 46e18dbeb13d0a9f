"""Scores, styles, figures and the pieces of the report; expected values by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from sen4cap.domain import Asset, Reason
from sen4cap.errors import MissingColumn
from sen4cap.geo.style import categorized_qml, palette, rgb
from sen4cap.reports import parcel_to_show, score, season_picture, with_truth
from sen4cap.reports.doubts import disagrees, sentence_of
from sen4cap.reports.figures import (
    MapClass,
    Measured,
    class_plot,
    compound_outline,
    crop_map,
    parcel_curve,
    reliability_plot,
)
from sen4cap.reports.words import number, percent, within

NAN = float("nan")


def parcels() -> gpd.GeoDataFrame:
    """Four squares in a row: agrees, differs surely, differs unsurely, left out."""
    return gpd.GeoDataFrame(
        {
            "NewID": [1, 2, 3, 4],
            "ori_id": ["a", "b", "c", "d"],
            "CT_decl": pd.array([1, 1, 2, None], dtype="Int32"),
            "CT_pred_1": pd.array([1, 2, 1, None], dtype="Int32"),
            "CT_conf_1": [0.9, 0.8, 0.6, NAN],
            "CT_pred_2": pd.array([2, 1, 2, None], dtype="Int32"),
            "CT_conf_2": [0.1, 0.2, 0.4, NAN],
            "reason": ["", "", "", "no_crop"],
            "Area_meters": [10000.0, 10000.0, 10000.0, 400.0],
        },
        geometry=shapely.box([0, 110, 220, 330], 0, [100, 210, 320, 350], 100),
        crs="EPSG:32631",
    )


def test_scores_count_by_hand() -> None:
    """Of 6 known: 4 right, 2 wrong declarations, 3 flagged, of them 2 wrong, 1 put right."""
    declared = np.array([1, 1, 2, 2, 3, 3, 3, NAN])
    predicted = np.array([1, 1, 1, 3, 3, 1, NAN, 1])
    truth = np.array([1, 1, 1, 1, 3, 3, 3, 1])
    found = score(declared, predicted, truth)
    assert (found.parcels, found.right, found.wrong, found.flagged) == (6, 4, 2, 3)
    assert (found.caught, found.corrected, found.false_alarms, found.missed) == (2, 1, 1, 0)
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.recall == 1.0
    assert found.precision == pytest.approx(2 / 3)


def test_scores_of_nothing_are_missing() -> None:
    nothing = score(np.array([]), np.array([]), np.array([]))
    assert nothing.parcels == 0
    assert np.isnan([nothing.accuracy, nothing.recall, nothing.precision]).all()


def test_truth_is_joined_by_the_declared_id() -> None:
    truth = pd.DataFrame({"PARCEL_ID": ["c", "a"], "CTnumL4A": [2, 7]})
    joined = with_truth(parcels(), truth)["CT_true"]
    assert joined.tolist() == [7, pd.NA, 2, pd.NA]
    with pytest.raises(MissingColumn, match="CTnumL4A"):
        with_truth(parcels(), truth.drop(columns="CTnumL4A"))


def test_disagreement_needs_both() -> None:
    assert disagrees(parcels()).tolist() == [False, True, True, False]


def test_parcel_to_show_is_the_surest_disagreement() -> None:
    frame = parcels()
    assert parcel_to_show(frame) == 2
    frame["CT_pred_1"] = frame["CT_decl"]
    frame.loc[2, "Area_meters"] = 20000.0
    assert parcel_to_show(frame) == 3


def test_numbers_for_people() -> None:
    assert percent(0.9154) == "91.5 %"
    assert percent(1.0, 0) == "100 %"
    assert percent(None) == percent(NAN) == number(None) == number(NAN) == "–"
    assert number(1234.5678) == "1,234.57"


def test_intervals_for_people() -> None:
    assert within([0.0612, 0.7923]) == "6.1–79.2 %"
    assert within(None) == ""


def test_plots_stand_missing_values_and_repeat() -> None:
    classes = [Measured("Beet", NAN, NAN, NAN, 2.0), Measured("Maize", 0.9, 0.8, 0.95, 8.0)]
    for draw in (
        lambda: class_plot(classes),
        lambda: reliability_plot([0.5, 0.9], [0.4, 1.0], [(0.2, 0.6), (0.8, 1.0)]),
        lambda: reliability_plot([], [], []),
    ):
        assert draw().startswith(b"\x89PNG")
        assert draw() == draw()


def test_a_map_of_lights_is_drawn_by_their_names() -> None:
    frame = parcels().assign(light=pd.Series(["conform", "conform", "no", None], dtype="str"))
    classes = [MapClass("conform", "conform", "#009e73"), MapClass("no", "no", "#d55e00")]
    nothing = np.zeros(4, dtype=bool)
    picture = crop_map(frame, classes, nothing, {}, column="light")
    pixels = (matplotlib.image.imread(BytesIO(picture))[..., :3] * 255).round().astype(int)
    share = {item.colour: (pixels == rgb(item.colour)).all(axis=2).mean() for item in classes}
    assert share["#009e73"] > 1.5 * share["#d55e00"] > 0


def test_reasons_speak() -> None:
    assert sentence_of("no_crop") == Reason.NO_CROP.sentence
    assert sentence_of("from_the_future") == "Reason 'from_the_future'."
    assert sentence_of("") == "No reason was recorded."


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = (value / 255 for value in rgb(colour))
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def as_seen(colour: str, blindness: str) -> np.ndarray:
    """Linear RGB as seen by a dichromat, matrices of Viénot, Brettel & Mollon (1999)."""
    linear = (np.array(rgb(colour)) / 255) ** 2.2
    matrix = {
        "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    }[blindness]
    return np.array(matrix) @ linear


@pytest.mark.parametrize("blindness", ["protan", "deutan"])
def test_first_colours_stay_apart_for_the_colour_blind(blindness: str) -> None:
    seen = np.array([as_seen(colour, blindness) for colour in palette(8)])
    distance = np.linalg.norm(seen[:, None] - seen, axis=2)
    assert distance[np.triu_indices(8, 1)].min() > 0.05


def test_palette_is_stable_and_never_repeats_soon() -> None:
    assert palette(0) == []
    assert palette(3) == palette(40)[:3] == ["#009e73", "#e69f00", "#56b4e9"]
    assert len(set(palette(40))) == 40
    assert luminance(palette(16)[15]) > luminance(palette(1)[0])


@pytest.mark.parametrize(
    ("geometry", "kind", "code"), [("polygon", "fill", "2"), ("line", "line", "1")]
)
def test_style_is_what_qgis_reads(geometry: str, kind: str, code: str) -> None:
    rows = [(1, "Grass & clover", "#009e73"), ("x<y", "other", "#e69f00")]
    root = ET.fromstring(categorized_qml("CT_pred_1", rows, geometry))
    renderer = root.find("renderer-v2")
    assert root.tag == "qgis"
    assert renderer is not None
    assert renderer.attrib["type"] == "categorizedSymbol"
    assert renderer.attrib["attr"] == "CT_pred_1"
    categories = renderer.findall("categories/category")
    assert [item.attrib["value"] for item in categories] == ["1", "x<y", ""]
    assert [item.attrib["type"] for item in categories] == ["integer", "string", "string"]
    assert categories[0].attrib["label"] == "Grass & clover"
    symbols = {item.attrib["name"]: item for item in renderer.findall("symbols/symbol")}
    assert [item.attrib["symbol"] for item in categories] == list(symbols)
    assert {item.attrib["type"] for item in symbols.values()} == {kind}
    first = symbols["0"].find("layer/Option/Option")
    assert first is not None
    assert first.attrib["value"] == "0,158,115,255"
    assert root.findtext("layerGeometryType") == code


def test_outline_keeps_holes() -> None:
    """By hand: 100 − 16 + 100; holes run the other way round, so that they stay unfilled."""
    holed = shapely.difference(shapely.box(0, 0, 10, 10), shapely.box(3, 3, 7, 7))
    shape = shapely.MultiPolygon([holed, shapely.box(20, 0, 30, 10)])
    outline = compound_outline(np.array([shape]))
    assert outline is not None
    rings = [np.asarray(ring) for ring in outline.to_polygons()]
    signed = [np.sum(r[:-1, 0] * r[1:, 1] - r[1:, 0] * r[:-1, 1]) / 2 for r in rings]
    assert sorted(abs(area) for area in signed) == [16.0, 100.0, 100.0]
    assert abs(sum(signed)) == 184.0
    assert compound_outline(np.array([], dtype=object)) is None


def test_map_shows_each_class_in_its_colour() -> None:
    """Pixels of the picture: the plain colour of class 1, grey of what was left out."""
    classes = [MapClass(1, "Grass", "#009e73"), MapClass(2, "Maize", "#e69f00")]
    picture = crop_map(parcels(), classes, disagrees(parcels()), {2: 1})
    pixels = (matplotlib.image.imread(BytesIO(picture))[..., :3] * 255).round().astype(int)
    shares = {
        colour: float((pixels == rgb(colour)).all(axis=2).mean())
        for colour in ("#009e73", "#e69f00", "#dddddd")
    }
    assert min(shares.values()) > 0.005
    assert shares["#009e73"] > shares["#dddddd"]
    assert picture == crop_map(parcels(), classes, disagrees(parcels()), {2: 1})


def test_map_of_nothing_is_a_map() -> None:
    empty = parcels().iloc[:0]
    assert crop_map(empty, [], np.zeros(0, dtype=bool), {}).startswith(b"\x89PNG")


def test_curve_marks_dates_that_were_not_clear() -> None:
    dates = [datetime(2023, month, 1, 10, 50, tzinfo=UTC) for month in (4, 5, 6, 7)]
    series = pd.DataFrame({"time": dates[::3], "mean": [0.3, 0.8], "stdev": [0.02, NAN]})
    reference = pd.DataFrame({"time": dates, "mean": [0.2, 0.4, 0.7, 0.9]})
    drawn = parcel_curve(series, dates, {"all <maize>": reference})
    root = ET.fromstring(drawn)
    texts = [item.text for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"not clear", "all <maize>", "NDVI", "May 2023"} <= set(texts)
    clear_only = parcel_curve(series, dates[::3], {"all <maize>": reference})
    crosses = drawn.count("<use") - clear_only.count("<use")
    assert crosses == 2 + 1, "two dates and the legend"
    assert "not clear" not in clear_only


def test_picture_stretches_and_leaves_missing_white(tmp_path: Path) -> None:
    """Stored 3500 is 0.25, half of the brightest 0.5: (1/2)^(1/1.6) of 255; 0 is missing."""
    path = tmp_path / "band.tif"
    profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint16"}
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 600000, 0, -10, 5800000)}
    stored = np.full((1, 4, 4), 3500, dtype=np.uint16)
    stored[0, 0, 0] = 0
    with rasterio.open(path, "w", **profile, **place) as dataset:
        dataset.write(stored)
    band = Asset("B08", str(path), scale=0.0001, offset=-0.1, nodata=0)
    picture = season_picture((band, band, band), pixels=64, brightest=(0.5, 0.5, 0.5))
    pixels = matplotlib.image.imread(BytesIO(picture))
    assert pixels.shape[:2] == (64, 64)
    assert pixels[40, 40, 0] * 255 == pytest.approx(255 * 0.5 ** (1 / 1.6), abs=1.5)
    assert pixels[4, 4, :3].tolist() == [1.0, 1.0, 1.0]
