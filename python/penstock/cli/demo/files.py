"""Tools on files: list, search, hash, parse. Plain functions, so they run in threads."""

import ast
import hashlib
import threading
from collections.abc import Iterable
from typing import Any, Literal

from penstock.cli.demo.corpus import Corpus
from penstock.tools import Tool, tool

_MOST_HITS = 20

# CPython 3.11 counts the depth of all threads' trees in one place: if another thread gets its turn inside
# of `ast.parse`, as any destructor lets it, both raise a SystemError.
_parsing = threading.Lock()


class FileTools:
    """The tools of one corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def tools(self) -> Iterable[Tool[..., Any]]:
        """Return the tools."""
        functions = (self.list_files, self.search_files, self.hash_file, self.parse_module)
        yield from (tool(function, effects="read", tags=["files"]) for function in functions)
        yield tool(self.summarise, effects="read", host="inline")

    def list_files(self, folder: str = "") -> dict[str, Any]:
        """List the files below a folder.

        Args:
            folder: such as `python/penstock`; all files without one.
        """
        names = self._corpus.names(folder)
        return {"count": len(names), "names": names[:_MOST_HITS]}

    def search_files(self, pattern: str, folder: str = "") -> dict[str, Any]:
        """Search the text of all files with a regular expression, most matches first.

        Args:
            pattern: in Python's syntax.
            folder: where to search; everywhere without one.
        """
        hits = sorted(self._corpus.search(pattern, folder), key=lambda hit: (-hit[1], hit[0]))
        files = [{"path": name, "matches": count} for name, count in hits[:_MOST_HITS]]
        return {"matches": sum(count for _, count in hits), "files": files}

    def hash_file(
        self, path: str, algorithm: Literal["sha256", "sha1", "blake2b"] = "sha256"
    ) -> dict[str, Any]:
        """Return the digest of a file.

        Args:
            path: of the file.
            algorithm: how to compute it.
        """
        data = self._corpus.read(path)
        digest = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
        return {"path": path, "bytes": len(data), algorithm: digest}

    def parse_module(self, path: str) -> dict[str, Any]:
        """Parse a Python module: what it defines and imports.

        Args:
            path: of a `.py` file.
        """
        text = self._corpus.text(path)
        with _parsing:
            tree = ast.parse(text, path)
        functions = ast.FunctionDef | ast.AsyncFunctionDef
        return {
            "path": path,
            "page": f"http://docs.example/{path}",
            "lines": text.count("\n"),
            "classes": [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)],
            "functions": sum(isinstance(node, functions) for node in ast.walk(tree)),
            "imports": sum(
                isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)
            ),
        }

    def summarise(self, modules: list[dict[str, Any]], pages: list[dict[str, Any]]) -> str:
        """Put what is known about some modules into a line each.

        Args:
            modules: what `parse_module` has answered.
            pages: what `fetch_page` has answered, one a module.
        """
        return "\n".join(
            f"{module['path']}: {module['lines']} lines, {len(module['classes'])} classes, "
            f"{page['words']} words"
            for module, page in zip(modules, pages, strict=True)
        )
