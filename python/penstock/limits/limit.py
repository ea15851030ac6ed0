"""`Limit`: a bound on a scope, given to the engine when it is made."""

from dataclasses import dataclass
from typing import Literal, Self, cast, get_args

from penstock.errors import ConfigError

ScopeKind = Literal["tool", "service"]


@dataclass(frozen=True, slots=True)
class Limit:
    """How many calls of a scope may run at once. Made by `Limit.concurrency`.

    Attributes:
        kind: what the scope is: a tool or a service.
        name: which one.
        concurrent: calls in flight at once, at least 1.

    Raises:
        ConfigError: a field is something else; the caller acts.
    """

    kind: ScopeKind
    name: str
    concurrent: int

    def __post_init__(self) -> None:
        if self.kind not in get_args(ScopeKind):
            raise ConfigError("kind", self.kind, "must be 'tool' or 'service'")
        if type(self.name) is not str or not self.name:
            raise ConfigError("name", self.name, f"must be the name of a {self.kind}")
        if type(self.concurrent) is not int or not 1 <= self.concurrent < 2**32:
            raise ConfigError("concurrent", self.concurrent, "a whole number of calls, at least 1")

    @classmethod
    def concurrency(cls, scope: str, concurrent: int) -> Self:
        """Bound the calls in flight of one scope.

        Args:
            scope: `"service:NAME"`, shared by all tools that declare that service, or
                `"tool:NAME"`.
            concurrent: calls at once, at least 1. A call is in flight until its code has really
                ended, also after it was cancelled.

        Raises:
            ConfigError: the scope is neither, or the number is below 1; the caller acts.
        """
        kind, _, name = str(scope).partition(":")  # what is no text is told like a wrong one
        if kind not in get_args(ScopeKind) or not name:
            raise ConfigError("scope", scope, 'a scope is "service:NAME" or "tool:NAME"')
        return cls(cast(ScopeKind, kind), name, concurrent)
