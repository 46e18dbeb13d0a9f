"""Names that become folders, files, tables and columns."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sen4cap.domain import Grid, Product, ProductType, Season, Site
from sen4cap.errors import InvalidParameter

NOON = datetime(2018, 7, 1, 12, tzinfo=UTC)


def season(name: str) -> Season:
    return Season("s", name, date(2018, 1, 1), date(2018, 12, 31))


def grid(name: str) -> Grid:
    return Grid(name, "EPSG:32631", (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), 1, 1)


def product(name: str) -> Product:
    return Product(name, "s", ProductType.L2A, "31UDS", NOON, NOON, "0" * 32)


@pytest.mark.parametrize("make", [season, grid, product])
@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/a", "-a", "_a", "a b", "é", "a\n", "a" * 201]
)
def test_names_that_lead_out_of_a_folder_are_refused(make: type, name: str) -> None:
    with pytest.raises(InvalidParameter, match="cannot name a"):
        make(name)


@pytest.mark.parametrize("name", ["2018", "31UDS", "winter-2019_b.1", "a" * 63])
def test_plain_names_are_taken(name: str) -> None:
    assert season(name).name == grid(name).name == product(name).name == name


def test_lengths_end_where_tables_and_files_end() -> None:
    """PostgreSQL: 63 bytes, of which `decl_` and `_2018` are 10."""
    for make in (season, grid):
        with pytest.raises(InvalidParameter, match="at most 63"):
            make("a" * 64)
    assert product("a" * 200).name == "a" * 200
    assert len(f"decl_{Site('x', 'a' * 50).short_name}_2018") <= 63
    with pytest.raises(InvalidParameter, match="at most 50"):
        Site("x", "a" * 51)
