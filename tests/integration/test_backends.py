"""Programs of others, told by stand-ins: what they are given, in which order, and how they fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sen4cap.acquisition.backends import maja, sen2cor, snap
from sen4cap.app.backends import (
    MajaParams,
    Sen2CorParams,
    l2a_maja,
    l2a_sen2cor,
    select_maja,
    select_sen2cor,
)
from sen4cap.app.radar import GridParams, s1_amp_grid
from sen4cap.app.snap import SnapParams, s1_amp_snap, s1_cohe_snap, select_coherence
from sen4cap.domain import Asset, Grid, Product, ProductType, Role, Season, Site
from sen4cap.errors import InputRefused, NotFound, ServiceUnavailable
from sen4cap.processing import Context, Scope, Step
from sen4cap.sources.footprint import of_grid
from sen4cap.testing.formats import write_radar
from sen4cap.testing.programs import GPT, MAJA, SEN2COR, write_program
from sen4cap.testing.rasters import small_grid
from sen4cap.testing.scenes import Scene, write_safe

TIME = datetime(2024, 5, 6, 10, 50, 31, tzinfo=UTC)
SCOPE = Scope("s", "2024", datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
GRID = Grid("31UDS", "EPSG:32631", (20.0, 0.0, 430_000.0, 0.0, -20.0, 5_680_000.0), 60, 60)
L2A = "S2A_MSIL2A_20240506T105031_N0510_R051_T31UDS_20240506T150000"


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    season = Season("s", "2024", date(2024, 1, 1), date(2024, 12, 31))
    return Context(Site("S", "s"), season, tmp_path / "archive")


def l1c(folder: Path, days: int = 0, cloud: float = 10.0, mark: str = "") -> Product:
    start = TIME + timedelta(days=days)
    name = f"S2A_MSIL1C_{start:%Y%m%dT%H%M%S}_N0510_R051_T31UDS_20240601T000000{mark}"
    safe = folder / name / f"{name}.SAFE"
    safe.mkdir(parents=True, exist_ok=True)
    (safe / "MTD_MSIL1C.xml").write_text("<x/>")
    return Product(
        f"{name}_r01234567", "s", ProductType.L1C, "31UDS", start, start, f"{days:032d}",
        (Asset("product", str(safe.parent), Role.DATA),),
        properties={"eo:cloud_cover": cloud, "sat:relative_orbit": 51},
    )  # fmt: skip


def slc(days: float, orbit: int = 139, east: float = 0.0) -> Product:
    start = TIME + timedelta(days=days)
    left, bottom = 2.0 + east, 51.0
    ring = f"{left} {bottom}, {left + 1} {bottom}, {left + 1} 52, {left} 52, {left} {bottom}"
    return Product(
        f"S1A_SLC_{start:%Y%m%d}_{orbit}_{east:g}", "s", ProductType.SLC, "frame", start, start,
        "0" * 32, footprint=f"POLYGON (({ring}))",
        properties={"sat:relative_orbit": orbit, "platform": "sentinel-1a"},
    )  # fmt: skip


def delivered(folder: Path) -> Path:
    """A SAFE folder of level 2A."""
    image = np.full((64, 64), 1500, np.uint16)
    bands = {"B04": image, "B08": image, "SCL": np.full((32, 32), 4, np.uint8)}
    return write_safe(
        folder, Scene(bands, small_grid(64, 64, name="31UDS"), start=TIME, id=L2A), add_offset=-1000
    )


def test_without_a_program_there_is_nothing_to_do(tmp_path: Path) -> None:
    products = [l1c(tmp_path), slc(0), slc(-6)]
    for chosen in (l2a_maja, l2a_sen2cor, s1_amp_snap, s1_cohe_snap):
        assert tuple(chosen.select(chosen.params(), SCOPE, products)) == ()


def test_sen2cor_makes_a_product_and_keeps_its_log(ctx: Context, tmp_path: Path) -> None:
    program = write_program(tmp_path / "L2A_Process", SEN2COR, delivered(tmp_path / "made"))
    gipp = tmp_path / "L2A_GIPP.xml"
    gipp.write_text("<a><DEM_Directory>NONE</DEM_Directory></a>")
    params = Sen2CorParams(program=str(program), gipp_file=str(gipp), dem_folder="/dem")
    (step,) = select_sen2cor(params, SCOPE, [l1c(tmp_path), l1c(tmp_path, 5, cloud=91.0)])
    product = l2a_sen2cor.run(ctx, params, replace(step, revision="1a2b3c4d" + "0" * 24))

    assert product.name == (
        "S2A_MSIL2A_20240506T105031_N0510_R051_T31UDS_20240601T000000_r1a2b3c4d"
    )
    assert (product.type, product.start, product.processor) == (
        ProductType.L2A,
        TIME,
        "l2a_sen2cor/1",
    )
    assert product.asset("B04").offset == pytest.approx(-0.1)
    assert Path(product.asset("B04").href).is_file()
    log = Path(product.asset("log").href).read_text()
    assert "Sen2Cor" in log
    assert "L2A_GIPP.xml" in log
    assert not list(ctx.folder("l2a").glob(".*"))
    written = ctx.folder("l2a", product.name) / gipp.name
    assert written.read_text() == "<a><DEM_Directory>/dem</DEM_Directory></a>"


def test_what_a_program_says_last_is_told(ctx: Context, tmp_path: Path) -> None:
    program = write_program(tmp_path / "L2A_Process", SEN2COR, tmp_path)
    params = Sen2CorParams(program=str(program))
    item = l1c(tmp_path)
    next(tmp_path.rglob("MTD_MSIL1C.xml")).unlink()
    (step,) = select_sen2cor(params, SCOPE, [item])
    with pytest.raises(ServiceUnavailable, match=r"code 1: Product metadata file cannot be read"):
        l2a_sen2cor.run(ctx, params, replace(step, revision="1a2b3c4d" + "0" * 24))
    assert not [path for path in ctx.folder("l2a").iterdir() if not path.name.startswith(".")]
    with pytest.raises(NotFound, match=r"processor\.l2a_sen2cor\.program"):
        l2a_sen2cor.run(ctx, params.model_copy(update={"program": "/no/where"}), step)


def maja_params(tmp_path: Path) -> MajaParams:
    program = write_program(tmp_path / "maja", MAJA, delivered(tmp_path / "made"))
    for folder in ("gipp", "conf", "dem"):
        (tmp_path / folder).mkdir()
    (tmp_path / "gipp" / "S2A_TEST_GIP_L2COMM.EEF").touch()
    (tmp_path / "dem" / "S2__TEST_AUX_REFDE2_T31UDS_0001.HDR").touch()
    return MajaParams(
        program=str(program),
        gipp_folder=str(tmp_path / "gipp"),
        configuration_folder=str(tmp_path / "conf"),
        dem_folder=str(tmp_path / "dem"),
    )


def test_maja_goes_by_date_and_reads_the_product_before(
    ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = maja_params(tmp_path)
    # The stand-in writes a SAFE folder: its place is given as MAJA's own.
    monkeypatch.setattr(maja, "made", lambda outputs, _log: next(outputs.iterdir()))
    late, first, cloudy = l1c(tmp_path, 10), l1c(tmp_path), l1c(tmp_path, 5, cloud=95.0)
    (step,) = select_maja(params, SCOPE, [late, cloudy, first])
    assert step.inputs == (first,)
    made = l2a_maja.run(ctx, params, replace(step, revision="1a2b3c4d" + "0" * 24))
    told = Path(made.asset("log").href).read_text()
    assert "MAJA L2INIT 31UDS" in told
    assert "S2A_TEST_GIP_L2COMM.EEF S2__TEST_AUX_REFDE2_T31UDS_0001.HDR" in told

    before, following = select_maja(params, SCOPE, [late, cloudy, first, made])
    assert before.inputs == (first,)
    assert [item.name for item in following.inputs] == sorted([late.name, made.name])
    second = l2a_maja.run(ctx, params, replace(following, revision="2a2b3c4d" + "0" * 24))
    told = Path(second.asset("log").href).read_text()
    assert f"MAJA L2NOMINAL 31UDS {late.name.rpartition('_r')[0]}.SAFE {L2A}.SAFE" in told


def test_maja_that_refuses_a_scene_is_not_asked_again(ctx: Context, tmp_path: Path) -> None:
    params = maja_params(tmp_path)
    (step,) = select_maja(params, SCOPE, [l1c(tmp_path, mark="_REFUSED")])
    with pytest.raises(InputRefused, match=r"Refused: .*cloud cover is too high"):
        l2a_maja.run(ctx, params, replace(step, revision="1a2b3c4d" + "0" * 24))
    (tmp_path / "dem" / "S2__TEST_AUX_REFDE2_T31UDS_0001.HDR").unlink()
    with pytest.raises(NotFound, match="elevation and water"):
        l2a_maja.run(ctx, params, step)


def test_a_maja_product_that_its_report_calls_not_valid(tmp_path: Path) -> None:
    (tmp_path / "P" / "DATA").mkdir(parents=True)
    (tmp_path / "P" / "P_MTD_ALL.xml").touch()
    log = tmp_path / "log"
    log.write_text("ended")
    assert maja.made(tmp_path, log) == tmp_path / "P"
    (tmp_path / "P" / "DATA" / "P_JPI_ALL.xml").write_text("<Value>L2NOTV</Value>")
    with pytest.raises(InputRefused, match="not valid"):
        maja.made(tmp_path, log)


def test_pairs_are_of_six_days_else_of_twelve() -> None:
    later, six, twelve = slc(12), slc(6), slc(0)
    aside, other = slc(6, east=0.99), slc(6, orbit=37)
    assert snap.earlier_of(later, [six, twelve, aside, other]) == (six,)
    assert snap.earlier_of(later, [twelve, aside, other]) == (twelve,)
    assert snap.earlier_of(later, [slc(7), other]) == ()
    near = slc(6, east=0.5)
    assert snap.earlier_of(later, [near, six]) == (six, near)  # the larger overlap first
    steps = select_coherence(SnapParams(program="gpt"), SCOPE, [later, six, twelve])
    assert [{item.name for item in step.inputs} for step in steps] == [
        {twelve.name, six.name},
        {six.name, later.name},
    ]


def test_graph_of_coherence() -> None:
    path = Path("/a.SAFE")
    root = ET.fromstring(snap.coherence_graph(path, path, Path("/c.tif"), "VH", "EPSG:32631"))
    nodes = {node.get("id"): node for node in root.findall("node")}
    known = {item.get("refid") for node in nodes.values() for item in node.find("sources") or ()}
    assert known <= set(nodes)
    estimate = nodes["coherenceIW2"]
    assert estimate.findtext("parameters/cohWinRg") == "20"
    assert estimate.findtext("parameters/cohWinAz") == "5"
    assert estimate.findtext("parameters/subtractFlatEarthPhase") == "true"
    assert nodes["geocoded"].findtext("parameters/mapProjection") == "EPSG:32631"
    assert [item.get("refid") for item in nodes["merged"].find("sources") or ()] == [
        "deburstIW1",
        "deburstIW2",
        "deburstIW3",
    ]
    assert snap.utm_of("POLYGON ((2 51, 3 51, 3 52, 2 51))") == "EPSG:32631"


def test_snap_then_the_grid_of_the_tile(ctx: Context, tmp_path: Path) -> None:
    raster = write_radar(tmp_path / "gamma0.tif", GRID, np.full((60, 60), 0.08))
    program = write_program(tmp_path / "gpt", GPT, raster)
    params = SnapParams(program=str(program), polarisations="VV")
    safe = tmp_path / "S1A.SAFE"
    safe.mkdir()
    image = replace(slc(0), assets=(Asset("product", str(safe)),), footprint=of_grid(GRID))
    (step,) = s1_amp_snap.select(params, SCOPE, [image])
    raw = s1_amp_snap.run(ctx, params, replace(step, revision="1a2b3c4d" + "0" * 24))

    assert raw.name == "S1A_L2_BCK_20240506T105031_139_frame_r1a2b3c4d"
    assert "Terrain-Flattening" in Path(raw.asset("log").href).read_text()
    (step,) = s1_amp_grid.select(GridParams(tiles="31UDS"), SCOPE, [raw])
    assert step.slot == "s/s1_l2a_amp/31UDS/20240506T105031"
    made = s1_amp_grid.run(ctx, GridParams(), replace(step, revision="2a2b3c4d" + "0" * 24))
    assert (made.grid, made.start, made.parents) == ("31UDS", TIME, (raw.name,))
    assert made.properties["sat:relative_orbit"] == 139
    assert [asset.name for asset in made.assets] == ["VV"]
    assert Path(made.assets[0].href).parent.parent == ctx.folder("s1_l2a_amp")
    assert s1_amp_grid.select(GridParams(), SCOPE, [made]) == ()


def test_sen2cor_without_parameters_uses_its_own() -> None:
    command = sen2cor.arguments("p", Path("/a.SAFE"), Path("/o"), Path("/w"), None)
    assert command == ("p", "--output_dir", "/o", "--work_dir", "/w", "/a.SAFE")


def test_a_step_of_a_pair_needs_both(ctx: Context) -> None:
    params = SnapParams(program="/no/gpt")
    with pytest.raises(NotFound, match=r"processor\.s1_cohe_snap\.program"):
        s1_cohe_snap.run(ctx, params, Step((slc(0), slc(6)), "slot", "0" * 32))
