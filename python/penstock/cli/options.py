"""Types of command line options that click does not bring."""

import os
from pathlib import Path
from typing import Any

import click


class NewFile(click.Path):
    """A file to write: what would stop it is said before the work begins, not after."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False, writable=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path of a file that can be written."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.absolute().parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r}", param, ctx)
        return path
