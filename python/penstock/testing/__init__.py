"""For tests of programs that use Penstock, and of Penstock itself: time that does not pass by itself,
and outcomes made by hand.
"""

from penstock.testing.outcomes import outcome
from penstock.testing.virtual_loop import Deadlock, VirtualLoop

__all__ = ["Deadlock", "VirtualLoop", "outcome"]
