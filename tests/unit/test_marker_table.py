"""The marker table: what is read is the same before, during and after a compaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from sen4cap.domain import Product, ProductType, Season
from sen4cap.processing import marker_table
from sen4cap.processing.marker_table import SCHEMA, MarkerTable, acquisitions_of

DAY = datetime(2018, 5, 1, 10, 50, 31, tzinfo=UTC)


def rows(
    parcels: list[int],
    day: int = 0,
    *,
    mean: float = 0.5,
    count: float = 10.0,
    geom_hash: str = "aa",
    generation: int = 0,
    grid: str = "31UDS",
    orbit: int | None = 51,
) -> pl.DataFrame:
    columns = {
        "parcel": parcels,
        "time": DAY + timedelta(days=day),
        "grid": grid,
        "orbit": orbit,
        "mean": mean,
        "stdev": 0.1,
        "count": count,
        "valid_fraction": 1.0,
        "geom_hash": geom_hash,
        "generation": generation,
        "product": f"L3B_{day}",
        "revision": "0123abcd",
    }
    return pl.DataFrame(columns, schema_overrides={"orbit": pl.Int16()})


def aa(*parcels: int) -> pl.DataFrame:
    """Parcels as the table is asked for them, of the geometry of `rows`."""
    return pl.DataFrame(
        {"parcel": parcels, "geom_hash": "aa"}, schema={"parcel": pl.Int64, "geom_hash": pl.String}
    )


@pytest.fixture
def table(tmp_path: Path) -> MarkerTable:
    """Three parcels, four dates; parcel 2 extracted again on day 1, taken back on day 2."""
    made = MarkerTable(tmp_path / "markers")
    for day in range(4):
        made.append("ndvi", rows([3, 1, 2], day, mean=0.1 * day), name=f"d{day}")
    again = rows([2], 1, mean=0.9, geom_hash="bb", generation=1)
    made.append("ndvi", again, name="d1-again")
    gone = rows([2], 2, count=0.0, geom_hash="bb", generation=1)
    made.append("ndvi", gone, name="d2-again")
    return made


def test_an_empty_table_reads_empty(tmp_path: Path) -> None:
    empty = MarkerTable(tmp_path / "nothing")
    assert empty.markers() == ()
    assert empty.read("ndvi").schema == pl.Schema({**SCHEMA, "stale": pl.Boolean()})
    assert empty.series(aa(1)).is_empty()
    assert empty.standing("ndvi", DAY, "31UDS").is_empty()
    assert empty.compact("ndvi", min_parts=1) == ()


def test_the_highest_generation_is_read_and_a_count_of_zero_takes_back(table: MarkerTable) -> None:
    found = table.read("ndvi")
    assert found.height == 11  # 3 parcels x 4 dates, less the one taken back
    second = found.filter(pl.col("parcel") == 2)
    assert second["time"].dt.day().to_list() == [1, 2, 4]
    assert second["mean"].to_list() == pytest.approx([0.0, 0.9, 0.3])
    assert found.equals(found.sort("parcel", "time"))
    assert found["stale"].null_count() == 11


def test_rows_of_another_geometry_are_stale(table: MarkerTable) -> None:
    parcels = pl.DataFrame({"parcel": [1, 2], "geom_hash": ["aa", "bb"]})
    found = table.read("ndvi", parcels)
    assert found.filter("stale")["time"].dt.day().to_list() == [1, 4]
    assert set(found["parcel"]) == {1, 2}
    assert set(found.filter("stale")["parcel"]) == {2}


@pytest.mark.parametrize("compacted", [False, True])
def test_a_row_of_the_present_geometry_goes_before_a_newer_one_of_another(
    table: MarkerTable, compacted: bool
) -> None:
    """Parcel 2 has its first geometry back, and no new rows yet."""
    if compacted:
        table.compact("ndvi", min_parts=1)
    found = table.read("ndvi", aa(2))
    assert found["mean"].to_list() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert found["generation"].to_list() == [0, 0, 0, 0]
    assert not found["stale"].any()


def test_what_stands_at_one_acquisition(table: MarkerTable) -> None:
    """Newest row per parcel, the one that takes back too; not those of another grid or date."""
    table.append("ndvi", rows([1], 2, grid="31UES", generation=5), name="other")
    found = table.standing("ndvi", DAY + timedelta(days=2), "31UDS")
    assert found.rows() == [
        (1, "aa", 0, "0123abcd"),
        (2, "bb", 1, "0123abcd"),
        (3, "aa", 0, "0123abcd"),
    ]
    assert found.columns == ["parcel", "geom_hash", "generation", "revision"]
    assert table.standing("ndvi", DAY + timedelta(days=8), "31UDS").is_empty()


def test_chosen_columns_are_those_of_the_whole_rows(table: MarkerTable) -> None:
    parcels = aa(1, 2)
    whole = table.read("ndvi", parcels)
    assert table.read("ndvi", parcels, columns=("stale", "mean")).equals(
        whole.select("stale", "mean")
    )
    assert table.read("ndvi", parcels.clear()).is_empty()


def test_of_two_grids_at_one_time_the_first_by_name_is_read_without_homes(tmp_path: Path) -> None:
    table = MarkerTable(tmp_path)
    for grid, mean in (("31UES", 0.25), ("31UDS", 0.5)):
        table.append("ndvi", rows([1], grid=grid, mean=mean), name=grid)
    assert table.read("ndvi")["mean"].to_list() == [0.5]


def test_the_folder_of_a_season(tmp_path: Path) -> None:
    season = Season("farm", "2018", date(2018, 1, 1), date(2018, 12, 31))
    assert MarkerTable.of(tmp_path, season).root == tmp_path / "farm" / "s4c_mdb1" / "2018"


def test_rows_of_another_grid_than_home_are_left_out(table: MarkerTable) -> None:
    table.append("ndvi", rows([1], 0, mean=0.7, grid="31UES", generation=5), name="other")
    home = {"parcel": [1, 3], "geom_hash": ["aa", "aa"], "grid": ["31UDS", "31UES"]}
    found = table.read("ndvi", pl.DataFrame(home))
    assert set(found["parcel"]) == {1}
    assert set(found["grid"]) == {"31UDS"}
    assert found["mean"][0] == 0.0


def test_rows_of_other_acquisitions_are_left_out(table: MarkerTable) -> None:
    asked = pl.DataFrame({"time": [DAY + timedelta(days=1), DAY + timedelta(days=2)]})
    whole = table.read("ndvi")
    found = table.read("ndvi", acquisitions=asked)
    assert found.equals(whole.filter(pl.col("time").dt.day().is_in([2, 3])))
    assert set(found["time"].dt.day()) == {2, 3}
    outer = pl.DataFrame({"time": [DAY, DAY + timedelta(days=2)], "grid": ["31UDS", "31UES"]})
    assert set(table.read("ndvi", acquisitions=outer)["time"].dt.day()) == {1}
    assert table.read("ndvi", acquisitions=outer.clear()).is_empty()


def test_acquisitions_are_those_of_products() -> None:
    scene = Product("a", "s", ProductType.MARKERS, "31UDS", DAY, DAY, "r")
    later = replace(scene, name="b", start=DAY + timedelta(days=1))
    found = acquisitions_of([later, scene, replace(scene, name="c")])
    assert found.rows() == [(DAY, "31UDS"), (DAY + timedelta(days=1), "31UDS")]


def test_an_unknown_orbit_is_one_orbit_and_known_ones_are_apart(tmp_path: Path) -> None:
    table = MarkerTable(tmp_path)
    table.append("ndvi", rows([1], orbit=None), name="a")
    table.append("ndvi", rows([1], orbit=None, generation=1, mean=0.25), name="b")
    table.append("ndvi", rows([1], orbit=8), name="c")
    assert table.read("ndvi")["mean"].to_list() == [0.25, 0.5]


def test_the_same_name_is_the_same_file_with_the_same_bytes(table: MarkerTable) -> None:
    before = (table.root / "ndvi" / "part-d1.parquet").read_bytes()
    assert table.append("ndvi", rows([1, 2, 3], 1, mean=0.1), name="d1").read_bytes() == before
    assert table.read("ndvi").height == 11


def test_a_failed_write_leaves_nothing(table: MarkerTable) -> None:
    names = sorted(path.name for path in table.root.rglob("*"))
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        table.append("ndvi", rows([1]).drop("mean"), name="bad")
    assert sorted(path.name for path in table.root.rglob("*")) == names


def test_compaction_keeps_the_answer_and_its_bytes(table: MarkerTable, tmp_path: Path) -> None:
    before = table.read("ndvi")
    twin = MarkerTable(tmp_path / "twin")
    for path in (table.root / "ndvi").iterdir():
        copy = twin.root / "ndvi" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert table.compact("ndvi", min_parts=7) == ()
    (file,) = table.compact("ndvi", min_parts=6)
    assert [path.name for path in (table.root / "ndvi").iterdir()] == [file.name]
    assert pq.read_metadata(file).num_rows == 14  # the newest of each geometry
    assert table.read("ndvi").equals(before)
    (other,) = twin.compact("ndvi", min_parts=6)
    assert (other.name, other.read_bytes()) == (file.name, file.read_bytes())


def test_compacted_files_and_new_parts_merge_again(table: MarkerTable) -> None:
    table.compact("ndvi", min_parts=1)
    table.append("ndvi", rows([1, 2, 3], 9), name="d9")
    before = table.read("ndvi")
    files = table.compact("ndvi", min_parts=1, max_rows=6)
    assert [pq.read_metadata(file).num_rows for file in files] == [5, 7, 5]
    assert table.read("ndvi").equals(before)
    assert table.markers() == ("ndvi",)


@pytest.mark.parametrize("survivors", range(7))
def test_a_crash_at_any_moment_changes_no_answer(
    table: MarkerTable, monkeypatch: pytest.MonkeyPatch, survivors: int
) -> None:
    """The process ends after 0..6 of the old files are gone; the next compaction mends it."""
    before = table.read("ndvi")
    real = Path.unlink
    gone: list[Path] = []

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path.name.startswith("part-"):
            if len(gone) == survivors:
                raise KeyboardInterrupt
            gone.append(path)
        real(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        if survivors < 6:
            with pytest.raises(KeyboardInterrupt):
                table.compact("ndvi", min_parts=1, max_rows=4)
        else:
            table.compact("ndvi", min_parts=1, max_rows=4)
    assert len(gone) == survivors
    assert table.read("ndvi").equals(before)
    table.compact("ndvi", min_parts=1)
    assert table.read("ndvi").equals(before)


def test_a_crash_while_writing_changes_no_answer(
    table: MarkerTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = table.read("ndvi")
    real, written = marker_table._write, []

    def write(path: Path, frame: pl.DataFrame) -> None:
        if written:
            raise OSError
        written.append(path)
        real(path, frame)

    monkeypatch.setattr(marker_table, "_write", write)
    with pytest.raises(OSError):  # noqa: PT011 (a disk error carries no text here)
        table.compact("ndvi", min_parts=1, max_rows=4)
    assert written[0].exists()
    assert table.read("ndvi").equals(before)


def test_series_holds_all_markers_of_one_parcel(table: MarkerTable) -> None:
    table.append("b08", rows([2], 1, mean=0.4), name="d1")
    found = table.series(aa(2))
    assert found["marker"].to_list() == ["b08", "ndvi", "ndvi", "ndvi", "ndvi"]
    assert found["mean"].to_list() == pytest.approx([0.4, 0.0, 0.1, 0.2, 0.3])


def test_one_parcel_is_in_few_row_groups_of_a_compacted_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(marker_table, "ROW_GROUP", 100)
    table = MarkerTable(tmp_path)
    for day in range(20):
        table.append("ndvi", rows(list(range(1000)), day), name=f"d{day:02d}")
    (file,) = table.compact("ndvi")
    metadata = pq.read_metadata(file)
    groups = [metadata.row_group(i).column(0).statistics for i in range(metadata.num_row_groups)]
    assert len(groups) == 200
    assert sum(group.min <= 500 <= group.max for group in groups) == 1
    with pl.Config(verbose=True):
        assert table.series(aa(500)).height == 20
    assert "reading 1 / 200 row groups" in capfd.readouterr().err
