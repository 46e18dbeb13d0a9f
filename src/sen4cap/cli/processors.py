"""`sen4cap processor`: what is installed and what it can be told."""

from __future__ import annotations

from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

app = typer.Typer(help="What can be run.", no_args_is_help=True)


@app.command("list")
def list_processors(as_json: AsJson = False) -> None:
    """List the installed processors."""
    from sen4cap.processing import processors

    found = list(processors().values())
    rows = [
        (
            " ".join((item.id, *item.aliases)),
            item.version,
            item.title,
            ", ".join(item.consumes),
            item.produces.value,
        )
        for item in found
    ]
    values = [
        {
            "id": item.id,
            "aliases": list(item.aliases),
            "version": item.version,
            "title": item.title,
            "description": item.description,
            "consumes": list(item.consumes),
            "produces": item.produces,
        }
        for item in found
    ]
    emit(values, as_json, table(["processor", "version", "title", "reads", "makes"], rows))


@app.command("show")
def show_processor(
    name: Annotated[str, typer.Argument(help="Short name of the processor.")],
    as_json: AsJson = False,
) -> None:
    """Show a processor's parameters; with --json their JSON schema."""
    from sen4cap.processing import as_text, config_key, json_schema, parameters_of, processor

    found = processor(name)
    rows = [
        (
            config_key(found.id, item.key),
            as_text(item.default),
            item.unit,
            f"{item.title}. {item.description}",
        )
        for item in parameters_of(found.params)
    ]
    schema = {"id": found.id, "title": found.title, "parameters": json_schema(found.params)}
    emit(schema, as_json, table(["key", "default", "unit", "meaning"], rows, found.title))
