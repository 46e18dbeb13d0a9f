"""Crop types as the original's program makes them: a site and two days in, files out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app import jobs, sites
from sen4cap.domain import Asset, Product, Season
from sen4cap.errors import InvalidParameter
from sen4cap.processing import Progress, no_progress, write_whole

if TYPE_CHECKING:
    from sen4cap.app.system import System

PROCESSOR = "s4c_l4a"
FOLDER = "VECTOR_DATA"
"""Of a product, that holds its tables."""


@dataclass(frozen=True)
class Classified:
    """What the program came to."""

    outcome: jobs.Outcome
    product: Product
    files: tuple[Path, ...]
    """Copies of the product's files."""


def classify(
    system: System,
    site: str,
    first: date,
    last: date,
    folder: Path,
    overrides: Mapping[str, Any],
    progress: Progress = no_progress,
) -> Classified:
    """Run the job of a site's season up to a day, and copy the files of its product to `folder`.

    `site` is a short name or a number. A product that stands already is copied all the same.

    Raises
    ------
    NotFound
        If there is no such site.
    InvalidParameter
        If no season of the site begins on `first` and holds `last`, or a parameter is refused.
    Sen4capError
        Whatever ended the job.
    """
    where = sites.site_of(system, site).short_name
    season = _season(system, where, first, last)
    nominal = None if last == season.end else last
    outcome = jobs.run(system, PROCESSOR, where, season.name, overrides, progress, nominal=nominal)
    [product] = (*outcome.made, *outcome.stood)
    return Classified(outcome, product, copy_files(product, folder))


def _season(system: System, site: str, first: date, last: date) -> Season:
    seasons = system.store.seasons.all(site)
    for season in seasons:
        if season.start == first <= last <= season.end:
            return season
    known = ", ".join(f"'{item.name}' ({item.start} to {item.end})" for item in seasons)
    raise InvalidParameter(
        f"No season of site '{site}' begins on {first} and lasts to {last} or longer; there are: "
        f"{known or 'none'}. Give the first day of one, or make one with 'sen4cap season create'."
    )


def copy_files(product: Product, folder: Path) -> tuple[Path, ...]:
    """Copy the files of a product into a folder, each under its name when complete.

    Those of `VECTOR_DATA` come into the folder itself, with the folders below; a file of the same
    name is replaced. Copies, not links: the archive stays whole whatever becomes of them.
    """
    return tuple(_copied(asset, folder) for asset in product.assets)


def _copied(asset: Asset, folder: Path) -> Path:
    source = Path(asset.href)
    below = source.parts[source.parts.index(FOLDER) + 1 :] if FOLDER in source.parts else ()
    path = folder.joinpath(*(below or (source.name,)))
    with write_whole(path) as temporary:
        shutil.copyfile(source, temporary)
    return path
