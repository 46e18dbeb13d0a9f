"""Configuration files of the original: `S4C_L4B_Config_<year>.cfg`.

What they set becomes parameters; what this processor settles elsewhere, or cannot do, is told.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ParserError
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from sen4cap.errors import InvalidParameter
from sen4cap.processors.l4b_mowing.rules import Group, Rules, refusal

PARAMETERS = {
    ("GENERAL_CONFIG", "CTNUM_FILTER"): "ctnum_filter",
    ("GENERAL_CONFIG", "s1_orbit_list_filter"): "s1_orbit_list_filter",
    ("GENERAL_CONFIG", "s1_orbit_type_list_filter"): "s1_orbit_type_list_filter",
    ("GENERAL_CONFIG", "s2_tiles_list_filter"): "s2_tiles_list_filter",
    ("S1_constants", "S1_time_interval"): "S1_time_interval",
    ("S1_constants", "min_cohe_var"): "min_cohe_var",
    ("S1_processing", "pol_types"): "pol_types",
    ("S1_processing", "saturate_sigma"): "saturate_sigma",
    ("S1_processing", "pfa"): "pfa",
    ("S1_processing", "stat_smpl_n"): "stat_smpl_n",
    ("S1_processing", "non_overlap_interval_days"): "s1_non_overlap_interval_days",
    ("S2_processing", "corrupted_th"): "corrupted_th",
    ("S2_processing", "decreasing_abs_th"): "decreasing_abs_th",
    ("S2_processing", "decreasing_rate_th"): "decreasing_rate_th",
    ("S2_processing", "increasing_rate_th"): "increasing_rate_th",
    ("S2_processing", "high_abs_th"): "high_abs_th",
    ("S2_processing", "low_abs_th"): "low_abs_th",
    ("S2_processing", "no_mowing_after_det"): "no_mowing_after_det",
    ("S2_processing", "non_overlap_interval_days"): "s2_non_overlap_interval_days",
}
"""Keys of the processor by section and key of the file."""

FIXED = {
    ("S2_model", "apply_model"): (("False",), "the variant with a modelled envelope is not there"),
    ("S1_processing", "data_types"): (("COHE",), "radar is judged by its coherence alone"),
    ("S2_processing", "prod_type_list"): (("SNDVI",), "optical images are judged by NDVI alone"),
}
"""What a key may say, and why not something else."""

ERODED = "the rim that is left out is a parameter of s4c_mdb1: buffer, sar_buffer"


@dataclass(frozen=True)
class Configured:
    """What a file says."""

    values: Mapping[str, str]
    """Parameters by key of the processor."""
    notes: tuple[str, ...] = field(default=())
    """What has no effect here, and why."""


def read_cfg(text: str) -> Configured:
    """Parameters of a file's text.

    Raises
    ------
    InvalidParameter
        If it is no such file, or asks for what cannot be done.
    """
    parser = ConfigParser(
        interpolation=None,
        strict=False,
        comment_prefixes=(";", "#"),
        inline_comment_prefixes=(";",),
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way
    try:
        parser.read_string(text)
    except ParserError as error:
        raise InvalidParameter(
            f"The file is no configuration: {str(error).splitlines()[0]}."
        ) from error
    if not {section for section, _ in PARAMETERS} & set(parser.sections()):
        raise InvalidParameter(
            "The file has none of the sections of a mowing configuration, such as S2_processing."
        )
    _refuse_others(parser)
    values = {
        key: parser.get(*place).strip()
        for place, key in PARAMETERS.items()
        if parser.has_option(*place)
    }
    rules = _rules(parser)
    if rules.groups:
        values["compliance"] = rules.text
    return Configured(values, tuple(_notes(parser)))


def _refuse_others(parser: ConfigParser) -> None:
    for (section, key), (allowed, why) in FIXED.items():
        value = parser.get(section, key, fallback=allowed[0]).strip()
        if value not in allowed:
            raise InvalidParameter(
                f"'{key} = {value}' in [{section}] cannot be followed: {why}. "
                f"Set it to {allowed[0]}."
            )


def _notes(parser: ConfigParser) -> list[str]:
    eroded = [
        f"'erode_pixels' in [{section}] has no effect here: {ERODED}."
        for section in ("S1_processing", "S2_processing")
        if parser.get(section, "erode_pixels", fallback="0").strip() != "0"
    ]
    columns = parser.get("GENERAL_CONFIG", "ADDITIONAL_COLUMNS", fallback="").strip()
    kept = (
        "'ADDITIONAL_COLUMNS' has no effect here: join the product with the view decl_* by NewID."
    )
    return [*eroded, *([kept] if columns else [])]


def _rules(parser: ConfigParser) -> Rules:
    """Groups of the crops that have the same window and rule."""
    section = "compliancy"
    codes = [code.strip() for code in parser.get(section, "crop_codes", fallback="").split(",")]
    codes = [code for code in codes if code]
    windows = _literal(parser.get(section, "crop_time_intervals", fallback=""))
    rules = _literal(parser.get(section, "crop_rule", fallback=""))
    if not len(codes) == len(windows) == len(rules):
        raise InvalidParameter(
            f"[compliancy] has {len(codes)} crop_codes, {len(windows)} crop_time_intervals and "
            f"{len(rules)} crop_rule: give one of each for every code."
        )
    groups: dict[tuple[tuple[str, str], bool], list[str]] = {}
    for code, window, rule in zip(codes, windows, rules, strict=True):
        groups.setdefault((_window(window), bool(rule)), []).append(code)
    found = [
        Group(crops=tuple(crops), windows=(window,), exclusive=exclusive)
        for (window, exclusive), crops in groups.items()
    ]
    try:
        return Rules(groups=tuple(found))
    except ValidationError as error:
        raise InvalidParameter(f"[compliancy] cannot be used: {refusal(error)}.") from error


def _literal(text: str) -> list[Any]:
    try:
        return list(ast.literal_eval(f"[{text}]"))
    except (ValueError, SyntaxError) as error:
        raise InvalidParameter(f"[compliancy] cannot be read at '{text[:60]}'.") from error


def _window(days: Any) -> tuple[str, str]:
    """A window as MM-DD; its years only tell whether it crosses New Year."""
    try:
        first, last = (datetime.strptime(str(day), "%d/%m/%Y") for day in days)  # noqa: DTZ007 - days
    except (ValueError, TypeError) as error:
        raise InvalidParameter(
            f"[compliancy] has the interval {days!r}: give ('dd/mm/yyyy', 'dd/mm/yyyy')."
        ) from error
    if not 0 <= (last - first).days < 365:
        raise InvalidParameter(
            f"[compliancy] has the interval {days!r}: it must end within a year after its start."
        )
    return f"{first:%m-%d}", f"{last:%m-%d}"
