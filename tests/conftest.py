"""Fixtures that every floor of tests may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from sen4cap.errors import ServiceUnavailable
from sen4cap.testing import postgresql

REQUIRED = os.environ.get("SEN4CAP_REQUIRE_SERVICES") == "1"


def unavailable(reason: str) -> None:
    """Skip a test for a missing service, or fail it where services are required."""
    if REQUIRED:
        pytest.fail(f"{reason} (SEN4CAP_REQUIRE_SERVICES=1)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets: SEN4CAP_TEST_DATA, by default `../shared/data`."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SEN4CAP_TEST_DATA", default))
    if not folder.is_dir():
        unavailable(f"no real data: set SEN4CAP_TEST_DATA, '{folder.name}' is not there")
    return folder


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of the maintenance database of a throw-away PostgreSQL server."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgresql.server())
        except ServiceUnavailable as error:
            unavailable(str(error))
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database of the test's own."""
    with postgresql.database(postgresql_server, f"test_{uuid4().hex[:12]}") as url:
        yield url
