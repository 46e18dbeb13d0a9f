"""Whom the curve of a parcel is compared with."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest

from sen4cap.app import reports


def test_at_most_so_many_parcels_that_agree_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_PARCELS", 2)
    parcels = gpd.GeoDataFrame(
        {
            "NewID": [9, 4, 3, 1, 2, 5],
            "CT_decl": pd.array([1, 1, 1, 1, 2, 2], "Int32"),
            "CT_pred_1": pd.array([1, 1, 1, 2, 2, pd.NA], "Int32"),
            "CT_decl_name": ["Wheat"] * 4 + ["Grass"] * 2,
        }
    )
    assert reports.references(parcels, 1) == {"declared: Wheat": [3, 4], "predicted: Grass": [2]}
    assert reports.references(parcels, 5) == {"declared: Grass": [2]}
