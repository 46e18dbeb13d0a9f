"""One meadow's season: NDVI, coherence, the mowings that were found and when it was to be mown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO

import matplotlib as mpl
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MonthLocator, date2num
from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
INK, QUIET, GRASS = "#1d2b33", "#6b7a83", "#009e73"
TRACKS = ("#0072b2", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9", "#882255")
EVENT = {"mowing": "#d55e00", "grazing": "#0072b2", "undecided": QUIET}
PLAIN = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Metadata without a clock: same season, same bytes."""


@dataclass(frozen=True)
class MowingSeason:
    """What is drawn of a parcel."""

    title: str
    searched: tuple[date, date]
    """First and last day that were looked at."""
    series: pl.DataFrame
    """Columns `marker`, `time`, `orbit`, `mean`, `stdev`: `ndvi` and coherence."""
    events: pl.DataFrame
    """Columns `kind`, `first`, `day`, `last`, `probability`, `sensors`."""
    windows: Sequence[tuple[date, date]]
    """When it was to be mown."""
    verdict: str


def mowing_figure(season: MowingSeason, kind: str = "png") -> bytes:
    """The figure in one of `FORMATS`; coherence has a panel where there is any."""
    pairs = season.series.filter(pl.col("marker") != "ndvi")
    panels = 1 if pairs.is_empty() else 2
    with mpl.rc_context({"font.size": 9.0, "svg.fonttype": "none", "svg.hashsalt": "sen4cap"}):
        figure = Figure((10.4, 3.4 + 2.0 * (panels - 1)), layout="constrained")
        grid = figure.subplots(panels, 1, sharex=True, squeeze=False, height_ratios=(3, 2)[:panels])
        axes: list[Axes] = list(grid[:, 0])
        _draw_ndvi(axes[0], season.series.filter(pl.col("marker") == "ndvi"))
        if panels > 1:
            _draw_coherence(axes[1], pairs)
        for panel in axes:
            _draw_events(panel, season.events)
            _draw_windows(panel, season.windows)
            _dress(panel, season)
        _label_events(axes[0], season.events)
        _legend(figure, axes)
        axes[0].set_title(f"{season.title}\n{season.verdict}", loc="left", color=INK)
        buffer = BytesIO()
        figure.savefig(buffer, format=kind, dpi=120, metadata=PLAIN[kind])
    return buffer.getvalue()


def _draw_ndvi(axes: Axes, rows: pl.DataFrame) -> None:
    times, mean = rows["time"].dt.replace_time_zone(None).to_numpy(), rows["mean"].to_numpy()
    spread = rows["stdev"].fill_null(0).to_numpy()
    axes.fill_between(times, mean - spread, mean + spread, color=GRASS, alpha=0.18, linewidth=0)
    axes.plot(times, mean, "o-", color=GRASS, lw=1.6, ms=4, label="NDVI of clear dates")
    axes.set_ylim(0, 1.08)
    axes.set_ylabel("NDVI", color=INK)


def _draw_coherence(axes: Axes, rows: pl.DataFrame) -> None:
    groups = rows.sort("time").group_by(["marker", "orbit"], maintain_order=True)
    ordered = sorted(groups, key=lambda item: (str(item[0][0]), item[0][1] or 0))
    for number, ((marker, orbit), group) in enumerate(ordered):
        label = _told(str(marker)) + ("" if orbit is None else f", orbit {orbit}")
        times = group["time"].dt.replace_time_zone(None).to_numpy()
        colour = TRACKS[number % len(TRACKS)]
        axes.plot(times, group["mean"].to_numpy(), ".-", color=colour, lw=1, ms=4, label=label)
    axes.set_ylim(0, 1)
    axes.set_ylabel("coherence", color=INK)


def _told(marker: str) -> str:
    """The name of a coherence marker, such as `cohe_vh_12d`, in words."""
    _, polarisation, *days = marker.split("_")
    return ", ".join([f"coherence {polarisation.upper()}", *(f"{item[:-1]} days" for item in days)])


def _draw_events(axes: Axes, events: pl.DataFrame) -> None:
    for event in events.iter_rows(named=True):
        colour = EVENT[event["kind"]]
        last = event["last"] + timedelta(days=1)
        axes.axvspan(_at(event["first"]), _at(last), color=colour, alpha=0.16, linewidth=0)
        axes.axvline(_at(event["day"]), color=colour, lw=1.4, ls="--")


def _label_events(axes: Axes, events: pl.DataFrame) -> None:
    for event in events.iter_rows(named=True):
        axes.annotate(
            f"{event['kind']} {event['sensors']}\n{event['probability']:.2f}",
            (_at(event["day"]), 0.02), xycoords=axes.get_xaxis_transform(), xytext=(4, 0),
            textcoords="offset points", fontsize=8, color=EVENT[event["kind"]], va="bottom",
        )  # fmt: skip


def _draw_windows(axes: Axes, windows: Sequence[tuple[date, date]]) -> None:
    for first, last in windows:
        axes.axvspan(
            _at(first), _at(last + timedelta(days=1)), ymin=0.97, color=INK, alpha=0.55, lw=0,
            label="to be mown",
        )  # fmt: skip


def _dress(axes: Axes, season: MowingSeason) -> None:
    first, last = season.searched
    axes.set_xlim(_at(first), _at(last + timedelta(days=1)))
    axes.xaxis.set_major_locator(MonthLocator())  # type: ignore[no-untyped-call] # matplotlib's
    axes.xaxis.set_major_formatter(DateFormatter("%b %Y"))  # type: ignore[no-untyped-call] # same
    axes.grid(axis="y", color="#dfe5e8", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=4, frameon=False)


def _at(day: date) -> float:
    return float(date2num(day))  # type: ignore[no-untyped-call] # matplotlib's
