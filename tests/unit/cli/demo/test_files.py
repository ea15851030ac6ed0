import gc
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penstock.cli.demo.corpus import Corpus
from penstock.cli.demo.files import FileTools

MODULE = "import os\n\nclass A:\n    def f(self): ...\n\nasync def g(): ...\n"


@pytest.fixture
def tools(tmp_path: Path) -> FileTools:
    path = tmp_path / "a.py"
    path.write_text(MODULE)
    return FileTools(Corpus("one file", {"python/a.py": path, "python/b.py": path}))


def test_every_tool_has_a_description_and_only_reads(tools: FileTools) -> None:
    assert all(tool.description and tool.effects == "read" for tool in tools.tools())


def test_listing(tools: FileTools) -> None:
    assert tools.list_files("python") == {"count": 2, "names": ["python/a.py", "python/b.py"]}


def test_searching_gives_the_most_matches_first(tools: FileTools) -> None:
    found = tools.search_files("def")
    assert found["matches"] == 4
    assert found["files"][0] == {"path": "python/a.py", "matches": 2}


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "blake2b"])
def test_hashing(tools: FileTools, algorithm) -> None:
    expected = hashlib.new(algorithm, MODULE.encode()).hexdigest()
    assert tools.hash_file("python/a.py", algorithm)[algorithm] == expected


def test_parsing(tools: FileTools) -> None:
    parsed = tools.parse_module("python/a.py")
    assert (parsed["classes"], parsed["functions"], parsed["imports"]) == (["A"], 2, 1)


def test_threads_parse_at_once(tmp_path: Path) -> None:
    """Another thread gets its turn inside of a parse when the garbage collector runs somebody's code."""
    path = tmp_path / "long.py"
    path.write_text(MODULE * 300)
    parse = FileTools(Corpus("one file", {"long.py": path})).parse_module

    def let_others_run(phase: str, info: object) -> None:
        sum(range(200))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    gc.callbacks.append(let_others_run)
    try:
        with ThreadPoolExecutor(4) as pool:
            parsed = list(pool.map(parse, ["long.py"] * 40))
    finally:
        gc.callbacks.remove(let_others_run)
        sys.setswitchinterval(interval)
    assert {module["functions"] for module in parsed} == {600}


def test_summarising_takes_one_page_a_module(tools: FileTools) -> None:
    module = tools.parse_module("python/a.py")
    assert tools.summarise([module], [{"words": 7}]) == "python/a.py: 6 lines, 1 classes, 7 words"
    with pytest.raises(ValueError, match="shorter"):
        tools.summarise([module], [])
