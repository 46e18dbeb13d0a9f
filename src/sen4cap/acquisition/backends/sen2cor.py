"""Sen2Cor: L2A from L1C, each date by itself (Sen2Cor Configuration and User Manual, 2.11)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sen4cap.acquisition.backends.program import last_line, run_program
from sen4cap.errors import InputRefused

_DEM = re.compile(r"(<DEM_Directory>)[^<]*(</DEM_Directory>)")


def arguments(
    program: str, l1c: Path, outputs: Path, work: Path, gipp: Path | None
) -> tuple[str, ...]:
    """The command line; `gipp` is the file of parameters, by default Sen2Cor's own."""
    chosen = () if gipp is None else ("--GIP_L2A", str(gipp))
    return (program, "--output_dir", str(outputs), "--work_dir", str(work), *chosen, str(l1c))


def with_dem(text: str, folder: Path) -> str:
    """A file of parameters, given as text, with another folder for elevation."""
    return _DEM.sub(lambda match: f"{match[1]}{folder}{match[2]}", text)


def run(command: Sequence[str], outputs: Path, log: Path) -> Path:
    """Run Sen2Cor; the SAFE folder it made.

    Raises
    ------
    InputRefused
        If it made none.
    ServiceUnavailable
        If it fails.
    """
    outputs.mkdir(parents=True, exist_ok=True)
    run_program(command, log, outputs)
    found = sorted(outputs.glob("*_MSIL2A_*.SAFE"))
    if not found:
        raise InputRefused(f"Sen2Cor wrote no product: {last_line(log)} ('{log}').")
    return found[0]
