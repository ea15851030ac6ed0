"""What the fork server does with deaths and signals, in children of the test's own."""

import os
import signal
import sys
import time

import pytest

from penstock.engine.executors import _fork_server as module
from penstock.engine.executors._fork_server import RECORD, Verb, _exit_code


def child(*, seconds: float = 60.0) -> int:
    """Fork a process that leads a group and sleeps."""
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", f"import time; time.sleep({seconds})"],
        os.environ,
        setpgroup=0,
    )


def test_a_process_that_runs_has_not_died() -> None:
    process = child()
    assert not module._has_died(process)
    assert module._reap(process) == -signal.SIGKILL


def test_a_dead_process_stays_until_it_is_reaped() -> None:
    process = child()
    module._signal_group(process, signal.SIGTERM)
    until = time.monotonic() + 5
    while not module._has_died(process):
        assert time.monotonic() < until
    assert module._has_died(process)
    assert module._reap(process) == -signal.SIGTERM


def test_a_group_that_is_gone_is_no_fault() -> None:
    process = child()
    module._reap(process)
    module._signal_group(process, signal.SIGKILL)


@pytest.mark.parametrize(("given", "code"), [(None, 0), (3, 3), (256 + 2, 2), (-1, 255)])
def test_exit_codes_are_those_of_the_interpreter(given: int | None, code: int) -> None:
    assert _exit_code(SystemExit(given)) == code


def test_an_exit_with_a_text_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(SystemExit("why")) == 1
    assert capsys.readouterr().err == "why\n"


def test_a_record_holds_any_number_of_a_process() -> None:
    record = RECORD.pack(Verb.DIED, 2**40, -9)
    assert RECORD.unpack(record) == (Verb.DIED, 2**40, -9)
