"""How commands speak: tables for people, JSON for programs, one sentence per error."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from sen4cap.errors import (
    Conflict,
    InputRefused,
    InvalidParameter,
    NoInput,
    NotFound,
    Sen4capError,
    ServiceUnavailable,
    SourceRefused,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

EXIT_CODES: Mapping[type[Sen4capError], int] = {
    InputRefused: 3,
    NotFound: 4,
    Conflict: 5,
    NoInput: 6,
    ServiceUnavailable: 7,
    SourceRefused: 8,
}

debug = False
"""Whether tracebacks are shown; set once by the root command."""


def exit_code(error: Sen4capError) -> int:
    """Exit code of an error: that of its branch of the tree."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


def guarded(app: Callable[..., Any]) -> int:
    """Run the program; errors become one sentence on stderr and an exit code."""
    try:
        code = app(standalone_mode=False)
    except Sen4capError as error:
        return _tell(str(error), exit_code(error))
    except typer._click.exceptions.ClickException as error:  # noqa: SLF001 - typer has no public name
        error.show()
        return int(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _tell("Interrupted.", 130)
    except Exception as error:  # noqa: BLE001 - the last door: a sentence instead of a traceback
        return _tell(f"Unexpected {type(error).__name__}: {error} (--debug shows where).", 1)
    return code if isinstance(code, int) else 0


def _tell(sentence: str, code: int) -> int:
    if debug:
        traceback.print_exc()
    print(f"sen4cap: {sentence}", file=sys.stderr)  # noqa: T201 - the command line speaks
    return code


def emit(value: Any, as_json: bool, text: str | Table | None = None) -> None:
    """Print a result: JSON if asked for, else a text or table, else nothing."""
    if as_json:
        typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))
    elif isinstance(text, Table):
        Console().print(text)
    elif text is not None:
        typer.echo(text)


def pair(text: str) -> tuple[str, str]:
    """Both sides of `key=value`.

    Raises
    ------
    InvalidParameter
        If there is no equals sign.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidParameter(f"'{text}' has no equals sign: write key=value.")
    return key.strip(), value.strip()


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> Table:
    """A table for people; numbers stand right."""
    made = Table(title=title or None, box=None, header_style="bold", title_justify="left")
    for position, name in enumerate(columns):
        numeric = bool(rows) and isinstance(rows[0][position], int | float)
        justify: Literal["left", "right"] = "right" if numeric else "left"
        made.add_column(name, justify=justify, overflow="fold", no_wrap=position == 0)
    for row in rows:
        made.add_row(*("" if item is None else str(item) for item in row))
    return made


@contextmanager
def progress_bar() -> Iterator[Callable[[float, str], None]]:
    """Yield a function (share done, message) that moves a bar on stderr; silent in a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _share, _message: None
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share, message: bar.update(task, completed=share, description=message)
