"""The engine: takes calls, runs them inside every limit, gives one outcome for each.

It knows tools, plans and limits, and no provider, server or store: whoever streams a reply says in
which format. What is decided (order,
gates, deadlines, the end of a call) is decided in Rust; here is what people hold. Read `engine.py`
first, then `batch.py`.
"""

from penstock.engine.batch import Batch, Branch
from penstock.engine.engine import Engine
from penstock.engine.executors.command import Command, Completed
from penstock.engine.flights import Flight
from penstock.engine.guessing import (
    Expected,
    Facts,
    Guessing,
    Prepared,
    Pressure,
    Room,
    Strain,
    Underway,
)
from penstock.engine.hooks import Listener, Talk
from penstock.engine.loop import run
from penstock.engine.prepare import prepared
from penstock.engine.race import Race
from penstock.engine.reply import Reply, ReplyStatistics
from penstock.engine.session import Session
from penstock.engine.staging import DeadLetter, PreparationCounts
from penstock.engine.statistics import (
    CommandCounts,
    ProcessCounts,
    Statistics,
    ThreadCounts,
    ToolCounts,
)
from penstock.engine.sync import run_sync

__all__ = [
    "Batch",
    "Branch",
    "Command",
    "CommandCounts",
    "Completed",
    "DeadLetter",
    "Engine",
    "Expected",
    "Facts",
    "Flight",
    "Guessing",
    "Listener",
    "PreparationCounts",
    "Prepared",
    "Pressure",
    "ProcessCounts",
    "Race",
    "Reply",
    "ReplyStatistics",
    "Room",
    "Session",
    "Statistics",
    "Strain",
    "Talk",
    "ThreadCounts",
    "ToolCounts",
    "Underway",
    "prepared",
    "run",
    "run_sync",
]
