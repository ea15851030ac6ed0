"""Settled arguments: written the same way for the same call, as far as the tool's schema says that.

Defaults of the schema are filled in at every depth, texts are in Unicode's normal form NFC. Numbers and the
order of keys are the core's (`canonical`). A guess is made of settled arguments; which run answers which
call is decided by what the tool receives, byte for byte (`engine/policies/_key.py`), never by this.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

DEEPEST = 64
"""Levels of nesting that are looked into."""


def settled(arguments: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value with the defaults of its schema, and its texts in NFC.

    Args:
        arguments: as JSON has them; nothing of them is changed.
        schema: a JSON Schema, with `$defs` if it has references.
    """
    return _settled(arguments, schema, schema, DEEPEST)


def _settled(value: Any, schema: Any, root: Mapping[str, Any], levels: int) -> Any:
    if not levels:
        return value
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    schema = _resolved(schema, root)
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_settled(item, items, root, levels - 1) for item in value]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties", {})
    filled = {
        name: what["default"]
        for name, what in properties.items()
        if isinstance(what, dict) and "default" in what and name not in value
    }
    return {
        name: _settled(item, properties.get(name, {}), root, levels - 1)
        for name, item in (*value.items(), *filled.items())
    }


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, or what it refers to; nothing where it leaves a choice."""
    for _ in range(DEEPEST):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = root.get("$defs", {}).get(reference.removeprefix("#/$defs/"))
    return {}
