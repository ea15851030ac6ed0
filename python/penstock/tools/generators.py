"""Tools that are `async def` generators: what they yield is told at once, and joined to their value."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from penstock._native import measure, output, value_bytes
from penstock.errors import ResultTooLarge
from penstock.tools.signature import layers


def is_streaming(function: Callable[..., Any]) -> bool:
    """Return whether calling `function` gives an asynchronous generator."""
    inner = list(layers(function))
    return inspect.isasyncgenfunction(inner[-1]) and not any(
        inspect.iscoroutinefunction(layer) for layer in inner
    )


def collected(
    function: Callable[..., Any],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return a coroutine function that runs a generator to its end.

    Each part is given to those who watch as it comes. The value is the text or the bytes of all parts,
    or the list of them. One that grows larger than a value may be is stopped there.
    """

    @functools.wraps(function)
    async def collect(*args: Any, **named: Any) -> Any:
        parts, size, most = [], 0, value_bytes()
        async with aclosing(function(*args, **named)) as given:
            async for part in given:
                output(part)
                parts.append(part)
                size += len(part) if isinstance(part, str | bytes) else measure(part)[0]
                if most is not None and size > most:
                    raise ResultTooLarge(size, most)
        return joined(parts)

    return collect


def joined(parts: Sequence[Any]) -> Any:
    """Return text for parts that are text, bytes for bytes, else the list of them."""
    for kind in (str, bytes):
        if parts and all(isinstance(part, kind) for part in parts):
            return kind().join(parts)
    return list(parts)
