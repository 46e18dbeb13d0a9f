"""Models of real parcels that are kept and judge later, and how early crops are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sen4cap.errors import Conflict, InputRefused

from .demarke import prepare, write_lut

pytestmark = pytest.mark.data

KEY = "SEN4CAP_SECRET_CROP_MODELS_TOKEN"
FAST = ("--set", "num-trees=60", "--set", "block-size=1000", "--set", "pa-min=5")


@pytest.fixture
def data(shared_data: Path) -> Path:
    return shared_data / "nl_demarke_brp2017_ndvi"


def test_a_kept_model(
    terminal: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taught again not a bit changes; it judges every parcel; a forged one is refused."""
    monkeypatch.setenv(KEY, "between us")
    prepare(terminal, data, write_lut(data, tmp_path / "lut.csv"))
    one, two = tmp_path / "one.model", tmp_path / "two.model"
    taught = terminal("crop", "teach", "demarke", "2017", one, *FAST)
    terminal("crop", "teach", "demarke", "2017", two, *FAST)
    assert one.read_bytes() == two.read_bytes()
    assert taught["season"] == "2017"
    assert sum(taught["teachers"].values()) > 1400
    out = tmp_path / "judged.parquet"
    found = terminal("crop", "judge", "demarke", "2017", one, out)
    table = pl.read_parquet(out)
    result, reason = table["CT_pred_1"].is_not_null(), table["reason"] != ""
    assert (result != reason).all()
    assert found["agreement_n"] <= int(result.sum())
    assert found["agreement"] > 0.95, "it was taught by these parcels"
    assert found["missing_features"] == []
    monkeypatch.setenv(KEY, "of somebody else")
    before = out.read_bytes()
    with pytest.raises(InputRefused, match="no signature of this installation"):
        terminal("crop", "judge", "demarke", "2017", one, out)
    assert out.read_bytes() == before
    terminal("crop", "sign", one)
    terminal("crop", "judge", "demarke", "2017", one, out)
    with pytest.raises(Conflict, match="is there already"):
        terminal("crop", "teach", "demarke", "2017", one, *FAST)


def test_crops_are_known_better_later(terminal: Any, data: Path, tmp_path: Path) -> None:
    prepare(terminal, data, write_lut(data, tmp_path / "lut.csv"))
    picture = tmp_path / "curve.png"
    found = terminal("crop", "by-date", "demarke", "2017", "--picture", picture, *FAST)
    days = [item["day"] for item in found]
    assert days == sorted(days)
    assert days[-1] == "2017-12-31"
    assert found[0]["macro_f1"] < found[-1]["macro_f1"]
    assert picture.read_bytes().startswith(b"\x89PNG")
