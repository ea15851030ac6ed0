"""What a result says about the machine that made it. Never its name."""

import importlib.metadata
import os
import platform
from pathlib import Path


def kind() -> str:
    """How a results folder calls the machine, such as `2-core-x86_64`."""
    return f"{os.cpu_count()}-core-{platform.machine()}"


def describe() -> dict[str, str]:
    """Processor, cores, memory, kernel and the versions that matter, ready to be saved."""
    return {
        "machine": kind(),
        "processor": processor(),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('.')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: version(name) for name in ("penstock", "uvloop", "orjson", "pydantic")},
    }


def processor() -> str:
    """The processor's model name, as far as the system tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
