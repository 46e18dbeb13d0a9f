"""Bad input is refused in one sentence, and nothing has changed afterwards."""

from __future__ import annotations

import io
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from sen4cap.cli import app
from sen4cap.cli.output import exit_code
from sen4cap.domain import Grid
from sen4cap.errors import Sen4capError
from sen4cap.processing import processor
from sen4cap.testing.rasters import write_raster

from .conftest import Terminal

GRID = Grid("31UDS", "EPSG:32631", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_700_000.0), 64, 64)
LUT = "ori_crop,ct,lc,ctnuml4a,ctl4a\n1,Wheat,1,1,Wheat\n2,Grass,3,2,Grass\n"


@pytest.fixture
def farm(terminal: Terminal, tmp_path: Path) -> Terminal:
    """A site with a season, two parcels and one NDVI raster."""
    terminal("site", "create", "Farm")
    terminal("season", "create", "farm", "2018", "--start", "2018-01-01", "--end", "2018-12-31")
    declarations().to_file(tmp_path / "fields.gpkg")
    (tmp_path / "lut.csv").write_text(LUT, "utf-8")
    terminal(*importing(tmp_path / "fields.gpkg"), "--lut", tmp_path / "lut.csv")
    (tmp_path / "ndvi").mkdir()
    write_raster(tmp_path / "ndvi" / "NDVI_2018-05-04.tif", GRID, values(), nodata=0)
    terminal("product", "ingest", "farm", tmp_path / "ndvi", "--scale", 0.004)
    return terminal


def declarations(crs: str = "EPSG:32631") -> gpd.GeoDataFrame:
    boxes = [shapely.box(500_050, 5_699_800, 500_150, 5_699_900)]
    boxes.append(shapely.box(500_250, 5_699_500, 500_350, 5_699_700))
    data = {"id": ["a", "b"], "farm": ["x", "x"], "crop": ["1", "2"]}
    return gpd.GeoDataFrame(data, geometry=boxes, crs="EPSG:32631").to_crs(crs)


def values() -> np.ndarray:
    return np.full((64, 64), 200, np.uint8)


def importing(path: Path, crop: str = "crop") -> tuple[object, ...]:
    columns = ("--parcel-id-cols", "id", "--holding-id-cols", "farm", "--crop-code-col", crop)
    return ("lpis", "import", "farm", 2018, path, *columns)


def ingesting(folder: Path) -> tuple[object, ...]:
    return ("product", "ingest", "farm", folder)


def state(home: Path) -> tuple[list[tuple[str, int]], list[str]]:
    """Files of the archive and all rows of the database."""
    files = sorted(
        (str(path.relative_to(home)), path.stat().st_size)
        for path in (home / "archive").rglob("*")
        if path.is_file()
    )
    with sqlite3.connect(home / "sen4cap.sqlite") as connection:
        rows = list(connection.iterdump())
    connection.close()
    return files, rows


def refused(farm: Terminal, *words: object) -> tuple[int, str]:
    """Exit code and sentence of a command that must leave everything as it was."""
    before = state(farm.home)
    result = CliRunner().invoke(app, [*map(str, words)], env={"SEN4CAP_HOME": str(farm.home)})
    assert isinstance(result.exception, Sen4capError), result.output
    assert state(farm.home) == before
    sentence = str(result.exception)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    return exit_code(result.exception), sentence


def escaping_zip(folder: Path) -> tuple[object, ...]:
    with zipfile.ZipFile(folder / "fields.zip", "w") as archive:
        archive.writestr("../../fields.shp", b"x")
    return importing(folder / "fields.zip")


def zip_bomb(folder: Path) -> tuple[object, ...]:
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fields.shp", b"\0" * 200_000_000)
    return importing(folder / "bomb.zip")


def shapefile_without_prj(folder: Path) -> tuple[object, ...]:
    declarations().to_file(folder / "fields.shp")
    (folder / "fields.prj").unlink()
    return importing(folder / "fields.shp")


def empty_layer(folder: Path) -> tuple[object, ...]:
    declarations().iloc[:0].to_file(folder / "empty.gpkg")
    return importing(folder / "empty.gpkg")


def missing_crop_column(folder: Path) -> tuple[object, ...]:
    return importing(folder / "fields.gpkg", crop="gewas")


def lut_with_missing_columns(folder: Path) -> tuple[object, ...]:
    (folder / "bad.csv").write_text("ori_crop,ct\n1,Wheat\n", "utf-8")
    return ("lpis", "import-lut", "farm", 2018, folder / "bad.csv")


def no_file(folder: Path) -> tuple[object, ...]:
    return importing(folder / "nothing.gpkg")


