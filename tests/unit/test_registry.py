"""Plug-ins: what is found, what is wrong with one, and that it harms no other."""

import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from penstock._registry import Registry
from penstock.errors import BadPlugin, DuplicatePlugin, MissingExtra, UnknownPlugin

GOOD = "PLUGIN = {'name': __name__.rpartition('.')[2]}\n"

Write = Callable[..., Registry[Any]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write files into a package and return its registry."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def written(files: dict[str, str], depth: int = 1) -> Registry[Any]:
        for name, text in {"plugins/__init__.py": "", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Registry("widget", "plugins", "PLUGIN", dict, depth)

    yield written
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugins"]:
        del sys.modules[name]


def entry_point(folder: Path, distribution: str, line: str) -> None:
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[penstock.widget]\n{line}\n")


def test_names_are_the_files_sorted(write: Write) -> None:
    files = {"plugins/b.py": GOOD, "plugins/a.py": GOOD, "plugins/_hidden.py": GOOD}
    assert write(files).names() == ("a", "b")


def test_a_sub_package_is_one_plugin(write: Write) -> None:
    files = {"plugins/a/__init__.py": GOOD, "plugins/a/part.py": "raise SystemError"}
    registry = write(files)
    assert registry.names() == ("a",)
    assert registry.get("a") == {"name": "a"}


def test_at_depth_two_a_name_has_its_area(write: Write) -> None:
    files = {
        "plugins/net/__init__.py": "",
        "plugins/net/http.py": GOOD,
        "plugins/net/_private.py": GOOD,
        "plugins/loose.py": GOOD,
    }
    registry = write(files, 2)
    assert registry.names() == ("net.http",)
    assert registry.get("net.http") == {"name": "http"}


def test_listing_imports_no_plugin(write: Write) -> None:
    registry = write({"plugins/a.py": "raise SystemError('imported')"})
    assert registry.names() == ("a",)
    assert [source.loaded for source in registry.sources()] == [False]


def test_a_dropped_in_file_appears(write: Write) -> None:
    registry = write({"plugins/a.py": GOOD})
    registry.get("a")
    write({"plugins/late.py": GOOD})
    assert registry.get("late") == {"name": "late"}
    assert registry.names() == ("a", "late")


def test_a_plugin_is_the_same_object_each_time(write: Write) -> None:
    registry = write({"plugins/a.py": GOOD})
    assert registry.get("a") is registry.get("a")


def test_a_module_behind_an_entry_point_appears(write: Write, tmp_path: Path) -> None:
    registry = write({"plugins_outside.py": GOOD})
    entry_point(tmp_path, "outside", "far = plugins_outside")
    assert registry.names() == ("far",)
    assert registry.get("far") == {"name": "plugins_outside"}


def test_an_object_behind_an_entry_point_appears(write: Write, tmp_path: Path) -> None:
    registry = write({"plugins_object.py": "THING = {'name': 'far'}"})
    entry_point(tmp_path, "outside", "far = plugins_object:THING")
    assert registry.get("far") == {"name": "far"}


def test_a_file_wins_over_an_entry_point(write: Write, tmp_path: Path) -> None:
    registry = write({"plugins/a.py": GOOD})
    entry_point(tmp_path, "outside", "a = plugins_outside")
    assert registry.get("a") == {"name": "a"}
    errors = [type(source.error) for source in registry.sources()]
    assert set(errors) == {type(None), DuplicatePlugin}


def test_two_entry_points_of_one_name_are_refused_with_both_origins(
    write: Write, tmp_path: Path
) -> None:
    registry = write({"plugins/a.py": GOOD})
    entry_point(tmp_path, "one", "far = one_module")
    entry_point(tmp_path, "two", "far = two_module")
    with pytest.raises(DuplicatePlugin, match=r"(?s)one 1\.0.*two 1\.0"):
        registry.get("far")
    assert registry.get("a") == {"name": "a"}


def test_an_unknown_name_gets_the_nearest(write: Write) -> None:
    registry = write({"plugins/search.py": GOOD, "plugins/fetch.py": GOOD})
    with pytest.raises(UnknownPlugin) as caught:
        registry.get("serch")
    assert caught.value.near[0] == "search"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has no PLUGIN"),
        ("PLUGIN = 3", "its PLUGIN is a int"),
        ("PLUGIN = = 3", "SyntaxError at import"),
        ("1 / 0", "ZeroDivisionError at import"),
        ("import plugins.nothing", "plugins.nothing"),
    ],
)
def test_a_file_that_is_no_plugin_is_named(write: Write, text: str, reason: str) -> None:
    registry = write({"plugins/bad.py": text, "plugins/good.py": GOOD})
    with pytest.raises(BadPlugin) as caught:
        registry.get("bad")
    assert caught.value.origin == "plugins.bad"
    assert reason in caught.value.reason
    assert registry.get("good") == {"name": "good"}


