from pathlib import Path

import click
import pytest

from penstock.cli.options import NewFile


def test_a_file_in_a_folder_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "new.html"
    assert NewFile().convert(str(path), None, None) == path


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match=r"no folder .*missing"):
        NewFile().convert(str(tmp_path / "missing" / "new.html"), None, None)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match="directory"):
        NewFile().convert(str(tmp_path), None, None)
