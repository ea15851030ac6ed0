"""Results: what happens to a value after its call ended.

A store holds large values within a budget: as objects while there is memory, then packed, then on disk,
and gives them back equal. It decides nothing by itself (`rust/core/src/pack/` does) and knows no engine.
Read `options.py` first, then `store.py`, `forms.py` and `spill.py`.
"""

from penstock.results._protocol import Description, ResultBackend
from penstock.results.handles import READ_RESULT, Cap, capped, read_result
from penstock.results.options import Results
from penstock.results.ref import ResultRef
from penstock.results.statistics import RecoveryStatistics, ResultStatistics, SpillStatistics
from penstock.results.store import ResultStore

__all__ = [
    "READ_RESULT",
    "Cap",
    "Description",
    "RecoveryStatistics",
    "ResultBackend",
    "ResultRef",
    "ResultStatistics",
    "ResultStore",
    "Results",
    "SpillStatistics",
    "capped",
    "read_result",
]
