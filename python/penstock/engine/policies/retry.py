"""Retry: run a call again that failed of something that may pass.

Ground rules:

- State: one allowance a service, shared by all its tools and by hedges. The first attempt of a call
  pays into it, each further one takes from it, after everything else has been asked: an attempt that
  is not made costs nothing.
- Order: is it an error to try again after, is an attempt left, does the deadline allow the pause, does
  the allowance pay. The first "no" ends the call with the tool's own error, at once.
- Cancellation: passes, from an attempt and from a pause alike; nothing is held during a pause.
- Bound: `attempts` of one call; a tenth of the first attempts and one a second of a service.
"""

from collections.abc import Callable
from dataclasses import dataclass

from penstock.engine.policies._allowance import allowance_of, earn
from penstock.engine.policies._failures import may_pass, retry_after
from penstock.engine.policies._protocol import (
    Allowance,
    Arguments,
    CallInfo,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)
from penstock.tools import settings

# How far a pause has grown before retry number k, from 0, in units of `base`.
_GROWTH: dict[settings.Wait, Callable[[int], float]] = {
    "full_jitter": lambda k: 2.0**k,
    "exponential": lambda k: 2.0**k,
    "linear": lambda k: k + 1.0,
    "constant": lambda k: 1.0,
    "immediate": lambda k: 0.0,
}


def pause(retry: settings.Retry, k: int, hint: float | None, random: float) -> float:
    """Return the seconds to wait before a retry.

    Args:
        retry: the settings.
        k: the retries before this one.
        hint: seconds that the service asked for, if it did: it is never asked earlier.
        random: from 0 to 1, for the jitter.
    """
    seconds = min(retry.most, retry.base * _GROWTH[retry.wait](k))
    if retry.wait == "full_jitter":
        seconds *= random
    return max(seconds, hint or 0.0)


@dataclass(frozen=True, slots=True)
class _Retrying:
    """The layer of one tool."""

    retry: settings.Retry
    inner: Run
    allowance: Allowance
    services: Services

    async def run(self, info: CallInfo, arguments: Arguments) -> object:
        earn(info, self.allowance)
        made = 0
        while True:
            try:
                return await self.inner(info, arguments)
            except Exception as error:
                if not self.is_worth_it(error):
                    raise
                random = self.services.random()
                seconds = pause(self.retry, made, retry_after(error), random)
                made += 1
                reason = self.refusal(info, made, seconds)
                if reason is not None:
                    _note(error, f"Attempt {made} of {self.retry.attempts}: {reason}.")
                    raise
                self.services.notify(info, "retrying", wait=seconds, error=error)
            # Out of the handler: the error, and the frames it holds, are gone during the pause.
            if seconds:
                await self.services.sleep(seconds)
            info = info.another()

    def is_worth_it(self, error: Exception) -> bool:
        """Whether the same call may succeed the next time."""
        on = self.retry.on
        return may_pass(error) if on is None else isinstance(error, on)

    def refusal(self, info: CallInfo, made: int, seconds: float) -> str | None:
        """Why there is no further attempt; None if it is paid for."""
        if made == self.retry.attempts:
            return "there are no more"
        if info.deadline is not None and self.services.clock() + seconds >= info.deadline:
            return "the next one would start after the deadline"
        if not self.allowance.try_spend():
            self.services.notify(info, "retries_denied")
            return "too many calls of its service were repeated just now"
        return None


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool."""
    retry = tool.retries or settings.Retry()
    return _Retrying(retry, inner, allowance_of(tool, services), services).run


def _note(error: BaseException, text: str) -> None:
    # Once: a tool may raise the same object again and again.
    if text not in getattr(error, "__notes__", ()):
        error.add_note(text)


POLICY = Policy(
    name="retry", slot=Slot.RETRY, build=build, option="retries", effects=("read", "idempotent")
)
