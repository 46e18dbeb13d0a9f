r"""`crop-type-wrapper.py`: the original's crop type program, by its arguments.

    crop-type-wrapper.py -s SITE_ID --season-start 2020-01-01 --season-end 2020-12-31 \
        --working-path /tmp/work --out-path /tmp/out --tiles 31UWT 32UQR

It may be pasted from a slide or a document, where dashes have become typographic ones. It runs the
job of `sen4cap run l4a` and copies the files of its product to `--out-path`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

from sen4cap.cli.output import guarded, progress_bar
from sen4cap.processing import as_text, config_key, parameters_of, processor

NAME = "crop-type-wrapper.py"
DASH = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
"""Hyphens, dashes and minus signs that word processors and slides put where - was typed."""
OPTION = re.compile(r"-+([A-Za-z][\w-]*)")
DAY = re.compile(r"\d[\d-]*\d")
TILE = re.compile(r"T(\d{2}[A-Z]{3})")

NOT_READ = {
    "--working-path": "",
    "--standalone": "",
    "--backscatter-compositing-months": "radar is summed up by dekads of the calendar",
    "--parcels": "parcels are those of the last import",
    "--lut": "the crop table is that of the last import",
    "--tile-footprints": "the grids of the site are known",
    "--optical-products": "images are those in the catalog",
    "--radar-products": "images are those in the catalog",
    "--lpis-path": "parcels are those of the last import",
    "--target-path": "markers stay in the archive ('sen4cap markers export')",
    "--outputs": "markers stay in the archive ('sen4cap markers export')",
}
"""Options of the original that have nothing to do here, and why; no word where nothing is lost."""
SWITCHES = ("--standalone",)
"""Of them, those without a value."""
OWN = ("mode", "tiles")
"""Parameters whose options are not like the others."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the program."""
    words = plain(sys.argv[1:] if arguments is None else arguments)
    sys.exit(guarded(lambda **_: _run(words)))


def plain(words: Sequence[str]) -> list[str]:
    """The words of a command as they were typed; one notice on stderr where dashes were not.

    Options and days get plain dashes, options of one letter one and others two. What is left of a
    line break is dropped. Names and paths stay as they are.
    """
    pasted = [word for word in words if word.strip()]
    typed = [_plain(word) for word in pasted]
    if typed != pasted:
        _tell("typographic dashes were read as '-'.")
    return typed


def _plain(word: str) -> str:
    if not DASH.search(word):
        return word
    name, *value = word.split("=", 1)
    dashed = DASH.sub("-", name)
    if found := OPTION.fullmatch(dashed):
        dashes = "-" if len(found[1]) == 1 else "--"
        return "=".join([dashes + found[1], *map(_plain, value)])
    return dashed if DAY.fullmatch(dashed) and not value else word


def _run(words: Sequence[str]) -> None:
    asked = _asked(words)
    for flag, reason in NOT_READ.items():
        if reason and getattr(asked, _name(flag)) is not None:
            _tell(f"{flag} is not read: {reason}.")
    from sen4cap.app import crop_types, logs, system

    logs.open_terminal()
    with progress_bar() as progress, system.session() as here:
        done = crop_types.classify(
            here,
            asked.site_id,
            asked.season_start,
            asked.season_end,
            asked.out_path,
            _overrides(asked),
            progress,
        )
    job = done.outcome.job
    verb = "made" if done.outcome.made else "already stood:"
    print(f"Job {job.id} {job.status}: {verb} {done.product.name}.")  # noqa: T201 - it speaks
    print(f"Copied {len(done.files)} files to {asked.out_path}.")  # noqa: T201 - it speaks


def _overrides(asked: argparse.Namespace) -> dict[str, Any]:
    keys = [item.key for item in parameters_of(processor("l4a").params)]
    given = {key: getattr(asked, key.replace("-", "_")) for key in keys}
    if asked.tiles is not None:
        given["tiles"] = " ".join(TILE.sub(r"\1", tile) for tile in asked.tiles)
    return {key: value for key, value in given.items() if value is not None}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence, and the exit code of wrong usage."""
        self.exit(2, f"{NAME}: {message[:1].upper()}{message[1:]}; --help tells the options.\n")


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    asked, unknown = parser.parse_known_args(words)
    if unknown:
        parser.error(f"there is no option {' '.join(unknown)}")
    if asked.products is not None:
        parser.error(
            "--products cannot choose images here: leave it out, and choose by --tiles and "
            "--season-end"
        )
    return asked


def _parser() -> _Parser:
    parser = _Parser(
        prog=NAME,
        description="Crop type per parcel, by the arguments of the original.",
        allow_abbrev=False,
    )
    parser.add_argument(
        *("-s", "--site-id"), required=True, help="Short name of the site, or its number."
    )
    parser.add_argument("-m", "--mode", help="both, s1-only or s2-only.")
    for end in ("start", "end"):
        parser.add_argument(
            f"--season-{end}", required=True, type=_day, help="YYYY-MM-DD or YYYYMMDD."
        )
    parser.add_argument(
        "--out-path", type=Path, default=Path(), help="Folder the files are copied to."
    )
    parser.add_argument("--tiles", nargs="+", help="Tiles that count; else all.")
    parser.add_argument("--products", nargs="+", help=argparse.SUPPRESS)
    _add_parameters(parser)
    group = parser.add_argument_group("of the original, not needed here")
    for flag, reason in NOT_READ.items():
        switch: dict[str, Any] = {"action": "store_true"} if flag in SWITCHES else {}
        group.add_argument(flag, help=reason, **switch)
    return parser


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    """The processor's parameters under their keys, which are the original's options."""
    chosen = processor("l4a")
    group = parser.add_argument_group("parameters")
    for item in parameters_of(chosen.params):
        if item.key not in OWN:
            default = as_text(item.default) or "empty"
            told = f"{item.title}. Key {config_key(chosen.id, item.key)}, declared {default}."
            group.add_argument(f"--{item.key}", help=told.replace("%", "%%"))


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _day(text: str) -> date:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no day: give it as 2020-12-31") from None


def _tell(sentence: str) -> None:
    print(f"{NAME}: {sentence}", file=sys.stderr)  # noqa: T201 - the command line speaks
