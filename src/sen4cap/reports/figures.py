"""Figures of reports, as bytes. No state is kept: each figure is drawn on its own canvas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Any

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MonthLocator
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline

from sen4cap.geo.style import NO_CLASS

INK, QUIET = "#1d2b33", "#6b7a83"
BLUE, ORANGE = "#0072b2", "#d55e00"
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
"""Patterns that tell classes apart without colour, in turn."""
MAP_WIDTH, MAP_DPI = 9.4, 120
"""Inches, and dots per inch."""
AT_ONCE = 2000
"""Polygons drawn as one path; Agg refuses paths of too many cells."""
MOST_PATTERNED = 4000
"""Parcels above which a map has no patterns and no borders: they would be smaller than both."""


def _fixed_style() -> AbstractContextManager[None]:
    """Fonts of figures; texts of an SVG stay texts, and its ids are the same each time."""
    return mpl.rc_context({"font.size": 9.0, "svg.fonttype": "none", "svg.hashsalt": "sen4cap"})


@dataclass(frozen=True)
class MapClass:
    """One entry of a map's legend."""

    code: int | str
    """Value of the column that is drawn."""
    name: str
    colour: str


@dataclass(frozen=True)
class Measured:
    """A figure between 0 and 1 of a class, with its interval."""

    name: str
    value: float
    low: float
    high: float
    weight: float
    """Area that is declared as the class, hectares."""


def class_plot(classes: Sequence[Measured]) -> bytes:
    """PNG of the F1 of each class with its interval, the largest class first.

    A line tells the share of the area that the classes so far make up.
    """
    ordered = sorted(classes, key=lambda item: -item.weight)
    place = np.arange(len(ordered))
    value, low, high, weight = (
        np.array([getattr(item, name) for item in ordered], dtype=np.float64)
        for name in ("value", "low", "high", "weight")
    )
    bounds = np.nan_to_num([value - low, high - value])
    with _fixed_style():
        figure = Figure((MAP_WIDTH, 3.9))
        axes = figure.add_subplot()
        axes.bar(place, np.nan_to_num(value), width=0.62, color=BLUE, label="F1")
        axes.errorbar(
            place, np.nan_to_num(value), yerr=bounds.clip(0), fmt="none", ecolor=INK, lw=1.2,
            capsize=3, label="95 % interval",
        )  # fmt: skip
        share = np.cumsum(weight) / max(weight.sum(), 1e-9)
        axes.plot(place, share, "o--", color=ORANGE, ms=4, lw=1.4, label="share of the area so far")
        names = [item.name for item in ordered]
        axes.set_xticks(place, names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_ylim(0, 1.05)
        _plain(axes)
        return _png(figure)


def reliability_plot(
    said: Sequence[float], came: Sequence[float], bounds: Sequence[tuple[float, float]]
) -> bytes:
    """PNG of how often predictions are right, by how sure they are.

    `said`, `came`: mean confidence and share that is right of each bin, `bounds`: its interval.
    """
    right = np.asarray(came, dtype=np.float64)
    low, high = np.asarray(bounds, dtype=np.float64).reshape(-1, 2).T
    with _fixed_style():
        figure = Figure((4.6, 4.4))
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=QUIET, lw=1, label="as sure as right")
        axes.errorbar(
            said, right, yerr=[(right - low).clip(0), (high - right).clip(0)], fmt="o", ms=5,
            color=BLUE, ecolor=INK, lw=1, capsize=3, label="predictions, 95 % interval",
        )  # fmt: skip
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="share that agrees")
        axes.set_aspect("equal")
        _plain(axes)
        return _png(figure)


def share_by_day(days: Sequence[date], curves: Mapping[str, Sequence[float]]) -> bytes:
    """PNG of shares over the days of a season, a curve for each name, at most three."""
    with _fixed_style():
        figure = Figure((MAP_WIDTH, 3.6))
        axes = figure.add_subplot()
        for (name, shares), colour in zip(curves.items(), (BLUE, ORANGE, QUIET), strict=False):
            axes.plot(np.array(days, "datetime64[D]"), shares, "o-", color=colour, label=name)
        axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call] # matplotlib's
        axes.set(ylim=(0, 1.02), xlabel="acquisitions up to")
        _plain(axes)
        return _png(figure)


def _plain(axes: Axes) -> None:
    axes.grid(axis="y", color="#dfe5e8", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.legend(
        frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), columnspacing=1.4
    )


