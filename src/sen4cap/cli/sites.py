"""`sen4cap site` and `sen4cap season`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

site = typer.Typer(help="Areas under monitoring.", no_args_is_help=True)
season = typer.Typer(help="Seasons of a site.", no_args_is_help=True)


@site.command("create")
def create_site(
    name: Annotated[str, typer.Argument(help="Name as people write it.")],
    short: Annotated[str | None, typer.Option(help="Name in folders, tables and commands.")] = None,
    timezone: Annotated[str, typer.Option(help="IANA zone of its days.")] = "UTC",
    area: Annotated[
        Path | None, typer.Option(help="Vector file with its outline; else the parcels give it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a site."""
    from sen4cap.app import sites, system

    with system.session() as here:
        made = sites.create_site(here, name, short=short, timezone=timezone, area=area)
    emit(asdict(made), as_json, f"Created site '{made.short_name}' ({made.name}).")


@site.command("list")
def list_sites(as_json: AsJson = False) -> None:
    """List the sites."""
    from sen4cap.app import system

    with system.session() as here:
        found = here.store.sites.all()
    rows = [(item.short_name, item.name, item.timezone) for item in found]
    emit([asdict(item) for item in found], as_json, table(["site", "name", "time zone"], rows))


@site.command("show")
def show_site(
    name: Annotated[str, typer.Argument(help="Short name of the site.")], as_json: AsJson = False
) -> None:
    """Show a site: time zone, outline, Sentinel-2 tiles and grids."""
    from sen4cap.app import sites, system

    with system.session() as here:
        found = here.store.sites.get(name)
        grids = here.store.grids.all(name)
    tiles = sites.tiles(found)
    value = {**asdict(found), "tiles": tiles, "grids": [asdict(grid) for grid in grids]}
    rows = [
        ("name", found.name),
        ("time zone", found.timezone),
        ("outline", found.footprint or "given by the parcels"),
        ("Sentinel-2 tiles", ", ".join(tiles)),
        ("grids", ", ".join(f"{grid.name} ({grid.sensor})" for grid in grids)),
    ]
    emit(value, as_json, table(["what", "value"], rows))


@site.command("delete")
def delete_site(
    name: Annotated[str, typer.Argument(help="Short name of the site.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget a site: seasons, parcels, jobs, products, settings, its folder and links."""
    from sen4cap.app import removal, system

    with system.session() as here:
        here.store.sites.get(name)
        if not yes:
            typer.confirm(f"Remove site '{name}' with all its products?", abort=True, err=True)
        removal.remove_site(here, name)
    emit({"removed": name}, as_json, f"Removed site '{name}'.")


@season.command("create")
def create_season(
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    name: Annotated[str, typer.Argument(help="Name of the season, for example 2024.")],
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")],
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day.")],
    mid: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day worth a crop map."),
    ] = None,
    schedules: Annotated[
        bool, typer.Option(help="With the default schedules ('sen4cap schedule list').")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Create a season; its days are those of the site's time zone."""
    from sen4cap.app import sites, system

    with system.session() as here:
        middle = mid.date() if mid else None
        made = sites.create_season(
            here, site, name, start.date(), end.date(), middle, schedules=schedules
        )
    emit(asdict(made), as_json, f"Created season '{name}' of '{site}': {made.start} to {made.end}.")


@season.command("list")
def list_seasons(
    site: Annotated[str, typer.Argument(help="Short name of the site.")], as_json: AsJson = False
) -> None:
    """List the seasons of a site."""
    from sen4cap.app import system

    with system.session() as here:
        here.store.sites.get(site)
        found = here.store.seasons.all(site)
    rows = [(item.name, item.start, item.end, item.year) for item in found]
    columns = ["season", "start", "end", "year of declarations"]
    emit([asdict(item) for item in found], as_json, table(columns, rows))


@season.command("copy")
def copy_season(
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    name: Annotated[str, typer.Argument(help="Name of the season to copy.")],
    new: Annotated[
        str | None, typer.Option("--name", help="Name of the copy; else its years count on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy a season one year on: schedules with their parameters, and the crop table."""
    from sen4cap.app import sites, system

    with system.session() as here:
        made = sites.copy_season(here, site, name, new)
        count = len(here.store.schedules.all(site, made.name))
    text = f"Copied season '{name}' to '{made.name}', {made.start} to {made.end}"
    emit(asdict(made), as_json, f"{text}, with {count} schedules.")
