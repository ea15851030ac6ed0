"""The nouns: a `Call` asks for a tool, an `Outcome` says what became of it, a `Ref` links two calls.

All three are native and frozen. Every call gets exactly one outcome.
"""

from penstock._native import Call, Outcome, Ref

__all__ = ["Call", "Outcome", "Ref"]
