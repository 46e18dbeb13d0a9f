"""`sen4cap run <processor>`: one command per installed processor, options from its `Params`."""

from __future__ import annotations

import inspect
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sen4cap.cli.output import AsJson, emit, progress_bar
from sen4cap.domain import Asset
from sen4cap.processing import (
    Parameter,
    Processor,
    as_text,
    config_key,
    parameters_of,
    processor,
    processors,
)

Slot = Annotated[str | None, typer.Option(help="Make only the product of this slot.")]
Nominal = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Last day of the inputs; else the season's."),
]

app = typer.Typer(help="Run a processor over a season of a site.", no_args_is_help=True)


@app.callback()
def run() -> None:
    """Run a processor over a season of a site."""


class ProcessorCommands(TyperGroup):
    """Finds its commands among the installed processors, when it is asked for them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - given by typer
        """Short names of the processors."""
        return list(processors())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - given by typer
        """The command of one processor; `NotFound` lists those that are installed."""
        return _command(processor(cmd_name))


def _command(chosen: Processor) -> Any:
    single = typer.Typer(
        add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
    )
    single.command(chosen.id, help=f"{chosen.title}. {chosen.description}")(_function(chosen))
    return typer.main.get_command(single)


def _function(chosen: Processor) -> Any:
    """A function whose signature is the processor's declaration: typer reads the options off it."""
    declared = parameters_of(chosen.params)

    def run_processor(
        site: str,
        season: str,
        slot: str | None,
        nominal: datetime | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        given = {name: _plain(value) for name, value in options.items() if value is not None}
        _run(chosen, site, season, given, _plain(nominal), slot, as_json)

    fixed = [
        _argument("site", Annotated[str, typer.Argument(help="Short name of the site.")]),
        _argument("season", Annotated[str, typer.Argument(help="Name of the season.")]),
    ]
    last = [
        _keyword("slot", None, Slot),
        _keyword("nominal", None, Nominal),
        _keyword("as_json", False, AsJson),
    ]
    options = [_option(chosen, item) for item in declared]
    signature = inspect.Signature([*fixed, *options, *last])
    run_processor.__signature__ = signature  # type: ignore[attr-defined]  # functions carry it
    run_processor.__annotations__ = {
        name: item.annotation for name, item in signature.parameters.items()
    }
    return run_processor


def _argument(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)


def _keyword(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _option(chosen: Processor, item: Parameter) -> inspect.Parameter:
    """An option that is None unless given, so that configuration below it still counts."""
    flag = "--" + item.name.replace("_", "-")
    names = [f"{flag}/--no-{flag[2:]}"] if item.annotation is bool else [flag]
    limits = f"{item.minimum:g} to {item.maximum:g}" if _has_limits(item) else ""
    details = ", ".join(text for text in (item.unit, limits) if text)
    title = f"{item.title} ({details})" if details else item.title
    info = typer.Option(
        *names,
        help=f"{title}. {item.description} "
        f"Key {config_key(chosen.id, item.key)}, declared {as_text(item.default) or 'empty'}.",
        show_default=False,
        rich_help_panel="Advanced" if item.advanced else "Parameters",
    )
    kind = datetime if item.annotation is date else _scalar(item.annotation)
    return _keyword(item.name, None, Annotated[kind | None, info])


def _has_limits(item: Parameter) -> bool:
    return item.minimum is not None and item.maximum is not None


def _scalar(annotation: Any) -> Any:
    known = annotation in (bool, int, float) or (
        isinstance(annotation, type) and issubclass(annotation, Enum)
    )
    return annotation if known else str


def _plain(value: Any) -> Any:
    return value.date() if isinstance(value, datetime) else value


def _run(
    chosen: Processor,
    site: str,
    season: str,
    given: dict[str, Any],
    nominal: date | None,
    slot: str | None,
    as_json: bool,
) -> None:
    from sen4cap.app import jobs, logs, system

    logs.open_terminal()
    with progress_bar() as progress, system.session() as here:
        outcome = jobs.run(
            here, chosen.id, site, season, given, progress, nominal=nominal, slot=slot
        )
    result = {
        "job": outcome.job.id,
        "status": outcome.job.status,
        "made": [product.name for product in outcome.made],
        "standing": outcome.standing,
    }
    lines = [f"Job {outcome.job.id} {outcome.job.status}: {chosen.title}."]
    lines += [f"  made {product.name}" for product in outcome.made[:20]]
    if len(outcome.made) > 20:
        lines.append(f"  … and {len(outcome.made) - 20} more ('sen4cap product list {site}')")
    pages = [item.href for made in outcome.made for item in made.assets if _is_page(item)]
    lines += [f"  open {page}" for page in pages]
    if outcome.standing:
        lines.append(f"  {outcome.standing} already stood: same inputs, parameters and version")
    emit(result, as_json, "\n".join(lines))


def _is_page(asset: Asset) -> bool:
    return asset.media_type == "text/html"
