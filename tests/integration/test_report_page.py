"""The crop type page as a whole: complete in itself, escaped, repeatable, errors first."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from sen4cap.domain import Product, ProductType, Season, Site
from sen4cap.processing import write_whole
from sen4cap.reports import CropReport, ParcelCurve, build_crop_report, write_crop_report

DATES = [datetime(2023, month, 3, 10, 50, 29, tzinfo=UTC) for month in (4, 5, 6)]
NAN = float("nan")
EVIL = "<script>alert(1)</script>"


def frame() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "NewID": [1, 2, 3, 4, 5],
            "ori_id": ["a1", EVIL, "c3", "d4", "e5"],
            "CT_decl": pd.array([1, 1, 2, None, 1], dtype="Int32"),
            "CT_pred_1": pd.array([1, 2, 1, None, None], dtype="Int32"),
            "CT_conf_1": [0.9, 0.6, 0.8, NAN, NAN],
            "CT_pred_2": pd.array([2, 1, 2, None, None], dtype="Int32"),
            "CT_conf_2": [0.1, 0.4, 0.2, NAN, NAN],
            "p_declared": [0.8, 0.004, 0.3, NAN, NAN],
            "light": pd.Series(["conform", "not conform", "not decided", None, None], dtype="str"),
            "sentence": ["It fits.", "It looks unlike its kind.", "", "No crop.", "No geometry."],
            "reason": ["", "", "", "no_crop", "no_geometry"],
            "Area_meters": [10000.0, 20000.0, 30000.0, 5000.0, 0.0],
        },
        geometry=[*shapely.box([0, 110, 220, 330], 0, [100, 210, 320, 430], 100), None],
        crs="EPSG:32631",
    )


def report() -> CropReport:
    per_class = {
        "user_accuracy": 0.5,
        "producer_accuracy": None,
        "f1": 0.5,
        "support": 2,
        "user_accuracy_interval": [0.1, 0.9],
        "producer_accuracy_interval": None,
        "f1_interval": [0.2, 0.8],
        "hectares": 3.0,
        "f1_by_area": 0.4,
    }
    bins = [{"said": 0.7, "came": 0.5, "n": 2, "interval": [0.1, 0.9]}]
    light = {"light": "not conform", "parcels": 1, "share": 1 / 3, "hectares": 2.0}
    group = {"group": 0, "classes": ["Grass", "Maize"], "size": "all", "parcels": 3}
    series = pd.DataFrame({"time": DATES[:2], "mean": [0.3, 0.6], "stdev": [0.1, 0.1]})
    return CropReport(
        title="Crop types",
        site=Site("Demo & co", "demo"),
        season=Season("demo", "2023", date(2023, 3, 1), date(2023, 10, 31)),
        parcels=frame(),
        accuracy={
            "classes": [{"code": 1, "name": "Grass"}, {"code": 2, "name": "Maize"}],
            "confusion": [[1, 1], [1, 0]],
            "overall_accuracy": 1 / 3,
            "overall_accuracy_n": 3,
            "overall_accuracy_interval": [0.061, 0.792],
            "overall_accuracy_by_area": None,
            "kappa": None,
            "macro_f1": None,
            "lights": [{**light, "share_interval": [0.061, 0.792]}],
            "groups": [{**group, "least_p_value": 0.25, "lights": {"not conform": 1}}],
            "calibration": {"expected_error": 0.2, "expected_error_n": 2, "bins": bins},
            "per_class": [{"code": 1, "name": "Grass", **per_class}],
            "parameters": {"num-trees": 300},
            "note": "Out of fold.",
        },
        curve=ParcelCurve(2, series, DATES),
        products=[
            Product("S2A_x", "demo", ProductType.L2A, "31UFT", d, d, "0" * 32) for d in DATES
        ],
    )


class Reader(HTMLParser):
    """Collects what the tests ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.headings: list[int] = []
        self.tags: list[str] = []
        self.alts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.links += [named[key] or "" for key in ("src", "href", "xlink:href") if key in named]
        self.alts += [named["alt"] or ""] if "alt" in named else []
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def words(page: str) -> str:
    """The text of the page, one blank between words."""
    body = page[page.index("<body>") :]
    return " ".join(re.sub("<[^>]+>", " ", body).split())


@pytest.fixture(scope="module")
def page() -> str:
    return build_crop_report(report())


