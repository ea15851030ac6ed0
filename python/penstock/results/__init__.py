"""Results: what happens to a value after its call ended.

A store holds large values within a budget: as objects while there is memory, then packed, then on disk,
and gives them back equal. It decides nothing by itself (`rust/core/src/pack/` does) and knows no engine.
Read `options.py` first, then `store.py`, `forms.py` and `spill.py`. What needs files, threads and a
cipher is loaded when its name is first used: most engines never see a large value.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock.results.options import Results

if TYPE_CHECKING:
    from penstock.results._protocol import Description, ResultBackend
    from penstock.results.handles import READ_RESULT, Cap, capped, read_result
    from penstock.results.ref import ResultRef
    from penstock.results.statistics import RecoveryStatistics, ResultStatistics, SpillStatistics
    from penstock.results.store import ResultStore

_HOMES = {
    "READ_RESULT": "handles",
    "Cap": "handles",
    "Description": "_protocol",
    "RecoveryStatistics": "statistics",
    "ResultBackend": "_protocol",
    "ResultRef": "ref",
    "ResultStatistics": "statistics",
    "ResultStore": "store",
    "SpillStatistics": "statistics",
    "capped": "handles",
    "read_result": "handles",
}

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


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"penstock.results.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