def truncated_raster(folder: Path) -> tuple[object, ...]:
    later = folder / "later"
    later.mkdir()
    rng = np.random.default_rng(1)
    noise = rng.integers(1, 250, (64, 64), dtype=np.uint8)
    write_raster(later / "NDVI_2018-05-09.tif", GRID, noise, nodata=0)
    whole = (later / "NDVI_2018-05-09.tif").read_bytes()
    (later / "NDVI_2018-05-09.tif").write_bytes(whole[: len(whole) - 1000])
    return ingesting(later)


def raster_elsewhere(folder: Path) -> tuple[object, ...]:
    there = Grid("far", "EPSG:32733", GRID.transform, 64, 64)
    (folder / "far").mkdir()
    write_raster(folder / "far" / "NDVI_2018-05-09.tif", there, values(), nodata=0)
    return ingesting(folder / "far")


def index_without_scale(folder: Path) -> tuple[object, ...]:
    return ingesting(folder / "ndvi")


def grid_of_another_name(folder: Path) -> tuple[object, ...]:
    return (*ingesting(folder / "ndvi"), "--scale", "0.004", "--grid", "other")


def unreadable_date(folder: Path) -> tuple[object, ...]:
    (folder / "dates").mkdir()
    shutil.copy(folder / "ndvi" / "NDVI_2018-05-04.tif", folder / "dates" / "NDVI_2018-13-45.tif")
    return (*ingesting(folder / "dates"), "--pattern", "NDVI_{date}.tif")


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (escaping_zip, 3, ["fields.zip", "../../fields.shp"]),
        (zip_bomb, 3, ["bomb.zip"]),
        (shapefile_without_prj, 3, [".prj", "--crs"]),
        (empty_layer, 3, ["empty.gpkg"]),
        (missing_crop_column, 3, ["gewas", "crop"]),
        (lut_with_missing_columns, 3, ["lc", "ctnuml4a", "ctl4a"]),
        (no_file, 3, ["nothing.gpkg"]),
        (truncated_raster, 3, ["NDVI_2018-05-09.tif"]),
        (raster_elsewhere, 3, ["NDVI_2018-05-09.tif", "site"]),
        (unreadable_date, 3, ["NDVI_2018-13-45.tif"]),
        (index_without_scale, 3, ["ndvi", "--scale"]),
        (grid_of_another_name, 3, ["'other'", "'ndvi'"]),
    ],
)
def test_bad_input_changes_nothing(
    farm: Terminal,
    tmp_path: Path,
    make: Callable[[Path], tuple[object, ...]],
    code: int,
    words: list[str],
) -> None:
    found, sentence = refused(farm, *make(tmp_path))
    assert found == code
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("run", "l3b", "nowhere", "2018"), 4, "nowhere"),
        (("run", "l3b", "farm", "1999"), 4, "1999"),
        (("run", "l3b", "farm", "2018"), 6, "no product of type 'l2a'"),
        (("run", "s4c_l4a", "farm", "2018", "--num-trees", "1001"), 3, "s4c_l4a.num-trees"),
        (("config", "set", "processor.s4c_l4a.num-trees", "many"), 3, "s4c_l4a.num-trees"),
        (("config", "set", "processor.s4c_l4a.trees", "3"), 4, "config list"),
        (("product", "show", "nothing"), 4, "nothing"),
        (("markers", "query", "farm", "2018", "--parcel", "a"), 6, "s4c_mdb1"),
        (("lpis", "rollback", "farm", "2018", "7"), 4, "7"),
        (("site", "create", "Farm"), 5, "farm"),
        (("processor", "show", "l5"), 4, "l3b"),
        (("job", "show", "99"), 4, "99"),
    ],
)
def test_wrong_requests_change_nothing(
    farm: Terminal, words: tuple[str, ...], code: int, sentence: str
) -> None:
    found, told = refused(farm, *words)
    assert found == code
    assert sentence in told


def test_a_lut_with_unknown_codes_is_reported_and_the_parcel_kept(
    farm: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "short.csv").write_text(LUT.replace("2,Grass,3,2,Grass\n", ""), "utf-8")
    done = farm(*importing(tmp_path / "fields.gpkg"), "--lut", tmp_path / "short.csv")
    assert done["report"]["unknown_crops"] == {"2": 1}
    assert done["report"]["reasons"] == {"crop_not_in_lut": 1}
    with sqlite3.connect(farm.home / "sen4cap.sqlite") as connection:
        rows = connection.execute("select ori_id, reason from decl_farm_2018").fetchall()
    connection.close()
    assert sorted(rows) == [("a", ""), ("b", "crop_not_in_lut")]


