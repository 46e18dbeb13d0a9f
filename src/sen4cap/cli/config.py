"""`sen4cap config`: parameters of the processors, for all sites or for one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

app = typer.Typer(help="Parameters of the processors.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="Configuration key: 'sen4cap config list' shows them.")]
ForSite = Annotated[str | None, typer.Option("--site", help="For one site instead of all.")]


@app.command("list")
def list_config(
    prefix: Annotated[str, typer.Argument(help="Only keys that begin so.")] = "",
    as_json: AsJson = False,
) -> None:
    """List keys, values, defaults and what they mean."""
    from sen4cap.app import config, system

    with system.session() as here:
        found = config.describe(here, prefix)
    rows = [
        (
            row.key,
            entry.value,
            "" if entry.is_default else f"default {row.default_value}",
            f"{row.friendly_name}{f' [{row.unit}]' if row.unit else ''}",
        )
        for row, entry in found
    ]
    values = [{**asdict(row), "value": entry.value} for row, entry in found]
    emit(values, as_json, table(["key", "value", "changed", "meaning"], rows))


@app.command("get")
def get_config(key: Key, site: ForSite = None, as_json: AsJson = False) -> None:
    """Print the value of a key."""
    from sen4cap.app import config, system

    with system.session() as here:
        value = config.get_value(here, key, site)
    emit({"key": key, "site": site, "value": value}, as_json, value)


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_config(
    key: Key,
    value: Annotated[str, typer.Argument(help="The new value.")],
    site: ForSite = None,
    as_json: AsJson = False,
) -> None:
    """Set a value; the next job uses it."""
    from sen4cap.app import config, system

    with system.session() as here:
        stored = config.set_value(here, key, value, site)
    where = f" for site '{site}'" if site else ""
    emit({"key": key, "site": site, "value": stored}, as_json, f"{key} = {stored}{where}")


@app.command("unset")
def unset_config(key: Key, site: ForSite = None, as_json: AsJson = False) -> None:
    """Go back to the value for all sites, or to the declared default."""
    from sen4cap.app import config, system

    with system.session() as here:
        value = config.unset_value(here, key, site)
    emit({"key": key, "site": site, "value": value}, as_json, f"{key} = {value}")
