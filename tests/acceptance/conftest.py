"""The command line as its user sees it, on a home of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sen4cap.cli import app


@dataclass(frozen=True)
class Terminal:
    """Runs commands of one installation."""

    home: Path
    url: str | None = None

    def __call__(self, *words: object) -> Any:
        """What a command prints as JSON; its error, if it fails."""
        environment = {"SEN4CAP_HOME": str(self.home), "SEN4CAP_DATABASE_URL": self.url or ""}
        if self.url is None:
            environment = {"SEN4CAP_HOME": str(self.home)}
        result = CliRunner().invoke(
            app, [*map(str, words), "--json"], env=environment, catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not see the settings of who runs them."""
    for name in [name for name in os.environ if name.startswith("SEN4CAP_")]:
        if name not in {"SEN4CAP_TEST_DATA", "SEN4CAP_REQUIRE_SERVICES"}:
            monkeypatch.delenv(name)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """An installation on the embedded database."""
    return Terminal(tmp_path / "home")


@pytest.fixture
def open_terminal(tmp_path: Path) -> Callable[[str, str | None], Terminal]:
    """Further installations, by name and database."""
    return lambda name, url=None: Terminal(tmp_path / name, url)