def crop_map(
    parcels: gpd.GeoDataFrame,
    classes: Sequence[MapClass],
    outlined: npt.NDArray[np.bool_],
    numbers: Mapping[int, int],
    column: str = "CT_pred_1",
    outline: str = "differs",
) -> bytes:
    """PNG of the parcels in the colour and pattern of their class.

    Parameters
    ----------
    outlined
        Which parcels get a bold outline, shape (parcel,).
    numbers
        Number to print on a parcel, by `NewID`.
    column
        That holds the class; parcels without one are grey.
    outline
        What the bold outline means.
    """
    drawn = ~(parcels.geometry.isna() | parcels.geometry.is_empty).to_numpy()
    shown, bold = parcels.loc[drawn], outlined[drawn]
    with _fixed_style():
        figure, axes = _map_figure(shown)
        legend = _draw_classes(axes, shown, classes, column)
        _draw_outlines(axes, shown, bold)
        _draw_numbers(axes, shown, numbers)
        _draw_scale(axes, shown)
        if bold.any():
            legend.append(Patch(fill=False, edgecolor="black", linewidth=2, label=outline))
        axes.legend(
            handles=legend, frameon=False, handlelength=2.4, handleheight=1.3, ncols=5,
            loc="upper center", bbox_to_anchor=(0.5, -0.01),
        )  # fmt: skip
        return _png(figure)


def _map_figure(shown: gpd.GeoDataFrame) -> tuple[Figure, Axes]:
    left, bottom, right, top = shown.total_bounds if len(shown) else (0.0, 0.0, 1.0, 1.0)
    stretch = 1.0
    if shown.crs is not None and shown.crs.is_geographic:
        stretch = 1.0 / np.cos(np.radians((bottom + top) / 2))
    shape = (top - bottom) * stretch / max(right - left, 1e-9)
    figure = Figure((MAP_WIDTH, MAP_WIDTH * float(np.clip(shape, 0.3, 1.3)) + 0.6))
    axes = figure.add_subplot()
    axes.set_aspect(stretch)
    margin = 0.01 * (right - left)
    axes.set_xlim(left - margin, right + margin)
    axes.set_ylim(bottom - margin, top + margin)
    axes.set_axis_off()
    return figure, axes


def _draw_classes(
    axes: Axes, shown: gpd.GeoDataFrame, classes: Sequence[MapClass], column: str
) -> list[Patch]:
    classed = shown[column]
    geometries = shown.geometry.to_numpy()
    legend = []
    patterned = len(shown) <= MOST_PATTERNED
    for index, item in enumerate(classes):
        style: dict[str, Any] = {"facecolor": item.colour}
        if patterned:
            style["hatch"] = HATCHES[index % len(HATCHES)]
        chosen = (classed == item.code).fillna(value=False).to_numpy(dtype=bool)
        width = 0.4 if patterned else 0.0
        _add(axes, geometries[chosen], linewidth=width, edgecolor="#ffffffaa", **style)
        label = f"{item.name} ({int(chosen.sum())})"
        legend.append(Patch(edgecolor="#ffffffaa", linewidth=0, label=label, **style))
    rest = classed.isna().to_numpy()
    _add(axes, geometries[rest], facecolor=NO_CLASS, edgecolor=QUIET, linewidth=0.5)
    if rest.any():
        label = f"left out ({int(rest.sum())})"
        legend.append(Patch(facecolor=NO_CLASS, edgecolor=QUIET, label=label))
    return legend


def _draw_outlines(axes: Axes, shown: gpd.GeoDataFrame, bold: npt.NDArray[np.bool_]) -> None:
    _add(axes, shown.geometry.to_numpy()[bold], fill=False, edgecolor="white", linewidth=3.4)
    _add(axes, shown.geometry.to_numpy()[bold], fill=False, edgecolor="black", linewidth=1.8)


def _draw_numbers(axes: Axes, shown: gpd.GeoDataFrame, numbers: Mapping[int, int]) -> None:
    named = shown[shown["NewID"].isin(list(numbers))]
    halo = [patheffects.withStroke(linewidth=2.6, foreground="white")]
    spots = shapely.get_coordinates(named.geometry.representative_point().to_numpy())
    for parcel, (x, y) in zip(named["NewID"], spots, strict=True):
        axes.text(
            x, y, str(numbers[int(parcel)]), ha="center", va="center", fontsize=8.5,
            fontweight="bold", color="black", path_effects=halo,
        )  # fmt: skip


def _draw_scale(axes: Axes, shown: gpd.GeoDataFrame) -> None:
    """A bar of about a fifth of the width, where the CRS counts in metres."""
    if shown.crs is None or shown.crs.is_geographic:
        return
    left, right = axes.get_xlim()
    _, top = axes.get_ylim()
    length = 10 ** np.floor(np.log10((right - left) / 5))
    length *= max(step for step in (1, 2, 5) if step * length <= (right - left) / 4)
    height = top + 0.012 * (right - left)
    axes.plot([left, left + length], [height] * 2, color=INK, linewidth=3, clip_on=False)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(left + length * 1.05, height, label, va="center", color=INK)


