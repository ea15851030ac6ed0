"""What a rival's file offers: `RIVAL`, which makes limiters to be measured.

What is done with them, and what a measurement means, says `_workloads.py` of `penstock bench limits`.
It is loaded from its file: a rival's own environment has no Penstock.
"""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
WORKLOADS = ROOT / "python" / "penstock" / "cli" / "bench" / "limits" / "_workloads.py"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("limit_workloads", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


workloads = _load(WORKLOADS)
Subject = workloads.Subject
BucketShape = workloads.BucketShape
WindowShape = workloads.WindowShape

PLENTY = 10**9
"""Units a period that nothing here uses up."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A library that limits. The file's name is the rival's; its script block names what to install.

    Args:
        name: the file's stem.
        title: how tables call it.
        package: whose version the results record; empty for what this project brings.
        rate: makes a full limiter of `rate` units a second, `burst` at once, or the nearest thing.
        tiers: makes one of five limits that a call must pass, per second, minute, hour and day and
            one more; none of them is ever used up.
    """

    name: str
    title: str
    package: str
    rate: Callable[[float, int], Subject]
    tiers: Callable[[], Subject]
