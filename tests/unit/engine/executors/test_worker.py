"""What a worker answers, in this process: a thread of it, where no signals are needed."""

import multiprocessing
import pickle
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts import executor_tools as tools
from penstock.engine.executors import _worker as module
from penstock.engine.executors._frames import Frames, pack
from penstock.engine.executors._references import Reference
from penstock.engine.executors._worker import Answer, Functions, Limits, Main, Worker

NAMES = ("echo", "fail", "fail_with_lock", "give_lock", "leave")


def make(*references: Reference) -> Worker:
    main = Main({})
    known = [Reference(name, tools.__name__, name) for name in NAMES]
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.close()
    return Worker(ours, Functions((*known, *references), main), main, Limits())


def ask(worker: Worker, name: str, *values: object, **named: object) -> Answer:
    body = bytearray(pack((name, values, named))[4:])
    (answer,) = Frames().cut(worker._answer(body))
    return Answer(*pickle.loads(answer))  # noqa: S301


def test_a_value_is_answered_with_its_time() -> None:
    answer = ask(make(), "echo", value=7)
    assert (answer.value, answer.failure) == (7, None)
    assert 0.0 < answer.seconds < 1.0


def test_an_exception_is_answered_with_its_text_and_traceback() -> None:
    failure = ask(make(), "fail", "as asked").failure
    assert failure is not None
    assert (failure.what, failure.text) == ("error", "LookupError: as asked")
    assert failure.trace.startswith("Traceback")
    error = pickle.loads(failure.error or b"")  # noqa: S301
    assert isinstance(error, LookupError)


@pytest.mark.parametrize(("name", "what"), [("give_lock", "value"), ("fail_with_lock", "error")])
def test_what_cannot_be_pickled_is_answered_in_words(name: str, what: str) -> None:
    failure = ask(make(), name).failure
    assert failure is not None
    assert (failure.what, failure.error) == (what, None)


def test_a_tool_that_cannot_be_imported_harms_no_other() -> None:
    worker = make(Reference("lost", "there_is_no_such_module", "work"))
    failure = ask(worker, "lost").failure
    assert failure is not None
    assert failure.what == "import"
    assert "there_is_no_such_module" in failure.text
    assert ask(worker, "echo", 1).value == 1


def test_arguments_that_cannot_be_read_are_answered() -> None:
    answer = make()._answer(bytearray(b"no pickle"))[4:]
    failure = pickle.loads(answer)[2]  # noqa: S301
    assert failure.what == "arguments"


def test_an_exit_ends_the_worker() -> None:
    with pytest.raises(SystemExit):
        ask(make(), "leave", 3)


def test_a_terminated_worker_says_so() -> None:
    worker = make()
    with pytest.raises(SystemExit) as caught:
        worker._terminate(15, None)
    assert caught.value.code == 143


def test_the_main_module_is_imported_once_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "seen = multiprocessing.process.current_process()._inheriting\n"
        "name = __name__\n"
    )
    for name in ("__main__", "__mp_main__"):
        monkeypatch.setitem(sys.modules, name, sys.modules["__main__"])
    main = Main({"init_main_from_path": str(script)})
    main.import_once()
    imported: Any = sys.modules["__main__"]
    assert (imported.seen, imported.name) == (True, "__mp_main__")
    main.import_once()
    assert sys.modules["__main__"] is imported
    assert not hasattr(multiprocessing.current_process(), "_inheriting")


def test_limits_stay_below_the_hard_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(module.resource, "getrlimit", lambda _kind: (50, 100))
    monkeypatch.setattr(module.resource, "setrlimit", lambda _kind, pair: given.append(pair))
    module._limit(resource.RLIMIT_CPU, 500)
    module._limit(resource.RLIMIT_CPU, 70)
    assert given == [(100, 100), (70, 100)]
