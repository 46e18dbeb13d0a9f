"""Parameters of the mowing processor.

Keys and defaults are the original's, of its database and of its configuration file; where that
uses one name in two sections, the name begins with the sensor.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from pydantic import field_validator

from sen4cap.processing import Params, parameter
from sen4cap.processors.l4b_mowing.rules import parsed_rules

ID, VERSION = "s4c_l4b", "2"


class Method(StrEnum):
    """Ways to find mowing."""

    EVENTS = "events"
    """Candidates of both sensors, judged by trees; any number of events, calibrated."""
    SEN4CAP = "sen4cap"
    """The original's rules: fall of NDVI, jump of coherence."""


class Sensors(StrEnum):
    """Sensors that are used, under the original's names."""

    BOTH = "S1_S2"
    S1 = "S1"
    S2 = "S2"


class Polarisation(StrEnum):
    """Polarisations whose coherence is used."""

    VH = "VH"
    VV = "VV"
    BOTH = "VH, VV"


class MowingParams(Params):
    """What a user may change."""

    method: Method = parameter(
        Method.EVENTS,
        title="Method",
        description="How mowing is found: 'events' judges whatever may be one, with a calibrated "
        "probability; 'sen4cap' follows the original's rules.",
    )
    undecided: bool = parameter(
        False,
        title="Leave in doubt",
        description="Whether events that leave the number of mowings of a parcel open are kept as "
        "undecided ('events' only).",
    )
    input_product_types: Sensors = parameter(
        Sensors.BOTH,
        key="input_product_types",
        title="Sensors",
        description="Which sensors are used.",
    )
    start_date: str = parameter(
        "",
        key="start_date",
        title="First day",
        description="First day of detection, YYYYMMDD; empty is the start of the season.",
    )
    end_date: str = parameter(
        "",
        key="end_date",
        title="Last day",
        description="Last day of detection, YYYYMMDD; empty is the end of the season.",
    )
    s1_s2_startdate_diff: int = parameter(
        0,
        key="s1_s2_startdate_diff",
        title="Earlier start of S1",
        description="Days by which radar is looked at earlier than optical images.",
        unit="days",
        ge=0,
        le=365,
    )
    ctnum_filter: str = parameter(
        "",
        key="ctnum_filter",
        title="Monitored land uses",
        description="Numbers 'ctnum' of the crop table that are monitored, separated by commas; "
        "empty is grassland: land cover 3, or permanent or temporary grassland.",
    )
    monitored_crops: str = parameter(
        "",
        title="Monitored crop codes",
        description="Declared crop codes that are monitored, separated by commas; empty is as the "
        "land uses say.",
    )
    compliance: str = parameter(
        "",
        title="Compliance rules",
        description="Rules per group of crop codes as JSON; 'sen4cap mowing rules' sets them from "
        "a file.",
    )
    s1_orbit_list_filter: str = parameter(
        "",
        key="s1_orbit_list_filter",
        title="Orbits of S1",
        description="Relative orbits that are used, separated by commas; empty is all.",
        advanced=True,
    )
    s1_orbit_type_list_filter: str = parameter(
        "",
        key="s1_orbit_type_list_filter",
        title="Passes of S1",
        description="Passes that are used, ASC or DESC, separated by commas; empty is both.",
        advanced=True,
    )
    s2_tiles_list_filter: str = parameter(
        "",
        key="s2_tiles_list_filter",
        title="Tiles of S2",
        description="Tiles that are used, separated by commas; empty is all.",
        advanced=True,
    )
    decreasing_abs_th: float = parameter(
        0.12,
        key="decreasing_abs_th",
        title="Least fall",
        description="NDVI has to fall by more between two clear dates.",
        ge=0,
        le=2,
    )
    decreasing_rate_th: float = parameter(
        -1e-6,
        key="decreasing_rate_th",
        title="Least rate of fall",
        description="Change of NDVI per day has to be below.",
        unit="1/day",
        ge=-1,
        le=1,
        advanced=True,
    )
    increasing_rate_th: float = parameter(
        0.05,
        key="increasing_rate_th",
        title="Rate of rebound",
        description="Where NDVI rises again at this rate, the fall was a cloud.",
        unit="1/day",
        ge=0,
        le=2,
    )
    high_abs_th: float = parameter(
        0.75,
        key="high_abs_th",
        title="Highest NDVI after",
        description="NDVI has to end below.",
        ge=-1,
        le=1,
    )
    low_abs_th: float = parameter(
        0.5,
        key="low_abs_th",
        title="Lowest NDVI before",
        description="NDVI has to start above.",
        ge=-1,
        le=1,
    )
    corrupted_th: float = parameter(
        0.1,
        key="corrupted_th",
        title="Corrupted below",
        description="NDVI below is taken for missing.",
        ge=-1,
        le=1,
        advanced=True,
    )
    no_mowing_after_det: int = parameter(
        30,
        key="no_mowing_after_det",
        title="Longest interval",
        description="Intervals of optical events are cut to so many days before their end.",
        unit="days",
        ge=1,
        le=366,
    )
    s2_non_overlap_interval_days: int = parameter(
        45,
        key="s2_non_overlap_interval_days",
        title="Distance of optical events",
        description="Of optical events closer than this the more confident one stays.",
        unit="days",
        ge=0,
        le=366,
    )
    s1_non_overlap_interval_days: int = parameter(
        28,
        key="s1_non_overlap_interval_days",
        title="Distance of events",
        description="Of events closer than this, radar included, the more confident one stays.",
        unit="days",
        ge=0,
        le=366,
    )
    pol_types: Polarisation = parameter(
        Polarisation.VH,
        key="pol_types",
        title="Polarisations",
        description="Whose coherence is looked at; of both the one that jumps more.",
    )
    pfa: float = parameter(
        3e-8,
        key="pfa",
        title="False alarm rate",
        description="Probability that coherence jumps by chance, if its noise were normal.",
        ge=1e-15,
        le=0.5,
    )
    stat_smpl_n: int = parameter(
        5,
        key="stat_smpl_n",
        title="Pairs of history",
        description="Number of pairs through which the line is laid that coherence jumps from.",
        ge=2,
        le=50,
        advanced=True,
    )
    min_cohe_var: float = parameter(
        0.024,
        key="min_cohe_var",
        title="Least variance of coherence",
        description="Of one pixel; that of a parcel is so much over its pixels.",
        ge=0,
        le=1,
        advanced=True,
    )
    saturate_sigma: bool = parameter(
        True,
        key="saturate_sigma",
        title="Use the least variance",
        description="Whether the noise of coherence is at least that of its least variance.",
        advanced=True,
    )
    s1_time_interval: int = parameter(
        6,
        key="S1_time_interval",
        title="Days of a pair",
        description="Of pairs of radar images that do not tell it.",
        unit="days",
        ge=1,
        le=366,
        advanced=True,
    )
    max_events: int = parameter(
        4,
        title="Most events",
        description="The most confident ones that the rules keep of a parcel.",
        ge=1,
        le=4,
        advanced=True,
    )

    shapefile: bool = parameter(
        True,
        title="Shapefile",
        description="Whether the shapefile of the original is written beside the GeoPackage; it "
        "takes most of the time where there are very many parcels.",
        advanced=True,
    )

    @field_validator("start_date", "end_date")
    @classmethod
    def _days(cls, value: str) -> str:
        if not value:
            return value
        try:
            return f"{datetime.strptime(value.replace('-', ''), '%Y%m%d'):%Y%m%d}"  # noqa: DTZ007 - a day
        except ValueError as error:
            raise ValueError("give a day as YYYYMMDD") from error

    @field_validator("ctnum_filter", "s1_orbit_list_filter")
    @classmethod
    def _numbers(cls, value: str) -> str:
        if not all(item.isdecimal() for item in listed(value)):
            raise ValueError("give whole numbers separated by commas")
        return value

    @field_validator("s1_orbit_type_list_filter")
    @classmethod
    def _passes(cls, value: str) -> str:
        if not set(listed(value)) <= {"ASC", "DESC"}:
            raise ValueError("give ASC, DESC or both separated by a comma")
        return value

    @field_validator("compliance")
    @classmethod
    def _rules(cls, value: str) -> str:
        parsed_rules(value)
        return value

    @property
    def first_day(self) -> date | None:
        """First day of detection, where one is given."""
        return day_of(self.start_date)

    @property
    def last_day(self) -> date | None:
        """Last day of detection, where one is given."""
        return day_of(self.end_date)


def listed(text: str) -> tuple[str, ...]:
    """The items of a list that is separated by commas."""
    return tuple(item for item in (part.strip() for part in text.split(",")) if item)


def day_of(text: str) -> date | None:
    """The day YYYYMMDD; None of an empty text."""
    return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text else None
