"""For tests of programs that use Penstock, and of Penstock itself.

Time that does not pass by itself, and outcomes made by hand.
"""

from penstock.testing.outcomes import outcome
from penstock.testing.virtual_loop import VirtualLoop

__all__ = ["VirtualLoop", "outcome"]
