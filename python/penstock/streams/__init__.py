"""Streams: what happens to calls, in order, for any number of watchers at their own pace.

A stream is the log of one batch, or of an engine. It is bounded: who falls behind the oldest record
is told which events were missed, and goes on from a snapshot. Nobody who watches slows down the calls
or the other watchers. It is not a queue: nothing is taken out by reading.

Read `watch.py` first: a `Subscription` is one watcher. `fold.py` says what events add up to.
"""

from penstock.streams._protocol import StreamBackend, StreamLog
from penstock.streams.encode import Encoded, error_record
from penstock.streams.fold import BatchView, CallView, fold
from penstock.streams.log import EngineStream, Stream
from penstock.streams.watch import Subscription

__all__ = [
    "BatchView",
    "CallView",
    "Encoded",
    "EngineStream",
    "Stream",
    "StreamBackend",
    "StreamLog",
    "Subscription",
    "error_record",
    "fold",
]
