"""Which policies there are, and in which order they are around a call."""

import functools
from collections.abc import Iterable

from penstock._registry import Registry
from penstock.engine.policies._protocol import Policy

POLICIES: Registry[Policy] = Registry("policy", "penstock.engine.policies", "POLICY", Policy)
"""Every policy of this folder and of the entry points `penstock.policy`."""


@functools.cache
def installed() -> tuple[Policy, ...]:
    """Return every policy, the outermost first. Looked up once: engines are made often.

    Raises:
        BadPlugin, DuplicatePlugin, MissingExtra: an installed policy cannot be loaded. What was
            installed to guard calls must not be left out in silence; the operator acts.
    """
    return in_order(POLICIES.get(name) for name in POLICIES.names())


def in_order(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Return policies from the outermost to the innermost."""
    return tuple(sorted(policies, key=lambda policy: (policy.slot, policy.name)))
