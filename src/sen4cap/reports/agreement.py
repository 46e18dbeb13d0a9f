"""What the accuracy document of a crop type map says, for its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sen4cap.reports.figures import Measured, class_plot, reliability_plot
from sen4cap.reports.words import data_url


def figures_of(accuracy: Mapping[str, Any]) -> dict[str, Any]:
    """Tables and pictures of an accuracy document; what it lacks is empty."""
    calibration = accuracy.get("calibration")
    classes = accuracy.get("per_class", [])
    return {
        "confusion": _confusion(accuracy),
        "per_class": sorted(classes, key=lambda item: -item["hectares"]),
        "class_source": data_url(class_picture(classes)) if classes else "",
        "per_size": accuracy.get("per_size", []),
        "lights": accuracy.get("lights", []),
        "groups": accuracy.get("groups", []),
        "calibration": calibration,
        "reliability_source": data_url(_reliability(calibration["bins"])) if calibration else "",
    }


def class_picture(classes: Sequence[Mapping[str, Any]]) -> bytes:
    """PNG of the F1 of each class, from `per_class` of an accuracy document."""
    return class_plot([_measured(item) for item in classes])


def _measured(item: Mapping[str, Any]) -> Measured:
    value, (low, high) = item["f1"], item["f1_interval"] or (np.nan, np.nan)
    return Measured(item["name"], np.nan if value is None else value, low, high, item["hectares"])


def _reliability(bins: Sequence[Mapping[str, Any]]) -> bytes:
    said, came = ([item[name] for item in bins] for name in ("said", "came"))
    return reliability_plot(said, came, [item["interval"] for item in bins])


def _confusion(accuracy: Mapping[str, Any]) -> dict[str, Any]:
    """Rows predicted, columns declared; heat is the share of the declared class, 0-1."""
    counts = np.asarray(accuracy.get("confusion", []), dtype=np.float64)
    names = [str(item["name"]) for item in accuracy.get("classes", [])]
    if counts.ndim != 2:
        return {"names": [], "rows": []}
    totals = counts.sum(axis=0)
    heat = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    cells = [
        [(int(count), float(share)) for count, share in zip(row, shares, strict=True)]
        for row, shares in zip(counts, heat, strict=True)
    ]
    rows = zip(names, cells, counts.sum(axis=1).astype(int).tolist(), strict=True)
    return {"names": names, "rows": list(rows), "totals": totals.astype(int).tolist()}