def test_page_loads_nothing_and_runs_nothing(page: str) -> None:
    reader = read(page)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in reader.links)
    assert not {"script", "link", "iframe"} & set(reader.tags)
    assert "url(http" not in page
    assert "@import" not in page


def test_what_users_gave_is_escaped(page: str) -> None:
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert "Demo &amp; co" in page


def test_headings_go_down_one_at_a_time_and_pictures_speak(page: str) -> None:
    reader = read(page)
    steps = [
        after - before for before, after in zip(reader.headings, reader.headings[1:], strict=False)
    ]
    assert reader.headings[0] == 1
    assert max(steps) == 1
    assert reader.headings.count(1) == 1
    assert len(reader.alts) == reader.tags.count("img") == 4
    assert min(map(len, reader.alts)) > 40
    assert 'role="img" aria-label="NDVI of parcel' in page


def test_doubts_come_first_and_the_least_likely_declaration_first(page: str) -> None:
    names = ("doubts", "lights", "map", "curve", "accuracy", "made")
    order = [page.index(f'id="{name}"') for name in names]
    assert order == sorted(order)
    text = words(page)
    assert (
        "1 parcel is not conform, the least likely declaration first; 1 more is predicted" in text
    )
    assert (
        "2.00 Grass Maize (0.60) Grass (0.40) 0.0040 not conform It looks unlike its kind." in text
    )
    assert "2 c3 3.00 Maize Grass (0.80) Maize (0.20) 0.3000 not decided" in text


def test_lights_groups_and_reliability_are_told(page: str) -> None:
    text = words(page)
    assert "not conform 1 33.3 % 6.1–79.2 % 2.0" in text
    assert "0 Grass, Maize 3 0.2500 0 0 1" in text
    assert "differ by 0.200 on average (2 parcels" in text


def test_no_parcel_is_lost(page: str) -> None:
    text = words(page)
    assert "5 parcels declared 3 with a predicted crop 1 conform 1 not decided 1 not conf" in text
    assert "2 parcels have no predicted crop." in text
    assert "1 0.50 No crop was declared. no_crop" in text
    assert "1 0.00 The declaration has no geometry. no_geometry" in text


def test_accuracy_and_matrix_are_as_given(page: str) -> None:
    text = words(page)
    assert "Overall agreement 33.3 % (6.1–79.2 %, 3 parcels), kappa –" in text
    assert "Grass 2 3.0 0.500 20.0–80.0 % 50.0 % 10.0–90.0 % – 0.400" in text
    assert "Grass 1 1 2 Maize 1 · 1 all declared 2 1 3" in text
    assert "2 of 3 acquisitions were clear there." in text
    assert "3 × l2a, 2023-04-03 to 2023-06-03" in text
    assert "truth" not in text


def test_truth_gives_verdicts_and_scores() -> None:
    """By hand: parcel 2 was declared wrongly and found, parcel 3 is a false alarm."""
    known = frame().assign(CT_true=pd.array([1, 2, 2, 1, 1], dtype="Int64"))
    text = words(build_crop_report(replace(report(), parcels=known)))
    assert "66.7 % are predicted as what grew there. Of 1 wrong declarations 1 were found" in text
    assert "1 of 2 differences is a false alarm." in text
    assert "(0.80) Maize (0.20) 0.3000 not decided map wrong" in text
    assert "not conform declaration wrong It looks unlike its kind." in text


def test_same_report_same_bytes_whatever_the_order(page: str, tmp_path: Path) -> None:
    turned = replace(report(), parcels=frame().iloc[::-1])
    path = tmp_path / "report.html"
    with write_whole(path) as temporary:
        write_crop_report(temporary, turned)
    assert path.read_text(encoding="utf-8") == page


def test_a_map_without_results_is_still_a_page() -> None:
    none = (
        frame()
        .assign(CT_pred_1=pd.array([None] * 5, dtype="Int32"), CT_conf_1=NAN, reason="no_data")
        .assign(light=pd.Series([None] * 5, dtype="str"))
    )
    text = words(build_crop_report(replace(report(), parcels=none, accuracy={}, curve=None)))
    assert "No parcel is predicted as another crop than declared, and none is called not" in text
    assert "5 6.50 No clear observation of the parcel in the season. no_data" in text
    assert "Overall agreement –, kappa –" in text
