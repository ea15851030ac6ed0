"""An environment a rival, made on demand under `benches/.venvs/` from the rival's script block.

The block is inline script metadata (PEP 723): what a rival needs stands on top of its file, and can
be read without importing it.
"""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from benches.rivals._turn import ROOT

FOLDER = ROOT / "benches" / "rivals"
VENVS = ROOT / "benches" / ".venvs"
BLOCK = re.compile(r"(?m)^# /// script\n(?P<lines>(?:^#(?:| .*)\n)+?)^# ///$")


def names() -> tuple[str, ...]:
    """Every rival: the files of this folder that have a script block."""
    return tuple(
        sorted(path.stem for path in FOLDER.glob("*.py") if BLOCK.search(path.read_text()))
    )


def requirements(name: str) -> list[str]:
    """What the rival's file asks to be installed, with exact versions."""
    block = BLOCK.search((FOLDER / f"{name}.py").read_text())
    if block is None:
        raise LookupError(f"{name} is no rival: {FOLDER.name}/{name}.py has no script block")
    text = "\n".join(line[2:] for line in block["lines"].splitlines())
    return list(tomllib.loads(text)["dependencies"])


def python(name: str) -> Path:
    """The rival's interpreter: this one if it needs nothing, else that of its own environment."""
    VENVS.mkdir(exist_ok=True)
    wanted = requirements(name)
    if not wanted:
        return Path(sys.executable)
    folder = VENVS / name
    interpreter = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    state = "\n".join([sys.version, *wanted])
    if not stamp.exists() or stamp.read_text() != state:
        venv.create(folder, clear=True, with_pip=True)
        install = [str(interpreter), "-m", "pip", "install", "--quiet", *wanted]
        subprocess.run(install, check=True)
        stamp.write_text(state)
    return interpreter