def test_a_value_out_of_bounds_in_the_database_is_refused_at_submission(farm: Terminal) -> None:
    key = "processor.s4c_l4a.num-trees"
    with sqlite3.connect(farm.home / "sen4cap.sqlite") as connection:
        connection.execute("update config set value = '5000' where key = ?", (key,))
    connection.close()
    farm("run", "s4c_mdb1", "farm", "2018")
    code, told = refused(farm, "run", "s4c_l4a", "farm", "2018")
    assert code == 3
    assert key in told
    assert "1000" in told


def test_precedence_job_over_site_over_global_over_declared(farm: Terminal) -> None:
    def used(*options: str) -> str:
        job = farm("run", "s4c_mdb1", "farm", "2018", *options)["job"]
        return str(farm("job", "show", job)["parameters"]["buffer"])

    key = "processor.s4c_mdb1.buffer"
    assert used() == "0.0"
    farm("config", "set", key, "1")
    assert used() == "1.0"
    farm("config", "set", key, "2", "--site", "farm")
    assert used() == "2.0"
    assert used("--buffer", "3") == "3.0"
    farm("config", "unset", key, "--site", "farm")
    assert used() == "1.0"


def test_dry_run_and_rollback(farm: Terminal, tmp_path: Path) -> None:
    """Pixels by hand: of 10 × 10 and 10 × 20 centres the outer ones lie on the 5 m buffer."""
    changed = declarations()
    changed.loc[0, "geometry"] = shapely.box(500_050, 5_699_800, 500_160, 5_699_900)
    changed.loc[1, "crop"] = "1"
    changed.to_file(tmp_path / "changed.gpkg")
    before = state(farm.home)
    dry = farm(*importing(tmp_path / "changed.gpkg"), "--dry-run")
    assert state(farm.home) == before
    assert (dry["version"], dry["report"]["to_extract"]) == (None, 1)
    changes = {(row["ori_id"], row["change"]) for row in dry["changes"]}
    assert changes == {("a", "geometry"), ("b", "crop")}
    assert farm(*importing(tmp_path / "changed.gpkg"))["version"] == 2
    assert farm("lpis", "rollback", "farm", 2018, 2)["version"] == 1
    with sqlite3.connect(farm.home / "sen4cap.sqlite") as connection:
        rows = connection.execute('select ori_id, ori_crop, "S2Pix" from decl_farm_2018').fetchall()
    connection.close()
    assert sorted(rows) == [("a", "1", 8 * 8), ("b", "2", 8 * 18)]


def test_one_sentence_and_an_exit_code_from_the_program(
    farm: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sen4cap.cli import output

    monkeypatch.setattr("sys.argv", ["sen4cap", "run", "l3b", "nowhere", "2018"])
    monkeypatch.setenv("SEN4CAP_HOME", str(farm.home))
    assert output.guarded(app) == 4
    told = io.StringIO(capsys.readouterr().err).readlines()
    assert len(told) == 1
    assert told[0].startswith("sen4cap: ")


def test_two_grids_of_one_name_leave_none_behind(farm: Terminal, tmp_path: Path) -> None:
    """Of one tile, the later date lies 100 m farther east."""
    west, east = (
        Grid("31UFT", GRID.crs, (10.0, 0.0, left, 0.0, -10.0, 5_700_000.0), 64, 64)
        for left in (500_010.0, 500_110.0)
    )
    (tmp_path / "tiles").mkdir()
    for name, grid in {"31UFT_2018-05-05": west, "31UFT_2018-05-06": east}.items():
        write_raster(tmp_path / "tiles" / f"{name}_ndvi.tif", grid, values(), nodata=0)
    code, told = refused(farm, *ingesting(tmp_path / "tiles"), "--scale", 0.004)
    assert code == 5
    assert "31UFT" in told
    assert [grid["name"] for grid in farm("site", "show", "farm")["grids"]] == ["ndvi"]


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KeyboardInterrupt(), "dismissed", "It was interrupted; what was made stays."),
        (ValueError("odd"), "failed", "ValueError: odd"),
    ],
)
def test_a_job_that_ended_early_says_how(
    farm: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: str,
    reason: str,
) -> None:
    def broken(*_words: object) -> None:
        raise error

    chosen = processor("s4c_mdb1")
    monkeypatch.setattr("sen4cap.app.worker.processor", lambda _name: replace(chosen, run=broken))
    words = ["run", "s4c_mdb1", "farm", "2018"]
    assert CliRunner().invoke(app, words, env={"SEN4CAP_HOME": str(farm.home)}).exit_code != 0
    job = farm("job", "list")[0]
    assert (job["status"], job["reason"]) == (status, reason)
