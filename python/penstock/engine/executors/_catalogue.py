"""Finding an executor, by its name or by the host mode of a tool."""

from penstock._registry import Registry
from penstock.engine.executors._protocol import Factory
from penstock.errors import UnknownPlugin, nearest

EXECUTORS: Registry[Factory] = Registry(
    "executor", "penstock.engine.executors", "EXECUTOR", Factory
)
"""Every executor of this folder and of the entry points `penstock.executor`."""


def names() -> tuple[str, ...]:
    """Return the names of all executors, sorted."""
    return EXECUTORS.names()


def get(name: str) -> Factory:
    """Return the executor `name`.

    Raises:
        UnknownPlugin: there is none; names the nearest.
    """
    return EXECUTORS.get(name)


def serving(mode: str) -> Factory:
    """Return the executor that serves a host mode.

    Its own name is a mode of most executors, so that one file is imported; else all are asked.

    Raises:
        UnknownPlugin: no executor serves it; names the nearest modes.
    """
    if mode in names() and mode in get(mode).modes:
        return get(mode)
    factories = [get(name) for name in names()]
    for factory in factories:
        if mode in factory.modes:
            return factory
    known = [known for factory in factories for known in factory.modes]
    raise UnknownPlugin("host mode", mode, nearest(mode, known))
