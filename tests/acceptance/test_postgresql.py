"""PostgreSQL as its operator sees it: psql on the database that `sen4cap db shell` opens."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from pydantic import SecretStr

from sen4cap.app.database import shell_command
from sen4cap.settings import Settings

from .conftest import Terminal

pytestmark = pytest.mark.postgresql

LUT = "ori_crop,ct,lc,ctnuml4a,ctl4a\n1,Wheat,1,1,Wheat\n2,Grass,3,2,Grass\n"
TREES = "processor.s4c_l4a.num-trees"


@pytest.fixture
def office(open_terminal: Callable[..., Terminal], postgresql_url: str, tmp_path: Path) -> Terminal:
    """An installation with a site and two parcels of one hectare and of four."""
    terminal = open_terminal("office", postgresql_url)
    terminal("db", "upgrade")
    terminal("site", "create", "Farm")
    boxes = [shapely.box(0, 0, 100, 100), shapely.box(200, 0, 400, 200)]
    frame = gpd.GeoDataFrame({"id": ["a", "b"], "crop": [1, 2]}, geometry=boxes, crs="EPSG:28992")
    frame.geometry = frame.translate(155_000, 463_000)
    frame.to_file(tmp_path / "fields.gpkg")
    (tmp_path / "lut.csv").write_text(LUT, "utf-8")
    terminal(
        *("lpis", "import", "farm", 2018, tmp_path / "fields.gpkg", "--lut", tmp_path / "lut.csv"),
        *("--parcel-id-cols", "id", "--crop-code-col", "crop"),
    )
    return terminal


@pytest.fixture
def psql(office: Terminal, tmp_path: Path) -> Callable[[str], list[list[str]]]:
    """Rows of a statement, as psql prints them."""
    url = SecretStr(office.url or "")
    settings = Settings(home=tmp_path, database_url=url, archive=None)
    command, environment = shell_command(settings)

    def ask(statement: str) -> list[list[str]]:
        words = [*command, "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        told = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
        return [line.split("\t") for line in told.stdout.splitlines()]

    return ask


def test_the_two_queries_of_every_operator(psql: Callable[[str], Any]) -> None:
    names = dict(psql("select key, friendly_name from config_metadata;"))
    values = dict(psql("select key, value from config where key like '%l4a%';"))
    assert names[TREES] == "Number of trees"
    assert values[TREES] == "300"
    assert all("l4a" in key for key in values)


def test_a_value_set_in_psql_drives_the_next_job_and_survives_an_upgrade(
    office: Terminal, psql: Callable[[str], Any]
) -> None:
    psql(f"update config set value = '120' where key = '{TREES}';")
    office("db", "upgrade")
    assert office("config", "get", TREES)["value"] == "120"
    changed = [row for row in office("config", "list") if row["value"] != row["default_value"]]
    assert [row["key"] for row in changed] == [TREES]


def test_views_show_parcels_that_postgis_reads(psql: Callable[[str], Any]) -> None:
    psql("create extension if not exists postgis;")
    rows = psql(
        'select ori_id, "NewID", round("Area_meters"::numeric), '
        "round(st_area(st_geomfromwkb(wkb_geometry, srid))), ct "
        "from decl_farm_2018 join lut_farm_2018 using (ori_crop) order by ori_id;"
    )
    assert rows == [["a", "1", "10002", "10000", "Wheat"], ["b", "2", "40007", "40000", "Grass"]]


def test_the_database_is_named_and_the_password_is_not_shown() -> None:
    url = SecretStr("postgresql+psycopg://operator:s3cret@db.example:5433/sen4cap")
    command, environment = shell_command(
        Settings(home=Path("/nowhere"), database_url=url, archive=None)
    )
    assert command[1] == "postgresql://operator@db.example:5433/sen4cap"
    assert environment["PGPASSWORD"] == "s3cret"
    assert "s3cret" not in " ".join(command)
