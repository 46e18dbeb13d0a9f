"""Parameters of a processor, declared once.

From a `Params` class come the CLI options, the rows of `config` and `config_metadata`, the JSON
schema and the forms. The key of a parameter is `processor.<short name>.<key>`; where the original
has the parameter, key, default and bounds are the original's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from sen4cap.domain import ConfigMetadata, DataType
from sen4cap.errors import InvalidParameter

P = TypeVar("P", bound="Params")
ENGINE = "executor"
"""Owner of the parameters of step execution."""


class Params(BaseModel):
    """Base of all parameter declarations: frozen, strict about names."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )


def parameter(
    default: Any,
    *,
    title: str,
    description: str,
    unit: str = "",
    key: str | None = None,
    advanced: bool = False,
    ge: float | None = None,
    le: float | None = None,
) -> Any:
    """Declare one parameter of a `Params` class.

    `key` is its name in configuration, by default the field's name with dashes. `ge` and `le`
    are its bounds, both included.
    """
    return Field(
        default,
        title=title,
        description=description,
        alias=key,
        ge=ge,
        le=le,
        json_schema_extra={"unit": unit, "advanced": advanced},
    )


@dataclass(frozen=True)
class Parameter:
    """What is known of one declared parameter."""

    name: str
    """Python name of the field."""
    key: str
    """Name within the processor's configuration."""
    type: DataType
    annotation: Any
    default: Any
    title: str
    description: str
    unit: str
    advanced: bool
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()

    @property
    def bounds(self) -> Mapping[str, Any] | None:
        """Content of the `values` column of `config_metadata`."""
        if self.allowed:
            return {"allowed_values": list(self.allowed)}
        limits = {"min": self.minimum, "max": self.maximum}
        found = {name: value for name, value in limits.items() if value is not None}
        return found or None


def parameters_of(declared: type[Params]) -> tuple[Parameter, ...]:
    """The parameters of a declaration, in order."""
    return tuple(_parameter(name, info) for name, info in declared.model_fields.items())


def _parameter(name: str, info: FieldInfo) -> Parameter:
    extra = cast("dict[str, Any]", info.json_schema_extra or {})
    limits = {
        kind: getattr(item, kind)
        for item in info.metadata
        for kind in ("ge", "le")
        if getattr(item, kind, None) is not None
    }
    choices = info.annotation if _is_enum(info.annotation) else ()
    return Parameter(
        name=name,
        key=info.alias or name,
        type=_data_type(info.annotation),
        annotation=info.annotation,
        default=info.default,
        title=info.title or name,
        description=info.description or "",
        unit=str(extra.get("unit", "")),
        advanced=bool(extra.get("advanced", False)),
        minimum=limits.get("ge"),
        maximum=limits.get("le"),
        allowed=tuple(str(choice.value) for choice in cast("Iterable[Enum]", choices)),
    )


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def _data_type(annotation: Any) -> DataType:
    if _is_enum(annotation):
        return DataType.SELECT
    kinds = {bool: DataType.BOOL, int: DataType.INT, float: DataType.FLOAT, date: DataType.DATE}
    return kinds.get(annotation, DataType.STRING)


def config_key(owner: str, key: str) -> str:
    """Full configuration key of a parameter of a processor, or of the engine, `executor`."""
    return f"{owner}.{key}" if owner == ENGINE else f"processor.{owner}.{key}"


def as_text(value: Any) -> str:
    """A parameter's value as it stands in `config`: booleans `true`/`false`, None empty."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def config_metadata(
    processor: str, category: str, declared: type[Params]
) -> tuple[ConfigMetadata, ...]:
    """Rows of `config_metadata` for a processor."""
    return tuple(
        ConfigMetadata(
            key=config_key(processor, item.key),
            friendly_name=item.title,
            type=item.type,
            default_value=as_text(item.default),
            description=item.description,
            unit=item.unit,
            category=category,
            is_advanced=item.advanced,
            values=item.bounds,
        )
        for item in parameters_of(declared)
    )


def validate(processor: str, declared: type[P], values: Mapping[str, Any]) -> P:
    """Parameters from values given under keys or names, as text or typed.

    Raises
    ------
    InvalidParameter
        With the full key and what is allowed, for the first value that is unknown, of the wrong
        type or out of bounds.
    """
    try:
        return declared.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        known = {key: item for item in parameters_of(declared) for key in (item.key, item.name)}
        raise InvalidParameter(_refusal(processor, name, first, known)) from error


def _refusal(
    processor: str, name: str, error: Mapping[str, Any], known: Mapping[str, Parameter]
) -> str:
    if name not in known:
        keys = ", ".join(sorted({item.key for item in known.values()}))
        return f"{config_key(processor, name)} is no parameter; known are: {keys}."
    item = known[name]
    return (
        f"{config_key(processor, item.key)} = {error['input']!r} is refused: "
        f"{_allowed(item, str(error['msg']))}."
    )


def _allowed(item: Parameter, message: str) -> str:
    """What may be given instead, in words."""
    if item.allowed:
        return f"give one of {', '.join(item.allowed)}"
    if item.minimum is not None and item.maximum is not None:
        kind = "a whole number" if item.type is DataType.INT else "a number"
        return f"give {kind} from {item.minimum:g} to {item.maximum:g}"
    if item.type is DataType.BOOL:
        return "give true or false"
    return message.removeprefix("Value error, ").rstrip(".")
