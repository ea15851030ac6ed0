"""What must not be kept of calls: parameters that are secret, and their texts wherever they stand.

A parameter is secret if its schema says so (`writeOnly`, or the format `password`, as pydantic's
`SecretStr` has), or if its name does (`password`, `api_key`, `token`).
"""

from collections.abc import Iterator
from typing import Any

from penstock.errors import BadValue, sounds_secret
from penstock.tools import Tool

SHORTEST_SECRET = 4
"""Characters: shorter ones would be found in what is none."""

MASK = "***"


def secret_names(tool: Tool[..., Any]) -> frozenset[str]:
    """Return the parameters of a tool that its schema calls secret, at any depth."""
    try:
        return frozenset(_hidden(tool.schema))
    except BadValue:  # a default without a JSON form: the names alone must do
        return frozenset()


def secret_texts(value: Any, names: frozenset[str], *, inside: bool = False) -> Iterator[str]:
    """Yield the texts of what is secret in a value.

    Args:
        value: as JSON has it.
        names: of fields that are secret, beside those that sound so.
        inside: whether all of it is secret.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            is_secret = inside or key in names or sounds_secret(key)
            yield from secret_texts(item, names, inside=is_secret)
    elif isinstance(value, list):
        for item in value:
            yield from secret_texts(item, names, inside=inside)
    elif inside and isinstance(value, str | int) and len(str(value)) >= SHORTEST_SECRET:
        yield str(value)


def without_secrets(value: Any, names: frozenset[str], texts: frozenset[str]) -> Any:
    """Return a value without its secret fields, and with `***` for secret texts elsewhere.

    Args:
        value: as JSON has it.
        names: of fields that are secret, beside those that sound so.
        texts: that are secret.
    """
    if isinstance(value, dict):
        return {
            masked(key, texts): without_secrets(item, names, texts)
            for key, item in value.items()
            if key not in names and not sounds_secret(key)
        }
    if isinstance(value, list):
        return [without_secrets(item, names, texts) for item in value]
    if isinstance(value, str):
        return masked(value, texts)
    return MASK if type(value) is int and str(value) in texts else value


def masked(text: str, texts: frozenset[str]) -> str:
    """Return a text with `***` where a secret stands, the longest first."""
    for secret in sorted(texts, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _hidden(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _hidden(item)
    elif isinstance(schema, dict):
        properties = schema.get("properties")
        for name, what in properties.items() if isinstance(properties, dict) else ():
            if _is_hidden(what):
                yield name
        for item in schema.values():
            yield from _hidden(item)


def _is_hidden(what: Any) -> bool:
    """Whether a schema, or one of those that it chooses from, is that of a secret."""
    if isinstance(what, list):
        return any(map(_is_hidden, what))
    if not isinstance(what, dict):
        return False
    if what.get("writeOnly") is True or what.get("format") == "password":
        return True
    return any(_is_hidden(what.get(word)) for word in ("anyOf", "oneOf", "allOf", "items"))
