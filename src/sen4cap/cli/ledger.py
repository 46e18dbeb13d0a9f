"""`sen4cap ledger`: what became of every acquisition, and what would mend its holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sen4cap.cli.output import AsJson, emit, table

if TYPE_CHECKING:
    from sen4cap.domain.ledger import Entry

app = typer.Typer(
    help="What became of every acquisition, and what would mend its holes.", no_args_is_help=True
)

Site = Annotated[str, typer.Argument(help="Short name of the site.")]


@app.command("show")
def show(
    site: Site,
    season: Annotated[str | None, typer.Option(help="Only this season.")] = None,
    holes: Annotated[bool, typer.Option("--holes", help="Only what is not there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the state of each acquisition and stage; for a hole why, and how to mend it."""
    from sen4cap.app import ledger, system

    with system.session() as here:
        found = ledger.show(here, site, season=season, holes=holes)
    _emit(found, as_json, "Nothing is recorded." if not holes else "There are no holes.")


@app.command("fix")
def fix(
    site: Site,
    place: Annotated[str | None, typer.Argument(help="Tile, path/row or burst; else all.")] = None,
    days: Annotated[list[str] | None, typer.Argument(help="Days, 2019-05-17; else all.")] = None,
    ignore: Annotated[bool, typer.Option("--ignore", help="Leave them out for good.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try them again as if never tried: the default.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Try holes again, or leave them out for good."""
    from sen4cap.app import ledger, system
    from sen4cap.errors import InvalidParameter

    if ignore and retry:
        raise InvalidParameter("Give --retry or --ignore, not both.")
    with system.session() as here:
        changed = ledger.fix(here, site, place, ledger.as_days(days or ()), ignore=ignore)
    _emit(changed, as_json, "Nothing had to be changed.")


def _emit(entries: list[Entry], as_json: bool, nothing: str) -> None:
    rows = [
        (
            entry.stage.value,
            entry.place,
            f"{entry.time:%Y-%m-%d %H:%M}",
            entry.state.value,
            entry.tries,
            "" if entry.next_try is None else f"{entry.next_try:%m-%d %H:%M}",
            entry.reason,
            entry.mend,
        )
        for entry in entries
    ]
    columns = ["stage", "place", "time (UTC)", "state", "tries", "next try", "why", "mend"]
    emit([value(entry) for entry in entries], as_json, table(columns, rows) if rows else nothing)


def value(entry: Entry) -> dict[str, Any]:
    """An entry as JSON values."""
    from dataclasses import asdict

    from sen4cap.domain.ledger import CODES

    further = {"code": CODES.get(entry.state), "is_hole": entry.is_hole, "mend": entry.mend}
    return {**asdict(entry), **further}
