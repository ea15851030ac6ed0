"""Finding an executor, by its name or by the host mode of a tool."""

from penstock._registry import Registry
from penstock.engine.executors._protocol import Factory

EXECUTORS: Registry[Factory] = Registry(
    "executor", "penstock.engine.executors", "EXECUTOR", Factory
)
"""Every executor of this folder and of the entry points `penstock.executor`."""

# Known here, so that no engine has to import all executors, or to read all entry points.
_OF_THE_LOOP = ("call", "task", "inline")


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
    """Return the executor that serves a host mode: that of its name, but for those of the loop.

    Raises:
        UnknownPlugin: no executor serves it; names the nearest.
    """
    return get("loop" if mode in _OF_THE_LOOP else mode)
