"""What every installed processor does alike; an out-of-tree one is picked up as well."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sen4cap.processors
from sen4cap.cli import app
from sen4cap.domain import ProductType
from sen4cap.processing import (
    Processor,
    Scope,
    as_text,
    config_metadata,
    json_schema,
    parameters_of,
    processor,
    processors,
    validate,
)

SCOPE = Scope("site", "2023", datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture(params=sorted(processors()))
def installed(request: pytest.FixtureRequest) -> Processor:
    return processor(request.param)


def test_the_built_in_ones_are_installed() -> None:
    assert set(processors()) >= {"l3b", "l3_composite", "s4c_mdb1", "s4c_l4a", "s4c_l4b"}


def test_it_describes_itself(installed: Processor) -> None:
    assert installed.id == installed.tag.partition("/")[0]
    assert installed.title
    assert installed.description.endswith(".")
    assert set(installed.consumes) <= set(ProductType)
    for item in parameters_of(installed.params):
        assert item.title
        assert item.description.endswith("."), item.key
        if isinstance(item.default, int | float) and not isinstance(item.default, bool):
            assert item.minimum is not None, item.key
            assert item.maximum is not None, item.key


def test_defaults_survive_text_and_json(installed: Processor) -> None:
    declared = installed.params()
    texts = {item.key: as_text(item.default) for item in parameters_of(installed.params)}
    assert validate(installed.id, installed.params, texts) == declared
    json = declared.model_dump(mode="json", by_alias=True)
    assert validate(installed.id, installed.params, json) == declared


def test_rows_of_configuration_and_schema_name_the_same_keys(installed: Processor) -> None:
    rows = config_metadata(installed.id, installed.category, installed.params)
    keys = {row.key.removeprefix(f"processor.{installed.id}.") for row in rows}
    schema = json_schema(installed.params)
    assert keys == set(schema["properties"])
    assert "$ref" not in str(schema)


def test_without_products_there_is_nothing_to_do(installed: Processor) -> None:
    assert list(installed.select(installed.params(), SCOPE, [])) == []


def test_every_parameter_is_an_option(installed: Processor) -> None:
    told = CliRunner().invoke(app, ["run", installed.id, "--help"], env={"COLUMNS": "200"}).output
    for item in parameters_of(installed.params):
        assert f"--{item.name.replace('_', '-')}" in told


def test_every_built_in_one_is_documented() -> None:
    root = Path(sen4cap.processors.__file__).parent
    folders = [item for item in root.iterdir() if (item / "__init__.py").is_file()]
    assert len(folders) >= 3
    for folder in folders:
        text = (folder / "README.md").read_text("utf-8")
        assert text.startswith("# ")
        assert "reference" in text.lower(), folder.name
