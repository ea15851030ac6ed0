"""Executors: where the code of a tool runs when the host does not run it itself.

Each file is one executor: a `Factory`, `EXECUTOR`, and the `Executor` that it makes. The host hands
over jobs; the executor begins each, runs it, and says how it ended. It decides neither order nor
limits. Read `_protocol.py` first, then `thread.py`.
"""

from penstock.engine.executors._catalogue import get, names, serving
from penstock.engine.executors._protocol import Executor, ExecutorOptions, Factory, Job

__all__ = ["Executor", "ExecutorOptions", "Factory", "Job", "get", "names", "serving"]
