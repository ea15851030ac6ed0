import sqlite3
from pathlib import Path

import pytest

from penstock.cli.demo import database
from penstock.cli.demo.corpus import Corpus
from penstock.cli.demo.database import DatabaseTools


@pytest.fixture
def tools(tmp_path: Path) -> DatabaseTools:
    source = tmp_path / "a.py"
    source.write_text('class A:\n    """Documented words."""\n\nasync def g(): ...\n')
    path = tmp_path / "with a space #.sqlite"
    assert database.build(Corpus("one file", {"python/a.py": source}), path) >= 4
    return DatabaseTools(path)


def test_files_symbols_and_words_are_there(tools: DatabaseTools) -> None:
    assert tools.query("SELECT path, folder, suffix, lines FROM files") == {
        "columns": ["path", "folder", "suffix", "lines"],
        "rows": [("python/a.py", "python", ".py", 4)],
    }
    symbols = tools.query("SELECT kind, name, line, documented FROM symbols ORDER BY line")
    assert symbols["rows"] == [("class", "A", 1, 1), ("coroutine", "g", 4, 0)]
    assert tools.query("SELECT count FROM words WHERE word = 'words'")["rows"] == [(1,)]


def test_it_can_be_read_only(tools: DatabaseTools) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        tools.query("DELETE FROM files")


def test_compressing_says_how_well(tools: DatabaseTools) -> None:
    sizes = tools.compress_database(1)
    assert 0 < sizes["compressed"] < sizes["bytes"]
