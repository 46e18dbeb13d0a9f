"""Two UTM zones and two seasons: the original's crop type program, and how good the maps are."""

from __future__ import annotations

import sqlite3
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sen4cap.cli import app
from sen4cap.cli.crop_type_wrapper import main, plain
from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.simulate import TWO_ZONES, Simulated, write_season

from .conftest import Terminal

PRINTED = (
    "-s {site} --season-start 2023-03-01 --season-end 2023-10-31 --working-path {folder}/work "
    "--out-path {folder}/out --tiles 31UWT 32UQR"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Markers of two seasons in both zones; squares of 1.6 km have no five blocks of 10 km."""
    folder = tmp_path_factory.mktemp("border")
    terminal = Terminal(folder / "home")
    terminal("site", "create", "Border", "--timezone", "Europe/Amsterdam")
    for key, value in (("block-size", 300), ("pa-min", 8), ("num-trees", 40)):
        terminal("config", "set", f"processor.s4c_l4a.{key}", value, "--site", "border")
    for year, seed in ((2023, 1), (2024, 2)):
        parts = {"parcels": 80, "dates": 6, "size": 160, "places": TWO_ZONES}
        take_in(terminal, write_season(folder / str(year), seed=seed, year=year, **parts))
    return terminal


def take_in(terminal: Terminal, season: Simulated) -> None:
    year = season.start.year
    days = ("--start", season.start, "--end", season.end)
    terminal("season", "create", "border", year, *days)
    terminal(
        *("lpis", "import", "border", year, season.declarations, "--lut", season.lut),
        *("--parcel-id-cols", "PARCEL_ID", "--holding-id-cols", "FARM_ID"),
        *("--crop-code-col", "CROP_CODE"),
    )
    terminal("product", "ingest", "border", season.scenes)
    terminal("run", "l3b", "border", year)
    terminal("run", "s4c_mdb1", "border", year)


def test_the_program_is_installed_under_its_name() -> None:
    [found] = entry_points(group="console_scripts", name="crop-type-wrapper.py")
    assert found.load() is main


def run(home: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("SEN4CAP_HOME", str(home))
    with pytest.raises(SystemExit) as ended:
        main(command.split(" "))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_printed_command_runs_over_two_zones(
    site: Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = sqlite3.connect(site.home / "sen4cap.sqlite")
    number = database.execute("select id from site where short_name = 'border'").fetchone()[0]
    database.close()
    printed = PRINTED.format(site=number, folder=tmp_path)
    pasted = printed.replace("--", "–").replace("-s ", "– s ".replace(" s", "s"))
    assert run(site.home, pasted, monkeypatch) == 0
    told = capsys.readouterr()
    assert told.err.count("typographic dashes") == 1
    assert "Copied 19 files" in told.out
    table = gpd.read_file(tmp_path / "out" / "SHP" / "CropType.shp")
    assert len(table) > 150
    west = table.to_crs(4326).representative_point().x < 6
    judged = table["reason"].isna() | (table["reason"] == "")
    assert judged[west].sum() > 40
    assert judged[~west].sum() > 40
    names = {path.name.split("_r")[0] for path in (tmp_path / "out").iterdir()}
    assert names >= {
        *("CropType.csv", "CropType.gpkg", "CropType_LUT.csv", "Accuracy_metrics"),
        *("Accuracy_metrics_plot", "Confusion_matrix", "Confusion_user", "Confusion_producer"),
        *("Crop_types_summary", "Parcels_all_with_predictions", "SHP"),
        "Parcels_classified_with_predictions",
    }

    again = PRINTED.format(site="border", folder=tmp_path / "again")
    assert run(site.home, again, monkeypatch) == 0
    told = capsys.readouterr()
    assert "already stood" in told.out
    assert not told.err
    for path in (tmp_path / "out").glob("*.csv"):
        assert (tmp_path / "again" / "out" / path.name).read_bytes() == path.read_bytes()


def test_one_tile_leaves_the_others_parcels_out(site: Terminal) -> None:
    done = site("run", "l4a", "border", "2023", "--tiles", "31UWT")
    whole = site("run", "l4a", "border", "2023")
    assert done["made"] != whole["made"]
    there = {item["id"] for item in site("product", "list", "border", "--type", "s4c_l4a")}
    assert there >= {done["made"][0], whole["made"][0]}
    item = site("product", "show", done["made"][0])
    table = pd.read_parquet(item["assets"]["CropType.parquet"]["href"])
    judged = table[table["reason"] == ""]
    assert set(table["reason"][table["reason"] != ""]) >= {"outside_grid"}
    assert 40 < len(judged) < 90
    assert item["properties"]["overall_accuracy_n"] == len(judged)
    assert item["properties"]["sen4cap:variant"] == "31UWT"
    assert item["properties"]["lights"][0]["light"] == "conform"
    assert item["assets"]["report.html"]["type"] == "text/html"
    assert all(Path(asset["href"]).is_file() for asset in item["assets"].values())


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (("-s {site}", "-s 77"), 4, "There is no site 77; there are: 1 (border)."),
        (("-s {site} ", ""), 2, "The following arguments are required: -s/--site-id"),
        (("2023-03-01", "2022-01-01"), 3, "No season of site 'border' begins on 2022-01-01"),
        (("2023-03-01", "spring"), 2, "'spring' is no day: give it as 2020-12-31"),
        (("31UWT", "31UXX"), 3, "tiles names 31UXX, of which there is no grid"),
        (("31UWT 32UQR", "33UVR"), 6, "There are no markers on 33UVR: they are on 31UWT, 32UQR."),
        (("--tiles", "--min-s2-pix 101 --tiles"), 3, "give a whole number from 0 to 100"),
        (("--tiles", "--colour red --tiles"), 2, "There is no option --colour red"),
        (("--tiles", "--products S2A_x --tiles"), 2, "--products cannot choose images here"),
    ],
)
def test_refusals_are_one_sentence(
    site: Terminal,
    change: tuple[str, str],
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = PRINTED.replace(*change).format(site="border", folder=tmp_path)
    assert run(site.home, command, monkeypatch) == code
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_dashes_of_slides_become_those_that_were_typed(capsys: pytest.CaptureFixture[str]) -> None:
    pasted = [
        *("–s", "8", "—season-start", "2020\u201101\u201101", "–-season–end=2020−12−31", " ", "\n"),
        *("--out-path", "/data/Sen4CAP – test", "--lc", "–x/y"),
    ]
    assert plain(pasted) == [
        *("-s", "8", "--season-start", "2020-01-01", "--season-end=2020-12-31"),
        *("--out-path", "/data/Sen4CAP – test", "--lc", "–x/y"),
    ]
    assert capsys.readouterr().err.count("\n") == 1
    assert plain(["-s", "8", "--tiles", "31UWT"]) == ["-s", "8", "--tiles", "31UWT"]
    assert not capsys.readouterr().err


def test_what_has_nothing_to_do_is_said(
    site: Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = " --standalone --lut lut.csv --mode s2-only --num-trees 20"
    command = PRINTED.format(site="border", folder=tmp_path).replace(
        "--tiles", more[1:] + " --tiles"
    )
    assert run(site.home, command, monkeypatch) == 0
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "crop-type-wrapper.py: --lut is not read: the crop table is that of the last import."
    ]
    document = pd.read_json(tmp_path / "out" / "accuracy.json", typ="series")
    assert document["parameters"]["mode"] == "s2-only"
    assert document["parameters"]["num-trees"] == 20
    assert document["parameters"]["tiles"] == "31UWT 32UQR"


# ---- validation


def shares(found: Any) -> tuple[float, int]:
    low, high = found["overall_accuracy_interval"]
    assert low < found["overall_accuracy"] <= high
    assert found["macro_f1_from"] == 30
    matrix = np.array(found["confusion"])
    assert matrix.sum() == found["overall_accuracy_n"]
    assert np.trace(matrix) / matrix.sum() == pytest.approx(found["overall_accuracy"], abs=1e-6)
    return found["overall_accuracy"], found["overall_accuracy_n"]


def test_out_of_fold_is_what_the_map_says(site: Terminal, tmp_path: Path) -> None:
    with pytest.raises(NoInput, match="run 'sen4cap run l4a'"):
        site("validate", "l4a", "border", "2024")
    site("run", "l4a", "border", "2023")
    picture = tmp_path / "f1.png"
    found = site("validate", "l4a", "border", "2023", "--picture", picture)
    item = next(
        item
        for item in site("product", "list", "border", "--type", "s4c_l4a")
        if "sen4cap:variant" not in item["properties"]
    )
    accuracy, number = shares(found)
    assert item["id"] in found["how"]
    assert item["properties"]["overall_accuracy"] == accuracy > 0.7
    assert number > 120
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_region_is_judged_by_the_parcels_outside(site: Terminal) -> None:
    """A tile and the box around its square hold the same parcels; both tiles are all of them."""
    site("run", "l4a", "border", "2023")
    east = site("validate", "l4a", "border", "2023", "--tile", "32UQR")
    boxed = site("validate", "l4a", "border", "2023", "--bbox", 6.0, 52.0, 7.0, 53.0)
    west = site("validate", "l4a", "border", "2023", "--tile", "31UWT")
    whole = site("validate", "l4a", "border", "2023")
    assert east == boxed
    assert shares(east)[0] > 0.4, "the most frequent crop alone has 0.3"
    assert shares(east)[1] + shares(west)[1] == shares(whole)[1]
    crop = ("--where", "CROP_NAME=Maize")
    maize = site("validate", "l4a", "border", "2023", *crop)
    assert maize["overall_accuracy"] == 0.0, "nobody taught maize"
    with pytest.raises(NoInput, match=r"holds \d+ of \d+ parcels"):
        site("validate", "l4a", "border", "2023", "--tile", "31UWT", "--tile", "32UQR")
    with pytest.raises(InvalidParameter, match="There is no grid 31UXX"):
        site("validate", "l4a", "border", "2023", "--tile", "31UXX")


def test_another_season_teaches_by_common_features(site: Terminal) -> None:
    found = site("validate", "l4a", "border", "2023", "--taught-in", "2024")
    accuracy, number = shares(found)
    assert number > 120
    assert accuracy > 0.6
    assert "of '2024', judged on" in found["how"]
    with pytest.raises(InvalidParameter, match="not both"):
        site("validate", "l4a", "border", "2023", "--taught-in", "2024", "--tile", "31UWT")


def test_figures_for_people(site: Terminal) -> None:
    words = ["validate", "l4a", "border", "2023", "--tile", "32UQR", "--set", "num-trees=20"]
    told = CliRunner().invoke(app, words, env={"SEN4CAP_HOME": str(site.home)}).stdout
    assert "Hold-out region: taught by" in told
    assert "overall_accuracy_by_area" in told
    assert "95 % interval" in told
