"""An SQLite file made from the corpus, and the tool that asks it. Each call reads by itself."""

import ast
import bz2
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from penstock.cli.demo.corpus import Corpus
from penstock.tools import Tool, tool

_TABLES = """
CREATE TABLE files (path TEXT PRIMARY KEY, folder TEXT, suffix TEXT, lines INTEGER, bytes INTEGER);
CREATE TABLE symbols (path TEXT, kind TEXT, name TEXT, line INTEGER, documented INTEGER);
CREATE TABLE words (path TEXT, word TEXT, count INTEGER);
"""
_KINDS = {ast.ClassDef: "class", ast.FunctionDef: "function", ast.AsyncFunctionDef: "coroutine"}
_WORD = re.compile(r"[a-z]{4,}")
_MOST_ROWS = 20
_MOST_BYTES = 2_000_000


def build(corpus: Corpus, path: Path) -> int:
    """Write the database of a corpus and return how many rows it has."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_TABLES)
        for name in corpus.names():
            text = corpus.text(name)
            file = (name, name.partition("/")[0], Path(name).suffix, text.count("\n"), len(text))
            connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)", file)
            if name.endswith(".py"):
                connection.executemany(
                    "INSERT INTO symbols VALUES (?, ?, ?, ?, ?)", _symbols(name, text)
                )
            connection.executemany("INSERT INTO words VALUES (?, ?, ?)", _words(name, text))
        return connection.total_changes


def _symbols(name: str, text: str) -> Iterator[tuple[str, str, str, int, bool]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node, clean=False) is not None
            yield name, _KINDS[type(node)], node.name, node.lineno, documented


def _words(name: str, text: str) -> Iterator[tuple[str, str, int]]:
    counts: dict[str, int] = {}
    for word in _WORD.findall(text.lower()):
        counts[word] = counts.get(word, 0) + 1
    yield from ((name, word, count) for word, count in counts.items())


class DatabaseTools:
    """The tools of one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._address = f"{path.absolute().as_uri()}?mode=ro"

    def tools(self) -> Iterable[Tool[..., Any]]:
        """Return the tools."""
        yield tool(self.query, effects="read", tags=["sql"])
        # What uses the processor for long waits behind what is quick.
        yield tool(self.compress_database, effects="read", tags=["cpu"], priority=6)

    def query(self, sql: str) -> dict[str, Any]:
        """Ask the database of the project's files. It can be read only.

        Args:
            sql: one statement on `files(path, folder, suffix, lines, bytes)`,
                `symbols(path, kind, name, line, documented)` and `words(path, word, count)`.
        """
        with closing(sqlite3.connect(self._address, uri=True)) as connection:
            cursor = connection.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            return {"columns": columns, "rows": cursor.fetchmany(_MOST_ROWS)}

    def compress_database(self, level: int = 9) -> dict[str, Any]:
        """Say how well the database file compresses. Takes the processor for a while.

        Args:
            level: 1 (quick) to 9 (small).
        """
        data = self._path.read_bytes()[:_MOST_BYTES]
        return {"bytes": len(data), "compressed": len(bz2.compress(data, level))}
