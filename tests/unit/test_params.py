"""One declaration: keys, bounds, text, schema."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import pytest

from sen4cap.domain import DataType
from sen4cap.errors import InvalidParameter
from sen4cap.processing import (
    Params,
    config_metadata,
    json_schema,
    parameter,
    parameters_of,
    validate,
)


class Mode(StrEnum):
    BOTH = "both"
    S2 = "s2-only"


class Pixel(IntEnum):
    TEN = 10
    TWENTY = 20


class Example(Params):
    num_trees: int = parameter(300, title="Trees", description="Rounds.", ge=0, le=1000)
    mode: Mode = parameter(Mode.BOTH, title="Sensors", description="Which.")
    pixel: Pixel = parameter(Pixel.TEN, title="Pixel", description="Size.", unit="m")
    produce_ndvi: bool = parameter(
        True, key="filter.produce_ndvi", title="NDVI", description="Make it.", advanced=True
    )


def test_rows_of_config_metadata_follow_the_declaration() -> None:
    rows = {row.key: row for row in config_metadata("example", "Example", Example)}
    trees = rows["processor.example.num-trees"]
    assert (trees.type, trees.default_value) == (DataType.INT, "300")
    assert trees.values == {"min": 0, "max": 1000}
    assert rows["processor.example.mode"].values == {"allowed_values": ["both", "s2-only"]}
    ndvi = rows["processor.example.filter.produce_ndvi"]
    assert (ndvi.type, ndvi.default_value, ndvi.is_advanced) == (DataType.BOOL, "true", True)
    assert rows["processor.example.pixel"].unit == "m"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("true", True)])
def test_booleans_of_both_kinds_are_read(text: str, value: bool) -> None:
    assert validate("example", Example, {"filter.produce_ndvi": text}).produce_ndvi is value


def test_numeric_choices_are_read_from_text() -> None:
    assert validate("example", Example, {"pixel": "20"}).pixel is Pixel.TWENTY


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"num-trees": "1001"},
            r"processor\.example\.num-trees = '1001' is refused: .* from 0 to 1000",
        ),
        ({"num-trees": "many"}, r"processor\.example\.num-trees = 'many' is refused"),
        ({"mode": "s3"}, r"processor\.example\.mode = 's3' is refused: give one of both"),
        ({"trees": "1"}, r"processor\.example\.trees is no parameter; known are: .*num-trees"),
    ],
)
def test_a_refusal_names_the_key_and_what_is_allowed(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidParameter, match=sentence):
        validate("example", Example, given)


def test_schema_has_no_references() -> None:
    schema = json_schema(Example)
    assert "$ref" not in str(schema)
    assert schema["properties"]["mode"]["enum"] == ["both", "s2-only"]
    assert schema["properties"]["num-trees"]["maximum"] == 1000


def test_parameters_survive_json() -> None:
    chosen = Example(num_trees=7, mode=Mode.S2)
    again = validate("example", Example, chosen.model_dump(mode="json", by_alias=True))
    assert again == chosen
    assert next(item.key for item in parameters_of(Example)) == "num-trees"
