"""`sen4cap source`: where scenes come from, how each is set up, and whether it is well."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from sen4cap.cli.output import AsJson, emit, table

app = typer.Typer(help="Where scenes come from.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the source: 'sen4cap source list'.")]


@app.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """List the sources: what they hold, and whether their secrets are known."""
    from sen4cap.app import secrets, sources
    from sen4cap.settings import Settings

    settings = Settings()
    values = [
        {**sources.as_value(made), "secrets": _places(secrets.places(settings, name))}
        for name, made in sources.definitions(settings).items()
    ]
    rows = [
        (one["name"], one["title"], ", ".join(one["products"]), _readiness(one)) for one in values
    ]
    emit(values, as_json, table(["source", "what it is", "for", "secrets"], rows))


def _places(found: dict[str, Any]) -> dict[str, str]:
    return {field: str(place) for field, place in found.items()}


def _readiness(value: dict[str, Any]) -> str:
    lacking = [field for field in value["credentials"] if field not in value["secrets"]]
    if not value["credentials"]:
        return "needs none"
    return f"lacks {', '.join(lacking)}" if lacking else "known"


@app.command("show")
def show_source(name: Name, as_json: AsJson = False) -> None:
    """Show how a source is set up; never a secret, only where each lies."""
    from sen4cap.app import secrets, sources
    from sen4cap.settings import Settings

    settings = Settings()
    made = sources.definition(settings, name)
    value = {**sources.as_value(made), "secrets": _places(secrets.places(settings, name))}
    emit(
        value, as_json, table(["what", "value"], [(key, _text(one)) for key, one in value.items()])
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} ({item})" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@app.command("profiles")
def list_profiles(as_json: AsJson = False) -> None:
    """List what sources can be made of, with their addresses."""
    from sen4cap.app import sources

    found = sources.profiles()
    rows = [(item.name, item.title, item.kind, item.endpoint, item.note) for item in found]
    columns = ["profile", "what it is", "protocol", "address", "note"]
    emit([asdict(item) for item in found], as_json, table(columns, rows))


@app.command("set")
def set_source(
    name: Name,
    key: Annotated[str, typer.Argument(help="Such as endpoint, connections, root, mode.")],
    value: Annotated[str, typer.Argument(help="Its value; empty goes back to the profile's.")],
    as_json: AsJson = False,
) -> None:
    """Set up a source; a new name begins with its profile."""
    from sen4cap.app import sources
    from sen4cap.settings import Settings

    made = sources.set_up(Settings(), name, key, value)
    text = f"Source '{name}': {key} = {value or 'as its profile says'}."
    emit(sources.as_value(made), as_json, text)


@app.command("set-secret")
def set_secret(
    name: Name,
    field: Annotated[
        list[str] | None, typer.Option(help="user, password or token; repeatable; else all.")
    ] = None,
    place: Annotated[str, typer.Option(help="keyring or file.")] = "file",
    forget: Annotated[bool, typer.Option("--forget", help="Remove them instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for the secrets of a source and keep them where only this user can read them."""
    from sen4cap.app import secrets, sources
    from sen4cap.settings import Settings

    settings = Settings()
    made = sources.definition(settings, name)
    if forget:
        secrets.forget(settings, name)
        emit({"source": name, "secrets": {}}, as_json, f"The secrets of '{name}' are gone.")
        return
    wanted = tuple(field or made.about.fields)
    if not wanted:
        emit({"source": name, "secrets": {}}, as_json, f"Source '{name}' needs no secret.")
        return
    values = {
        one: typer.prompt(f"{name} {one}", hide_input=one != "user", err=True) for one in wanted
    }
    secrets.keep(settings, name, values, sources.place_of(place))
    found = _places(secrets.places(settings, name))
    emit({"source": name, "secrets": found}, as_json, f"Kept {', '.join(wanted)} of '{name}'.")


@app.command("test")
def check_source(name: Name, as_json: AsJson = False) -> None:
    """Ask a source one small question and say what is wrong."""
    from sen4cap.app import source_checks
    from sen4cap.settings import Settings

    found = source_checks.check(Settings(), name)
    emit(asdict(found), as_json, found.told)
    if not found.is_well:
        raise typer.Exit(1)


@app.command("record")
def record_source(
    name: Name,
    file: Annotated[Path, typer.Argument(help="JSON file to write.")],
    as_json: AsJson = False,
) -> None:
    """Keep a real exchange with a source as a fixture for tests, without secrets."""
    from sen4cap.app import source_checks
    from sen4cap.settings import Settings

    count, found = source_checks.record(Settings(), name, file)
    text = f"Kept {count} exchanges in '{file}': {found.told} Read it before you pass it on."
    emit({"exchanges": count, **asdict(found)}, as_json, text)
