"""JSON schema of a processor's parameters, with every reference inlined.

Forms and OGC API - Processes clients cannot follow `$ref`.
"""

from __future__ import annotations

from typing import Any

from sen4cap.processing.params import Params


def json_schema(declared: type[Params]) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a declaration, keys as in configuration, no `$ref`."""
    schema = declared.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    inlined = _inline(schema, definitions)
    assert isinstance(inlined, dict)
    return inlined


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        return {
            **_inline(target, definitions),
            **_inline({k: v for k, v in node.items() if k != "$ref"}, definitions),
        }
    return {key: _inline(value, definitions) for key, value in node.items()}
