"""A picture of estimates against measurements."""

from __future__ import annotations

from io import BytesIO

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from sen4cap.kernels.agreement import Agreement

Floats = npt.NDArray[np.floating]
COLOUR, LINE, QUIET = "#0072b2", "#d55e00", "#6b7a83"


def scatter_plot(
    estimated: Floats, measured: Floats, found: Agreement, *, name: str, title: str = ""
) -> bytes:
    """PNG of the pairs, shapes (n,), with the line of equality, the fitted one and the figures."""
    top = float(np.nanmax([np.nanmax(estimated), np.nanmax(measured)])) * 1.05
    low = min(0.0, float(np.nanmin([np.nanmin(estimated), np.nanmin(measured)])))
    with mpl.rc_context({"font.size": 9.0}):
        figure = Figure((5.2, 5.0), layout="constrained")
        axes = figure.add_subplot()
        ends = np.array([low, top])
        axes.plot(ends, ends, color=QUIET, linewidth=1, label="equal")
        fitted = found.slope * ends + found.intercept
        axes.plot(ends, fitted, color=LINE, linestyle="--", linewidth=1.2, label="fitted line")
        axes.scatter(
            measured, estimated, s=22, color=COLOUR, alpha=0.55, edgecolors="white", lw=0.4
        )
        axes.set(xlim=ends, ylim=ends, xlabel=f"{name}, measured", ylabel=f"{name}, estimated")
        axes.set_aspect("equal")
        axes.set_title(title)
        axes.text(0.04, 0.96, _figures(found), transform=axes.transAxes, va="top")
        axes.legend(loc="lower right", frameon=False)
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def _figures(found: Agreement) -> str:
    return (
        f"n = {found.count}\nr = {found.r:.2f}\nRMSE = {found.rmse:.2f}\nbias = {found.bias:+.2f}"
        f"\ny = {found.slope:.2f} x {found.intercept:+.2f}"
    )
