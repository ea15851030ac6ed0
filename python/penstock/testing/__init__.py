"""For tests of programs that use Penstock, and of Penstock itself.

Time that does not pass by itself, outcomes made by hand, and cancellation at every moment.
"""

from penstock.testing.chaos import every_cancel_point
from penstock.testing.outcomes import outcome
from penstock.testing.virtual_loop import VirtualLoop

__all__ = ["VirtualLoop", "every_cancel_point", "outcome"]
