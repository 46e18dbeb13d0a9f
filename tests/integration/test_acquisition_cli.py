"""Acquisition from the command line, from a folder tree as a source; sites and products go."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from typer.testing import CliRunner

from sen4cap.app.system import session
from sen4cap.cli import app
from sen4cap.store import SqlStore
from sen4cap.testing.acquiring import SEASON, SITE, TILE, scene
from sen4cap.testing.scenes import write_safe

PASSES = 3


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose source `shelf` is a folder with three products."""
    monkeypatch.setenv("SEN4CAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for number in range(PASSES):
        write_safe(tmp_path / "shelf", scene(number), add_offset=-1000)
    (tmp_path / "area.geojson").write_text(json.dumps(_area()))
    area = str(tmp_path / "area.geojson")
    run("site", "create", "Nederland", "--short", SITE, "--area", area)
    run("season", "create", SITE, SEASON, "--start", "2019-05-01", "--end", "2019-09-30")
    run("source", "set", "shelf", "profile", "archive")
    run("source", "set", "shelf", "root", str(tmp_path / "shelf"))
    run("config", "set", "source.s2.primary", "shelf")
    run("config", "set", "source.disk-margin", "0")
    return tmp_path / "home"


def _area() -> dict[str, Any]:
    ring = scene().corners.tolist()
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "250"})
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.stdout


def told(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def listing(*path: object) -> list[str]:
    found = subprocess.run(["ls", *map(str, path)], capture_output=True, text=True, check=True)
    return found.stdout.split()


def test_a_season_is_planned_fetched_shown_and_forgotten(home: Path) -> None:
    planned = told("source", "plan", SITE, SEASON)
    [part] = planned["parts"]
    files = [path for path in (home.parent / "shelf").rglob("*") if path.is_file()]
    assert (part["kind"], part["source"], part["scenes"], part["there"]) == ("l2a", "shelf", 3, 0)
    assert planned["size"] == sum(path.stat().st_size for path in files)
    assert planned["fits"]
    assert told("product", "list", SITE) == []
    assert "3 scenes, 0 there already" in run("source", "plan", SITE, SEASON)

    done = told("source", "fetch", SITE, "--wait")
    assert (done["found"], done["new"], len(done["jobs"]), done["holes"]) == (3, 3, 1, 0)
    shown = told("ledger", "show", SITE, "--season", SEASON)
    assert [(item["stage"], item["state"], item["code"]) for item in shown][1:] == [
        ("l2a", "downloaded", 2),
        ("l3b", "planned", None),
        *[("l2a", "downloaded", 2), ("l3b", "planned", None)] * 2,
    ]
    assert "There are no holes" in run("ledger", "show", SITE, "--holes")
    assert told("source", "plan", SITE, SEASON)["parts"][0]["there"] == 3

    names = [item["id"] for item in told("product", "list", SITE) if item["collection"] == "l2a"]
    item = json.loads((home / "archive" / SITE / "l2a" / names[0] / f"{names[0]}.json").read_text())
    assert item["id"] == names[0]
    assert item["properties"]["sen4cap:slot"] == f"{SITE}/l2a/{TILE}/20190503T105031"
    assert told("product", "remove", names[0])["outdated"] == {}
    assert listing(home / "archive" / SITE / "l2a") == sorted(names[1:])


def test_the_listings_of_the_originals_training(home: Path) -> None:
    run("config", "set", "archive.compatibility_links", "true")
    run("source", "fetch", SITE, "--wait")
    run("run", "l3b", SITE, SEASON)
    archive = home / "archive"
    found = listing(archive / "maccs_def" / SITE / "l2a")
    assert len(found) == PASSES
    assert found == listing(archive / SITE / "l2a")
    assert all(name.startswith("S2A_MSIL2A_2019") for name in found)
    assert listing(archive / SITE / "l2a-s1") == []
    assert len(listing(archive / SITE / "l3b")) == PASSES
    assert all(name.startswith("S2AGRI_L3B_PRD_S") for name in listing(archive / SITE / "l3b"))
    assert {"l2a", "l2a-s1", "l3b"} <= set(listing(archive / SITE))


def test_a_deleted_site_leaves_no_row_and_no_folder(home: Path) -> None:
    run("config", "set", "archive.compatibility_links", "true")
    run("source", "fetch", SITE, "--wait")
    run("run", "l3b", SITE, SEASON)
    run("config", "set", "source.mode", "mirror", "--site", SITE)
    run("site", "create", "Other", "--short", "other")
    before = rows()
    assert before["ledger"] > 0
    run("site", "delete", SITE, "--yes")
    left = {name: count for name, count in rows().items() if count}
    kept = {"site", "config", "config_metadata", "config_category", "processor", "product_type"}
    assert set(left) == {*kept, "alembic_version"}
    assert left["site"] == 1
    assert left["config"] == before["config"] - 1
    assert listing("-A", home / "archive") == ["maccs_def"]
    assert listing("-A", home / "archive" / "maccs_def") == []


def rows() -> dict[str, int]:
    """Rows in each table."""
    with session() as here:
        assert isinstance(here.store, SqlStore)
        with here.store.engine.connect() as connection:
            names = inspect(connection).get_table_names()
            return {
                name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()
                for name in names
            }