def _add(axes: Axes, geometries: npt.NDArray[Any], **style: Any) -> None:
    polygons = shapely.get_parts(geometries)
    for begin in range(0, polygons.size, AT_ONCE):
        if outline := compound_outline(polygons[begin : begin + AT_ONCE]):
            axes.add_artist(PathPatch(outline, **style))


def compound_outline(geometries: npt.NDArray[Any]) -> Outline | None:
    """All polygons as one path, holes cut out; None if there is nothing to draw."""
    polygons = shapely.orient_polygons(shapely.get_parts(geometries))
    points, ring = shapely.get_coordinates(shapely.get_rings(polygons), return_index=True)
    if not len(points):
        return None
    commands = np.full(len(points), Outline.LINETO, dtype=np.uint8)
    begins = np.flatnonzero(np.diff(ring, prepend=-1))
    commands[begins] = Outline.MOVETO
    commands[np.append(begins[1:], len(points)) - 1] = Outline.CLOSEPOLY
    return Outline(points, commands)


def parcel_curve(
    series: pd.DataFrame,
    acquisitions: Sequence[datetime],
    references: Mapping[str, pd.DataFrame],
    label: str = "NDVI",
) -> str:
    """SVG of one parcel's marker over time.

    Parameters
    ----------
    series
        Columns `time` (UTC), `mean`, `stdev`, one row per clear date.
    acquisitions
        All dates, UTC; those without a row in `series` are marked as not clear.
    references
        Curves to compare with, columns `time`, `mean`, by what they are called.
    """
    with _fixed_style():
        figure = Figure((10.4, 3.9))
        axes = figure.add_subplot()
        _draw_references(axes, references)
        _draw_series(axes, series)
        _draw_unclear(axes, _naive(series["time"]), _naive(pd.Series(list(acquisitions))))
        _dress(axes, label)
        return _svg(figure)


def _naive(times: pd.Series) -> npt.NDArray[np.datetime64]:
    return np.asarray(pd.to_datetime(times, utc=True).dt.tz_localize(None), dtype="datetime64[us]")


def _draw_references(axes: Axes, references: Mapping[str, pd.DataFrame]) -> None:
    for (name, curve), dashes in zip(references.items(), ("--", ":", "-."), strict=False):
        axes.plot(_naive(curve["time"]), curve["mean"], dashes, color=QUIET, lw=1.4, label=name)


def _draw_series(axes: Axes, series: pd.DataFrame) -> None:
    times, mean = _naive(series["time"]), series["mean"].to_numpy(dtype="float64")
    spread = np.nan_to_num(series["stdev"].to_numpy(dtype="float64"))
    axes.fill_between(
        times, mean - spread, mean + spread, color=BLUE, alpha=0.18, linewidth=0,
        label="± standard deviation within the parcel",
    )  # fmt: skip
    axes.plot(times, mean, "o-", color=BLUE, lw=1.8, ms=4.5, label="mean of the parcel")


def _draw_unclear(
    axes: Axes, clear: npt.NDArray[np.datetime64], dates: npt.NDArray[np.datetime64]
) -> None:
    hidden = np.setdiff1d(dates, clear)
    if hidden.size:
        level = np.full(hidden.size, 0.04)
        axes.plot(
            hidden, level, "x", color=INK, ms=6, mew=1.4, label="not clear",
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _dress(axes: Axes, label: str) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(min(low - 0.08, 0.0), max(high, 1.0))
    axes.set_ylabel(label, color=INK)
    axes.xaxis.set_major_locator(MonthLocator())  # type: ignore[no-untyped-call] # matplotlib's
    axes.xaxis.set_major_formatter(DateFormatter("%b %Y"))  # type: ignore[no-untyped-call] # same
    axes.grid(axis="y", color="#dfe5e8", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.legend(
        frameon=False, handlelength=2.6, columnspacing=1.4, ncols=3,
        loc="upper center", bbox_to_anchor=(0.5, -0.12),
    )  # fmt: skip


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(
        buffer, format="png", dpi=MAP_DPI, bbox_inches="tight", metadata={"Software": None}
    )
    return buffer.getvalue()


def _svg(figure: Figure) -> str:
    buffer = BytesIO()
    kept = {"Date": None, "Creator": None}
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=kept)
    text = buffer.getvalue().decode()
    return text[text.index("<svg") :]
