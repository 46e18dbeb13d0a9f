"""Names of radar rasters; orbits are checked against the manifests of real products."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sen4cap.domain import ProductType
from sen4cap.sources.orbits import direction_of, platform_of, relative_orbit
from sen4cap.sources.radar_names import Radar, Stored, described, power_of, tags_of

RTC = "S1A_IW_20210809T173953_DVP_RTC20_G_gauned_6FF8"
PAIR = "S1BA_20210803T173911_20210809T173953_VVP006_INT40_G_ueF_1A2B"
DAY = date(2021, 8, 9)
GRANULE = "S1A_IW_SLC__1SDV_20210809T173952_20210809T174019_039156_049F13_0EAC"


def at(path: Path, **tags: str) -> Radar:
    found = described(path, tags)
    assert found is not None
    return found


@pytest.mark.data
def test_relative_orbits_of_real_manifests(shared_data: Path) -> None:
    manifests = sorted((shared_data / "sentinel_metadata_samples").rglob("S1*/manifest.safe"))
    assert len(manifests) == 4
    space = "{http://www.esa.int/safe/sentinel-1.0}"
    for path in manifests:
        root = ET.parse(path).getroot()
        absolute, relative = (
            int(next(root.iter(f"{space}{tag}")).text or "")
            for tag in ("orbitNumber", "relativeOrbitNumber")
        )
        assert relative_orbit(platform_of(path.parent.name[:3]), absolute, DAY) == relative


def test_relative_orbits_of_sentinel_2_as_in_product_names() -> None:
    # Absolute orbits of granule folders and R numbers of the products they are in.
    known = [("a", 32448, 133), ("a", 19029, 13), ("a", 42640, 29), ("b", 26649, 25)]
    for letter, absolute, relative in known:
        assert relative_orbit(f"sentinel-2{letter}", absolute, DAY) == relative
    assert relative_orbit("sentinel-2b", 20270, DAY) == 81
    assert relative_orbit("sentinel-2c", 1, DAY) is None


def test_sentinel_1c_is_not_guessed_while_it_moves() -> None:
    # 5000 - 172 = 27 × 175 + 103; 9000 - 99 = 50 × 175 + 151
    assert relative_orbit("sentinel-1c", 5000, date(2025, 11, 1)) == 104
    assert relative_orbit("sentinel-1c", 8200, date(2026, 6, 15)) is None
    assert relative_orbit("sentinel-1c", 9000, date(2026, 8, 1)) == 152


def test_direction_by_the_hour() -> None:
    # The manifests of the GRD (Italy, evening) and the SLC (Caspian coast, morning, 51 E).
    assert direction_of(datetime(2021, 8, 9, 17, 39, tzinfo=UTC), 12.0) == "ascending"
    assert direction_of(datetime(2014, 10, 31, 2, 59, tzinfo=UTC), 51.0) == "descending"


def test_opera(tmp_path: Path) -> None:
    name = "OPERA_L2_RTC-S1_T015-031234-IW2_20240501T055012Z_20240501T101112Z_S1A_30_v1.0_VH.tif"
    found = at(tmp_path / name, ORBIT_PASS_DIRECTION="Descending")
    assert (found.kind, found.quantity, found.stored) == (
        ProductType.S1_AMP,
        "gamma0",
        Stored.POWER,
    )
    assert (found.orbit, found.platform, found.polarisation) == (15, "sentinel-1a", "VH")
    assert found.start == datetime(2024, 5, 1, 5, 50, 12, tzinfo=UTC)
    assert found.direction == "descending"
    assert at(tmp_path / name, orbit_pass_direction="A").direction == "ascending"
    assert described(tmp_path / name.replace("VH", "mask"), {}) is None


def test_hyp3_backscatter_takes_its_orbit_from_the_text_beside(tmp_path: Path) -> None:
    assert at(tmp_path / f"{RTC}_VV.tif").orbit is None
    (tmp_path / f"{RTC}.README.md.txt").write_text(f"Source granule:\n{GRANULE}\n")
    found = at(tmp_path / f"{RTC}_VV.tif")
    assert (found.orbit, found.stored, found.quantity) == (59, Stored.AMPLITUDE, "gamma0")
    decibel = at(tmp_path / f"{RTC.replace('gauned', 'sdufed')}_VH.tif")
    assert (decibel.stored, decibel.quantity) == (Stored.DECIBEL, "sigma0")


def test_hyp3_pair(tmp_path: Path) -> None:
    (tmp_path / f"{PAIR}.txt").write_text(
        f"Reference Granule: {GRANULE}\nReference Pass Direction: ASCENDING\nBaseline: -58.39\n"
    )
    found = at(tmp_path / f"{PAIR}_corr.tif")
    assert found.kind == ProductType.S1_COHE
    assert (found.first_platform, found.platform) == ("sentinel-1b", "sentinel-1a")
    assert (found.baseline_days, found.orbit, found.direction) == (6, 59, "ascending")
    assert found.perpendicular_baseline == -58.39


def test_hyp3_burst_pair_over_twelve_days(tmp_path: Path) -> None:
    name = "S1_064_000000s1n00-136231s2n02-000000s3n00_IW_20200604_20200616_VV_INT80_77F1_corr.tif"
    found = at(tmp_path / name)
    assert (found.orbit, found.baseline_days, found.time_known) == (64, 12, False)


def test_the_original_s_first_scheme_stores_amplitudes(tmp_path: Path) -> None:
    stem = "SEN4CAP_L2A_S3_V20190507T054009_20190501T054050_VH_139_"
    amplitude, coherence = (at(tmp_path / f"{stem}{kind}.tif") for kind in ("AMP", "COHE"))
    assert (amplitude.stored, amplitude.quantity) == (Stored.AMPLITUDE, "sigma0")
    assert amplitude.start == coherence.start == datetime(2019, 5, 7, 5, 40, 9, tzinfo=UTC)
    assert (coherence.baseline_days, coherence.orbit) == (6, 139)
    assert amplitude.first is None


def test_the_original_s_second_scheme_and_what_we_write(tmp_path: Path) -> None:
    found = at(
        tmp_path / "S1A_L2_COH_20190501_20190507T054009_VV_139_31UDS_r0123abcd.tif",
        platforms="sentinel-1b sentinel-1a",
        orbit_state="descending",
    )
    assert (found.tile, found.orbit, found.baseline_days) == ("31UDS", 139, 6)
    assert (found.first_platform, found.platform) == ("sentinel-1b", "sentinel-1a")
    again = at(found.path, **tags_of(found))
    assert again == found


def test_numbers_become_power() -> None:
    stored = np.array([0.2, 0.0, -1.0, np.nan], np.float32)
    assert power_of(Stored.AMPLITUDE)(stored)[0] == pytest.approx(0.04)
    assert power_of(Stored.POWER)(stored)[0] == pytest.approx(0.2)
    assert np.isnan(power_of(Stored.POWER)(stored)[1:]).all()
    decibel = power_of(Stored.DECIBEL)(np.array([-10.0, np.nan], np.float32))
    assert decibel[0] == pytest.approx(0.1)
    assert np.isnan(decibel[1])
