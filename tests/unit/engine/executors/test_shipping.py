"""Jobs as frames, answers and deaths as outcomes."""

import pickle
import signal

import pytest

from contracts import executor_tools as tools
from contracts.executor_jobs import FakeJob
from penstock.engine.executors._frames import Frames
from penstock.engine.executors._shipping import begin, death, read, tell
from penstock.engine.executors._telling import Told
from penstock.engine.executors._worker import Answer, Failure
from penstock.errors import ExecutorFailed, TransferFailed
from penstock.tools import tool

ECHO = tool(tools.echo)


def answered(body: bytearray) -> tuple[Answer, BaseException | None]:
    said = read("echo", body)
    assert not isinstance(said, Told)
    return said


def answer(failure: Failure | None = None, value: object = None) -> bytearray:
    return bytearray(pickle.dumps((0.5, value, failure)))


def test_a_job_goes_as_its_tools_name_and_its_arguments() -> None:
    sent = begin(FakeJob(ECHO, 1, 2, key=3))
    assert sent is not None
    (body,) = Frames().cut(sent.frame)
    assert pickle.loads(body) == ("echo", [1, 2], {"key": 3})  # noqa: S301


def test_a_withdrawn_job_does_not_go() -> None:
    job = FakeJob(ECHO)
    job.withdrawn = True
    assert begin(job) is None
    assert job.ends == []


def test_a_job_that_cannot_go_ends_here() -> None:
    job = FakeJob(ECHO, tools.NOT_PICKLABLE)
    assert begin(job) is None
    ((_, error),) = job.ends
    assert isinstance(error, TransferFailed)


def test_a_value_comes_back_as_it_is() -> None:
    said, error = answered(answer(value=[1]))
    assert (said.seconds, said.value, error) == (0.5, [1], None)


def test_what_a_worker_tells_before_its_answer_is_told_of_the_job() -> None:
    told = read("echo", bytearray(pickle.dumps(("told", pickle.dumps({"done": 1}), []))))
    parts = Told("told", None, [pickle.dumps("a"), b"no pickle", pickle.dumps(b"b")])
    job = FakeJob(ECHO)
    assert isinstance(told, Told)
    tell(job, told)
    tell(job, parts)
    assert job.told == [(1, None, None), "a", b"b"]


def test_an_exception_comes_back_as_it_was_raised() -> None:
    pickled = pickle.dumps(LookupError("x"))
    _, error = answered(answer(Failure("error", "LookupError: x", "the trace", pickled)))
    assert repr(error) == "LookupError('x')"
    assert error is not None
    assert error.__notes__ == ["In the worker process:\nthe trace"]


@pytest.mark.parametrize("pickled", [None, b"no pickle", pickle.dumps("no exception")])
def test_an_exception_that_is_none_here_comes_back_in_words(pickled: bytes | None) -> None:
    _, error = answered(answer(Failure("error", "Strange: x", "", pickled)))
    assert isinstance(error, TransferFailed)
    assert (error.tool, error.what, error.reason) == ("echo", "error", "Strange: x")


def test_other_failures_say_what_could_not_be_done() -> None:
    _, error = answered(answer(Failure("value", "too large", "")))
    assert isinstance(error, TransferFailed)
    _, error = answered(answer(Failure("import", "no such module", "")))
    assert isinstance(error, ExecutorFailed)
    _, error = answered(bytearray(b"no pickle"))
    assert isinstance(error, TransferFailed)


@pytest.mark.parametrize(
    ("code", "name", "exit_code"),
    [
        (-9, "SIGKILL", None),
        (3, "", 3),
        (-signal.SIGRTMIN - 1, f"signal {signal.SIGRTMIN + 1}", None),
    ],
)
def test_a_death_has_a_signal_or_an_exit_code(code: int, name: str, exit_code: int | None) -> None:
    error = death("echo", code)
    assert (error.tool, error.signal, error.exit_code) == ("echo", name, exit_code)
