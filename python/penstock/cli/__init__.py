"""The command line: `penstock run`, `tools`, `bench`, `doctor` and `demo`.

Each file of `commands/` is one command, imported when it is used: `penstock --help` imports none of
them. What a command needs beside its options lies next to that folder. This door needs neither click
nor rich, so that it can say where to get them. Read `app.py` first, then `commands/run.py`.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from penstock.errors import MissingExtra

__all__ = ["main"]

_NEEDED = ("click", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 well, 1 something was not ok, 2 misuse.

    Args:
        arguments: without the program's name; None for those of this process.
    """
    try:
        app = import_module("penstock.cli.app")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _NEEDED:
            raise
        missing = MissingExtra("command", "penstock", package, "pip install 'penstock[cli]'")
        print(missing, file=sys.stderr)
        return 2
    code: int = app.main(arguments)
    return code
