"""The published networks of biophysical variables: numbers with their provenance, as package data.

`s2toolbox_*` are those of SNAP 3.0 (20 m, 10 m with three bands, Landsat 8), `s2toolbox21_s2` those
of SNAP 2.1, `sen4cap_*` those the original runs. Each file says where its numbers are from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sen4cap.kernels.biophysical import Network, Unit

LANDSAT = "l8"


class Model(StrEnum):
    """A family of networks."""

    S2TOOLBOX = "s2toolbox"
    """SNAP 3.0: eight bands of Sentinel-2; Landsat."""
    S2TOOLBOX_10M = "s2toolbox-10m"
    """SNAP 3.0: three bands of Sentinel-2; LAI, FAPAR and FCOVER."""
    S2TOOLBOX_21 = "s2toolbox-2.1"
    """SNAP 2.1: eight bands of Sentinel-2."""
    SEN4CAP = "sen4cap"
    """The original: nine bands of Sentinel-2, Landsat; LAI, FAPAR and FCOVER."""
    SEN4CAP_REDEDGE = "sen4cap-rededge"
    """The original's other set: seven bands of Sentinel-2."""


_S2A, _S2B = "s2a", "s2b"
_SENSORS = {
    "sentinel-2a": _S2A,
    "sentinel-2b": _S2B,
    "sentinel-2c": _S2B,  # upstream has the same numbers for both
    "sentinel-2d": _S2B,
}
_FILES: Mapping[Model, Mapping[str, str]] = {
    Model.S2TOOLBOX: {
        _S2A: "s2toolbox_s2a",
        _S2B: "s2toolbox_s2b",
        LANDSAT: "s2toolbox_l8",
    },
    Model.S2TOOLBOX_10M: {_S2A: "s2toolbox_10m_s2a", _S2B: "s2toolbox_10m_s2b"},
    Model.S2TOOLBOX_21: dict.fromkeys((_S2A, _S2B), "s2toolbox21_s2"),
    Model.SEN4CAP: {_S2A: "sen4cap_s2", _S2B: "sen4cap_s2", LANDSAT: "sen4cap_l8"},
    Model.SEN4CAP_REDEDGE: dict.fromkeys((_S2A, _S2B), "sen4cap_rededge_s2"),
}


def network_for(model: Model, platform: str | None) -> Network | None:
    """The networks of a family for a platform (`sentinel-2a`); None where it has none.

    A platform that is not known counts as Sentinel-2A.
    """
    name = (platform or "").lower()
    sensor = LANDSAT if name.startswith("landsat") else _SENSORS.get(name, _S2A)
    file = _FILES[model].get(sensor)
    return None if file is None else _read(file)


@cache
def _read(name: str) -> Network:
    from sen4cap.kernels.biophysical import fold

    told = json.loads(files(__name__).joinpath(f"{name}.json").read_text("utf-8"))
    domain = told["domain"]
    return fold(
        name,
        told["bands"],
        {variable: _unit(values) for variable, values in told["variables"].items()},
        (np.array(domain["low"]), np.array(domain["high"]), np.array(domain["cells"], np.int64)),
        keeps_near=name.startswith("sen4cap"),
    )


def _unit(told: Mapping[str, Any]) -> Unit:
    from sen4cap.kernels.biophysical import Unit

    return Unit(
        inputs=np.array(told["inputs"]),
        hidden_weights=np.array(told["hidden_weights"]),
        hidden_bias=np.array(told["hidden_bias"]),
        output_weights=np.array(told["output_weights"]),
        output_bias=told["output_bias"],
        output=np.array(told["output"]),
        limits=np.array(told["limits"]),
        tolerance=told["tolerance"],
    )
