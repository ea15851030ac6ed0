"""What errors say about themselves, whatever library they come from."""

import errno
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.engine.policies._failures import may_pass, never_reached, retry_after, status
from penstock.errors import BudgetExceeded, CallTimeout, ConfigError, RateLimited

NOW, LATER = "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:29:30 GMT"


class Answered(Exception):
    """An error of some client library."""

    def __init__(self, **attributes: Any) -> None:
        """Make it with these attributes."""
        super().__init__("answered")
        vars(self).update(attributes)


def response(status_code: int, **headers: str) -> SimpleNamespace:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(status_code=status_code, headers=named)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionRefusedError(), True),
        (ConnectionResetError(), True),
        (BrokenPipeError(), True),
        (TimeoutError(), True),
        (OSError(errno.ENETUNREACH, "no route"), True),
        (socket.gaierror(socket.EAI_AGAIN, "later"), True),
        (socket.gaierror(socket.EAI_NONAME, "no such host"), False),
        (OSError(errno.ENOENT, "no such file"), False),
        (FileNotFoundError(), False),
        (PermissionError(), False),
        (ValueError("wrong"), False),
        (LookupError("none"), False),
        (CallTimeout("t", 1.0), True),
        (RateLimited(1.0), True),
        (ConfigError("f", 1, "no"), False),
        (BudgetExceeded("b", "global"), False),
        (Answered(retryable=True), True),
        (Answered(retryable=False, status=503), False),
        (Answered(retryable="perhaps"), False),
        (Answered(status=503), True),
        (Answered(status_code=429), True),
        (Answered(status=404), False),
        (Answered(response=response(502)), True),
        (Answered(response=response(400)), False),
        (Answered(response=None), False),
    ],
)
def test_what_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


def wrapped(error: BaseException, times: int) -> Exception:
    """What a client makes of it: its own error, raised from another one, raised from this."""
    outer: BaseException = error
    for _ in range(times):
        inner, outer = outer, Answered()
        outer.__cause__ = inner
    assert isinstance(outer, Exception)
    return outer


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError()])
def test_what_a_client_has_wrapped_is_found(error: Exception) -> None:
    assert may_pass(wrapped(error, 3))
    assert not may_pass(wrapped(ValueError(), 3))
    assert not may_pass(wrapped(error, 30))


def test_errors_that_are_each_others_cause_end() -> None:
    error = Answered()
    error.__cause__ = error
    assert not may_pass(error)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (Answered(status=503), 503),
        (Answered(status_code=404), 404),
        (Answered(response=response(401)), 401),
        (Answered(status="503"), None),
        (Answered(status=7), None),
        (ValueError(), None),
    ],
)
def test_the_status_of_an_answer(error: Exception, found: int | None) -> None:
    assert status(error) == found


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RateLimited(2.5), 2.5),
        (RateLimited(), None),
        (RateLimited(0.0), 0.0),
        (RateLimited(86_400.0), 3_600.0),
        (Answered(retry_after="7"), 7.0),
        (Answered(retry_after=-1), None),
        (Answered(retry_after=float("nan")), None),
        (Answered(retry_after=float("inf")), None),
        (Answered(retry_after=object()), None),
        (Answered(response=response(429, retry_after="3")), 3.0),
        (Answered(response=response(429, retry_after=LATER, date=NOW)), 90.0),
        (Answered(response=response(429, retry_after="soon")), None),
        (Answered(response=SimpleNamespace(headers=7)), None),
        (Answered(response=response(429)), None),
        (ValueError(), None),
    ],
)
def test_when_to_ask_again(error: Exception, seconds: float | None) -> None:
    assert retry_after(error) == seconds


def test_a_timeout_has_reached_somebody() -> None:
    assert never_reached(ConnectionRefusedError())
    assert not never_reached(TimeoutError())
