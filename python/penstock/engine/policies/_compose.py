"""Building a tool's path through the policies that it uses, once, when the tool is registered."""

from collections.abc import Iterable

from penstock.engine.policies._catalogue import in_order, installed
from penstock.engine.policies._protocol import Policy, Run, Services, ToolView


def compose(
    tool: ToolView, attempt: Run, services: Services, policies: Iterable[Policy] | None = None
) -> Run:
    """Return what runs a call of `tool`: `attempt` inside a layer for each policy that it uses.

    Args:
        tool: what is registered.
        attempt: runs the tool once, through its gates and limits.
        services: the engine's.
        policies: in any order; None for all that are installed.

    Returns:
        A coroutine function `(info, arguments)`; `attempt` itself if the tool uses no policy.

    Raises:
        ConfigError: a policy does not fit the tool; the author of the tool acts.
    """
    run = attempt
    for policy in reversed(used_by(tool, policies)):
        run = policy.build(tool, run, services)
    return run


def is_layered(tool: ToolView) -> bool:
    """Return whether calls of `tool` pass any policy that is installed.

    Raises:
        ConfigError: one of them does not fit the tool; the author of the tool acts.
    """
    return bool(used_by(tool))


def used_by(tool: ToolView, policies: Iterable[Policy] | None = None) -> list[Policy]:
    """Return the policies that calls of `tool` pass, the outermost first."""
    order = installed() if policies is None else in_order(policies)
    return [policy for policy in order if policy.is_used_by(tool)]
