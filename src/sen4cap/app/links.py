"""Links where the original has its folders, for those whose scripts know them.

maccs_def/<site>/l2a → <site>/l2a        <site>/l2a-s1/… → <site>/s1_l2a_amp/…, s1_l2a_cohe/…
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sen4cap.domain import ProductType

RADAR = (ProductType.S1_AMP, ProductType.S1_COHE)


def update(archive: Path, site: str) -> None:
    """Let the links of a site show what there is now."""
    (archive / site / ProductType.L2A).mkdir(parents=True, exist_ok=True)
    _link(archive / "maccs_def" / site / "l2a", Path("..", "..", site, ProductType.L2A))
    radar = archive / site / "l2a-s1"
    radar.mkdir(exist_ok=True)
    there = {
        path.name: Path("..", kind, path.name)
        for kind in RADAR
        for path in sorted((archive / site / kind).glob("[!.]*"))
    }
    for old in radar.iterdir():
        if old.is_symlink() and old.name not in there:
            old.unlink()
    for name, target in there.items():
        _link(radar / name, target)


def remove(archive: Path, site: str) -> None:
    """Take the links of a site away; what they point to stays."""
    shutil.rmtree(archive / "maccs_def" / site, ignore_errors=True)
    shutil.rmtree(archive / site / "l2a-s1", ignore_errors=True)


def _link(path: Path, target: Path) -> None:
    """A link from `path` to `target`, which is relative to the folder of the link."""
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
