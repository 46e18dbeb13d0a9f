"""MAJA: L2A from L1C, in the order of dates per tile (Hagolle et al. 2015, Remote Sensing 7: 2668).

MAJA reads all from one folder: the L1C product, the L2A product of the date before (mode
L2NOMINAL; the first of a tile is L2INIT), the parameters (GIPP), and elevation and water of the
tile, as its own tool prepares them (`*_AUX_REFDE2_T31UDS_*`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sen4cap.acquisition.backends.program import last_line, linked, run_program
from sen4cap.domain.ledger import REFUSED
from sen4cap.errors import InputRefused, NotFound

HOPELESS = (
    "the cloud cover is too high",
    "too many clouds",
    "too many no-data",
    "no valid pixel",
    "processing stopped",
    "aot threshold",
)
"""What MAJA says where another try would end alike, in small letters."""
NOT_VALID = "L2NOTV"
"""In the report (`*_JPI_ALL.xml`) of a product that must not be used."""


def auxiliary_of(tile: str, folder: Path) -> list[Path]:
    """Elevation and water of a tile in the configured folder, sorted.

    Raises
    ------
    NotFound
        If there are none.
    """
    found = sorted(path for path in folder.glob("*_AUX_REFDE2_*") if tile in path.name)
    if not found:
        raise NotFound(
            f"'{folder}' holds no '*_AUX_REFDE2_T{tile}_*' with elevation and water of the tile: "
            "prepare it with MAJA's tool, or correct 'processor.l2a_maja.dem-folder'."
        )
    return found


def arguments(
    program: str, inputs: Path, outputs: Path, tile: str, configuration: Path, *, first: bool
) -> tuple[str, ...]:
    """The command line; `first` where the tile has no earlier L2A."""
    return (
        program,
        *("-i", str(inputs)),
        *("-o", str(outputs)),
        *("-m", "L2INIT" if first else "L2NOMINAL"),
        *("-ucs", str(configuration)),
        *("--TileId", tile),
    )


def run(
    command: Sequence[str], inputs: Path, outputs: Path, given: Sequence[Path], log: Path
) -> Path:
    """Run MAJA on links to what it is given; the folder of the product it made.

    Raises
    ------
    InputRefused
        If it says that the scene cannot be used: another try would end alike.
    ServiceUnavailable
        If it fails otherwise.
    """
    linked(inputs, given)
    outputs.mkdir(parents=True, exist_ok=True)
    try:
        run_program(command, log, outputs)
    except Exception:
        _refuse_hopeless(log)
        raise
    _refuse_hopeless(log)
    return made(outputs, log)


def _refuse_hopeless(log: Path) -> None:
    text = log.read_text("utf-8", "replace").lower() if log.exists() else ""
    reason = next((item for item in HOPELESS if item in text), None)
    if reason is not None:
        raise InputRefused(f"{REFUSED}MAJA makes nothing of the scene: {reason} ('{log}').")


def made(outputs: Path, log: Path) -> Path:
    """Folder of the one valid product below `outputs`.

    Raises
    ------
    InputRefused
        If there is none, or its report says that it is not valid.
    """
    found = sorted(outputs.rglob("*_MTD_ALL.xml")) or sorted(outputs.rglob("*_L2VALD_*.HDR"))
    if not found:
        raise InputRefused(f"MAJA wrote no product: {last_line(log)} ('{log}').")
    folder = found[0].parent
    if any(NOT_VALID in path.read_text("utf-8") for path in folder.rglob("*_JPI_ALL.xml")):
        raise InputRefused(f"{REFUSED}MAJA's report calls the product not valid ('{log}').")
    return folder
