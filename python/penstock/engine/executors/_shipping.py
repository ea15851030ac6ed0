"""What goes to a worker process and what comes back: jobs as frames, answers and deaths as outcomes."""

import contextlib
import pickle
import signal

from penstock.engine.executors._frames import pack
from penstock.engine.executors._protocol import Job, finish
from penstock.engine.executors._telling import Told
from penstock.engine.executors._worker import Answer, Failure
from penstock.errors import ExecutorFailed, TransferFailed, WorkerDied


class Sent:
    """A job that was begun, with what its worker was sent."""

    __slots__ = ("frame", "job", "tool")

    def __init__(self, job: Job, frame: bytes) -> None:
        """Keep both: a job that its worker did not begin is sent again."""
        self.job = job
        self.tool = job.tool
        self.frame = frame


def begin(job: Job) -> Sent | None:
    """Take a job up; None if it needs no worker: it was withdrawn, or cannot be sent."""
    begun = job.begin()
    if begun is None:
        return None
    _run, (_function, *values), named = begun
    try:
        return Sent(job, pack((job.tool, values, named)))
    except Exception as error:  # noqa: BLE001 - pickling runs code of the arguments
        finish(job, None, TransferFailed(job.tool, "arguments", str(error)))
        return None


def read(tool: str, body: bytearray) -> Told | tuple[Answer, BaseException | None]:
    """Return a worker's answer and what the call failed with, if it did; or what it tells before."""
    try:
        said = pickle.loads(body)  # noqa: S301 - from a process of our own
        if isinstance(said[0], str):
            return Told(*said)
        answer = Answer(*said)
    except Exception as error:  # noqa: BLE001 - unpickling runs code of the value
        return Answer(0.0, None), TransferFailed(tool, "value", repr(error))
    return answer, None if answer.failure is None else _error(tool, answer.failure)


def tell(job: Job, told: Told) -> None:
    """Tell those who watch a job's call. What cannot be read here is left out."""
    with contextlib.suppress(Exception):  # unpickling runs code of what was told
        if told.progress is not None:
            job.progress(**pickle.loads(told.progress))  # noqa: S301 - from a process of our own
    for part in told.output:
        with contextlib.suppress(Exception):
            job.output(pickle.loads(part))  # noqa: S301


def _error(tool: str, failure: Failure) -> BaseException:
    """What a call failed with, as it was raised where that can be."""
    if failure.what == "import":
        return ExecutorFailed("process", failure.text)
    if failure.what != "error":
        return TransferFailed(tool, failure.what, failure.text)
    raised: BaseException = TransferFailed(tool, "error", failure.text)
    if failure.error is not None:
        with contextlib.suppress(Exception):  # unpickling runs code of the exception
            loaded = pickle.loads(failure.error)  # noqa: S301 - from a process of our own
            raised = loaded if isinstance(loaded, BaseException) else raised
    raised.add_note(f"In the worker process:\n{failure.trace}")
    return raised


def death(tool: str, code: int) -> WorkerDied:
    """Return what a call fails with whose worker ended with this code."""
    if code >= 0:
        return WorkerDied(tool, "", code)
    try:
        return WorkerDied(tool, signal.Signals(-code).name)
    except ValueError:  # a real-time signal has no name
        return WorkerDied(tool, f"signal {-code}")
