from pathlib import Path

import pytest

from penstock.cli.demo.corpus import Corpus, find
from penstock.cli.demo.turns import TURNS


def package_in(root: Path) -> Path:
    """Return the folder of a package with some files, some of which are not for reading."""
    package = root / "python" / "penstock"
    for name in ("errors.py", "engine/engine.py", "engine/__pycache__/x.py", ".hidden.py", "a.so"):
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("class A: ...\n")
    return package


def test_a_repository_is_found_around_the_package(tmp_path: Path) -> None:
    package = package_in(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "rust").mkdir()
    (tmp_path / "rust" / "lib.rs").write_text("fn main() {}")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "built.rs").write_text("")
    corpus = find(package)
    assert corpus.title == "this repository"
    assert corpus.names() == [
        "pyproject.toml",
        "python/penstock/engine/engine.py",
        "python/penstock/errors.py",
        "rust/lib.rs",
    ]


def test_an_installed_package_has_the_same_names(tmp_path: Path) -> None:
    corpus = find(package_in(tmp_path))
    assert corpus.title == "the installed package"
    assert corpus.names() == ["python/penstock/engine/engine.py", "python/penstock/errors.py"]
    assert corpus.text("python/penstock/errors.py") == "class A: ...\n"


def test_every_path_that_a_model_names_is_there() -> None:
    """Whoever renames a file mends the recording, or the demo says that something differs."""
    text = "".join(turn.reply.decode() for turn in TURNS)
    known = {name for name in find().names("python/penstock") if name in text}
    assert len(known) >= 20


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return find(package_in(tmp_path))


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "python/penstock/.hidden.py"])
def test_a_path_leads_nowhere_else(corpus: Corpus, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        corpus.read(path)


def test_a_missing_file_is_said_with_what_is_near(corpus: Corpus) -> None:
    with pytest.raises(FileNotFoundError, match=r"did you mean python/penstock/errors\.py"):
        corpus.read("python/penstock/error.py")


@pytest.mark.parametrize("folder", ["python/penstock/engine", "/python/penstock/engine/"])
def test_a_folder_is_a_part(corpus: Corpus, folder: str) -> None:
    assert corpus.names(folder) == ["python/penstock/engine/engine.py"]


def test_a_search_counts_matches(corpus: Corpus) -> None:
    assert dict(corpus.search("A", "python/penstock/engine")) == {
        "python/penstock/engine/engine.py": 1
    }


def test_a_bad_pattern_is_said(corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        list(corpus.search("("))
