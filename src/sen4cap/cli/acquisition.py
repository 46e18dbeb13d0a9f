"""`sen4cap source plan` and `fetch`: what a season asks of its sources, and getting it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sen4cap.cli.output import AsJson, emit, progress_bar

if TYPE_CHECKING:
    from sen4cap.app.source_plan import Part, SeasonPlan

Site = Annotated[str, typer.Argument(help="Short name of the site.")]


def plan(
    site: Site,
    season: Annotated[str, typer.Argument(help="Name of the season.")],
    as_json: AsJson = False,
) -> None:
    """Tell how many scenes and GB a season asks for, from where, and what is missing."""
    from sen4cap.app import source_plan, system
    from sen4cap.app.acquisition import opened_by

    with system.session() as here:
        found = source_plan.season_plan(here, site, season, opened_by(here))
    emit({**asdict(found), "size": found.size, "fits": found.fits}, as_json, _text(found))


def _text(found: SeasonPlan) -> str:
    lines = [
        (
            f"Season {found.season} of {found.site}, scenes from {found.first:%Y-%m-%d} to "
            f"{found.last:%Y-%m-%d}: {found.size / 1e9:.1f} GB to fetch."
        )
    ]
    for part in found.parts:
        lines += _lines(part)
    verdict = "enough" if found.fits else "too little"
    lines.append(
        f"Free disk {found.free / 1e9:.1f} GB, of which {found.keep_free / 1e9:.1f} GB are kept "
        f"free: {verdict}."
    )
    return "\n".join(lines)


def _lines(part: Part) -> list[str]:
    if part.trouble:
        return [f"  {part.kind}: {part.trouble}"]
    unsized = f", {part.unsized} of unknown size" if part.unsized else ""
    lines = [
        (
            f"  {part.kind} from {part.source}: {part.scenes} scenes, {part.there} there already, "
            f"{part.size / 1e9:.1f} GB{unsized}"
        )
    ]
    lines += [f"    left out: {count}, {reason}" for reason, count in part.left_out]
    lines += [f"    missing: {place} {day}" for place, day in part.missing[:20]]
    if len(part.missing) > 20:
        lines.append(f"    … and {len(part.missing) - 20} more")
    return lines


def fetch(
    site: Site,
    wait: Annotated[
        bool, typer.Option("--wait", help="Fetch here, without services, until nothing is due.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the sources of a site now, and fetch what is due."""
    from sen4cap.app import acquiring, acquisition, ledger, logs, system

    logs.open_terminal()
    with progress_bar() as progress, system.session() as here:
        opened = acquisition.opened_by(here)
        if wait:
            done = acquiring.fetch(here, site, opened, progress)
        else:
            done = acquisition.cycle(here, site, opened)
        holes = len(ledger.show(here, site, holes=True))
    numbers = [job.id for job in done.jobs]
    value = {
        "found": done.found,
        "new": done.new,
        "jobs": numbers,
        "troubles": list(done.troubles),
        "holes": holes,
    }
    lines = [f"{done.found} scenes listed, {done.new} of them new or newer."]
    lines += [f"  {text}" for text in done.troubles]
    lines += [f"  job {number} {'ended' if wait else 'submitted'}" for number in numbers]
    if holes:
        lines.append(f"  {holes} holes: 'sen4cap ledger show {site} --holes' says why")
    emit(value, as_json, "\n".join(lines))