def test_a_missing_package_says_what_to_install(write: Write) -> None:
    registry = write({"plugins/a.py": "import penstock_needs_this"})
    with pytest.raises(MissingExtra) as caught:
        registry.get("a")
    assert caught.value.package == "penstock_needs_this"
    assert caught.value.install == "pip install penstock_needs_this"


def test_a_missing_package_of_an_extra_names_the_extra(write: Write, tmp_path: Path) -> None:
    registry = write({"plugins/a.py": "import penstock_needs_this"})
    entry_point(tmp_path, "plugins", "")
    with (tmp_path / "plugins-1.0.dist-info" / "METADATA").open("a") as metadata:
        metadata.write("Requires-Dist: Penstock-Needs.This>=1; extra == 'far'\n")
    with pytest.raises(MissingExtra) as caught:
        registry.get("a")
    assert caught.value.install == "pip install 'plugins[far]'"


def test_a_fault_is_shown_by_its_source(write: Write) -> None:
    registry = write({"plugins/bad.py": "", "plugins/good.py": GOOD})
    registry.get("good")
    with pytest.raises(BadPlugin):
        registry.get("bad")
    bad, good = registry.sources()
    assert (bad.loaded, type(bad.error)) == (False, BadPlugin)
    assert (good.loaded, good.error) == (True, None)


def test_a_mended_plugin_can_be_asked_for_again(write: Write) -> None:
    registry = write({"plugins/a.py": "import penstock_needs_this\n"})
    with pytest.raises(MissingExtra):
        registry.get("a")
    write({"plugins/a.py": f"{GOOD}\n# another size, so that no cached bytecode is taken\n"})
    assert registry.get("a") == {"name": "a"}
    assert registry.sources()[0].error is None


def test_a_plugin_may_ask_for_another_while_it_is_imported(write: Write) -> None:
    registry = write({"plugins/a.py": GOOD, "plugins/b.py": ""})
    asks = "import plugins\nPLUGIN = {'name': 'b', 'inner': plugins.registry.get('a')}"
    write({"plugins/b.py": asks, "plugins/__init__.py": "registry = None"})
    vars(import_module("plugins"))["registry"] = registry
    assert registry.get("b")["inner"] is registry.get("a")


@pytest.mark.real_time
def test_a_hundred_threads_import_once(write: Write) -> None:
    counting = "import time\nimport plugins\nplugins.imports += 1\ntime.sleep(0.05)\n"
    registry = write({"plugins/__init__.py": "imports = 0", "plugins/a.py": counting + GOOD})
    start = threading.Barrier(100)
    found: list[object] = []

    def get() -> None:
        start.wait()
        found.append(registry.get("a"))

    threads = [threading.Thread(target=get) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(plugin) for plugin in found}) == 1
    assert len(found) == 100
    assert sys.modules["plugins"].imports == 1


def test_plugins_work_in_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("zipped_plugins/__init__.py", "")
        zipped.writestr("zipped_plugins/a.py", GOOD)
    monkeypatch.syspath_prepend(str(archive))
    registry = Registry("widget", "zipped_plugins", "PLUGIN", dict)
    assert registry.names() == ("a",)
    assert registry.get("a") == {"name": "a"}
