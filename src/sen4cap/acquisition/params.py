"""Settings of acquisition: from when on, how often, from where, and what is left out.

Keys and defaults are the original's where the meaning is the same. It looked back no day, and so
never found what a source listed late; here ten days are looked back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sen4cap.domain import ProductType
from sen4cap.processing import Params, parameter

CATEGORY = "Acquisition"
SENSORS = ("s2", "l8", "s1")


class Mode(StrEnum):
    """What is done with the files of a scene."""

    AUTO = "auto"
    """Read in place where they can be, else fetched."""
    STREAM = "stream"
    MIRROR = "mirror"


def _enabled(sensor: str, name: str) -> Any:
    return parameter(
        True,
        title=f"Acquire {name}",
        description=f"Whether scenes of {name} are looked for and fetched.",
        key=f"downloader.{sensor}.enabled",
    )


def _days_back(sensor: str, name: str) -> Any:
    return parameter(
        10,
        title=f"Look-back of {name}",
        description=f"Days before the newest known scene of {name} that are asked for again, to "
        "find what was listed late.",
        unit="d",
        key=f"downloader.{sensor}.query.days.back",
        ge=0,
        le=731,
    )


def _max_retries(sensor: str, name: str) -> Any:
    return parameter(
        3,
        title=f"Tries of {name}",
        description=f"How often a scene of {name} is tried at one source before the fallback.",
        key=f"downloader.{sensor}.max-retries",
        ge=1,
        le=100,
    )


def _orbits(sensor: str, name: str) -> Any:
    return parameter(
        "",
        title=f"Orbits of {name}",
        description=f"Comma list of the relative orbits of {name} that are wanted; empty is all.",
        key=f"downloader.{sensor}.orbits",
    )


def _source(sensor: str, name: str, turn: str) -> Any:
    told = "is asked first; empty: it is not acquired" if turn == "primary" else "stands in for it"
    return parameter(
        "",
        title=f"{turn.capitalize()} source of {name}",
        description=f"Name of the source of {name} that {told}.",
        key=f"source.{sensor}.{turn}",
    )


class AcquisitionParams(Params):
    """From when on, how often, from where, and what is left out; keys are whole."""

    enabled: bool = parameter(
        True,
        title="Acquire",
        description="Whether scenes are looked for and fetched at all.",
        key="downloader.enabled",
    )
    max_cloud: float = parameter(
        100.0,
        title="Most clouds",
        description="Scenes with more clouds than this are left out.",
        unit="%",
        key="downloader.max-cloud-coverage",
        ge=0,
        le=100,
    )
    start_offset: int = parameter(
        2,
        title="Lead time",
        description="Months before a season from which optical scenes are wanted.",
        unit="months",
        key="downloader.start.offset",
        ge=0,
        le=24,
    )
    pair_days: int = parameter(
        12,
        title="Lead time of radar",
        description="Days before a season from which radar scenes are wanted, so that the first "
        "one finds its pair.",
        unit="d",
        key="processor.l2s1.temporal.offset",
        ge=0,
        le=60,
    )
    interval: int = parameter(
        60,
        title="Interval",
        description="Time from one question to the sources to the next.",
        unit="min",
        key="downloader.interval",
        ge=1,
        le=10_080,
    )
    s2_enabled: bool = _enabled("s2", "Sentinel-2")
    l8_enabled: bool = _enabled("l8", "Landsat")
    s1_enabled: bool = _enabled("s1", "Sentinel-1")
    s2_days_back: int = _days_back("s2", "Sentinel-2")
    l8_days_back: int = _days_back("l8", "Landsat")
    s1_days_back: int = _days_back("s1", "Sentinel-1")
    s2_max_retries: int = _max_retries("s2", "Sentinel-2")
    l8_max_retries: int = _max_retries("l8", "Landsat")
    s1_max_retries: int = _max_retries("s1", "Sentinel-1")
    s2_orbits: str = _orbits("s2", "Sentinel-2")
    l8_orbits: str = _orbits("l8", "Landsat")
    s1_orbits: str = _orbits("s1", "Sentinel-1")
    s2_primary: str = _source("s2", "Sentinel-2", "primary")
    s2_fallback: str = _source("s2", "Sentinel-2", "fallback")
    l8_primary: str = _source("l8", "Landsat", "primary")
    l8_fallback: str = _source("l8", "Landsat", "fallback")
    s1_primary: str = _source("s1", "Sentinel-1", "primary")
    s1_fallback: str = _source("s1", "Sentinel-1", "fallback")
    s2_products: str = parameter(
        "l2a",
        title="Products of Sentinel-2",
        description="Comma list of what is wanted of Sentinel-2: l2a, l1c.",
        key="source.s2.products",
        advanced=True,
    )
    l8_products: str = parameter(
        "l2a",
        title="Products of Landsat",
        description="Comma list of what is wanted of Landsat: l2a.",
        key="source.l8.products",
        advanced=True,
    )
    s1_products: str = parameter(
        "s1_l2a_amp,s1_l2a_cohe",
        title="Products of Sentinel-1",
        description="Comma list of what is wanted of Sentinel-1: s1_l2a_amp, s1_l2a_cohe, slc.",
        key="source.s1.products",
        advanced=True,
    )
    mode: Mode = parameter(
        Mode.AUTO,
        title="Stream or mirror",
        description="Whether files are read where they lie (stream), fetched into the archive "
        "(mirror), or read in place only where the source serves cloud-optimised files (auto).",
        key="source.mode",
    )
    margin: int = parameter(
        10,
        title="Disk to keep free",
        description="Nothing is fetched that would leave less than this on the archive's disk.",
        unit="GB",
        key="source.disk-margin",
        ge=0,
        le=1_000_000,
    )
    compatibility_links: bool = parameter(
        False,
        title="Original's folders",
        description="Whether links stand where the original has its folders: "
        "maccs_def/<site>/l2a and <site>/l2a-s1.",
        key="archive.compatibility_links",
    )


PLATFORMS = {"s2": "sentinel-2", "l8": "landsat", "s1": "sentinel-1"}
"""Platform of a `Request` by sensor."""


def wanted(params: AcquisitionParams, sensor: str) -> tuple[ProductType, ...]:
    """What is wanted of a sensor; nothing where it is off or has no source."""
    is_on = params.enabled and getattr(params, f"{sensor}_enabled")
    if not is_on or not sources_of(params, sensor):
        return ()
    names = getattr(params, f"{sensor}_products").split(",")
    return tuple(ProductType(name.strip()) for name in names if name.strip())


def sources_of(params: AcquisitionParams, sensor: str) -> tuple[str, ...]:
    """Names of the primary source and of the fallback of a sensor; none without a primary."""
    primary = getattr(params, f"{sensor}_primary").strip()
    fallback = getattr(params, f"{sensor}_fallback").strip()
    found = [primary, fallback] if primary else []
    return tuple(dict.fromkeys(name for name in found if name))


def orbits_of(params: AcquisitionParams, sensor: str) -> tuple[int, ...]:
    """Relative orbits that are wanted of a sensor; none means all."""
    listed = getattr(params, f"{sensor}_orbits").split(",")
    return tuple(int(text) for text in listed if text.strip())
