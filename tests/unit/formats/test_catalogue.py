"""Finding a format by name, by attribute and by the look of a reply."""

import subprocess
import sys

import pytest

from penstock import formats
from penstock.errors import BadReply, UnknownPlugin


def test_a_format_is_found_by_name() -> None:
    assert formats.get("anthropic").name == "anthropic"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownPlugin, match="anthropic"):
        formats.get("antropic")


def test_names_are_those_of_the_files() -> None:
    known = {"anthropic", "gemini", "mcp", "openai_chat", "openai_responses"}
    assert known <= set(formats.names())


@pytest.mark.parametrize("name", formats.names())
def test_a_module_has_the_functions_of_its_format(name: str) -> None:
    module, format = getattr(formats, name), formats.get(name)
    assert format is module.FORMAT
    assert (format.parse, format.render, format.describe) == (
        module.parse,
        module.render,
        module.describe,
    )
    assert (format.recognise, format.text) == (module.recognise, module.text)


def test_no_format_is_imported_before_it_is_used() -> None:
    code = (
        "import sys; from penstock import formats; formats.mcp; "
        "print([m for m in sys.modules if m.startswith('penstock.formats.')"
        " and '._' not in m])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "['penstock.formats.mcp']"


@pytest.mark.parametrize("name", ["nothing", "_private", "__wrapped__"])
def test_another_attribute_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(formats, name)


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ({"role": "assistant", "content": "Hello"}, "openai_chat"),
        ({"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}, "anthropic"),
        ({"message": {"role": "assistant", "content": None}}, "openai_chat"),
        ([{"text": "Hello"}], "gemini"),
        ([{"type": "message", "content": []}], "openai_responses"),
        ({"method": "tools/call", "params": {"name": "x"}}, "mcp"),
    ],
)
def test_parts_of_a_reply_are_recognised(reply: object, name: str) -> None:
    assert formats.detect(reply).name == name


def test_an_unknown_reply_is_refused_with_what_it_has() -> None:
    with pytest.raises(BadReply, match=r"no format recognises it; its fields are \['answer'\]"):
        formats.detect({"answer": 42})


@pytest.mark.parametrize("reply", [[], [1], {}, b"[]", b"{", None, 7, [[{"jsonrpc": "2.0"}]]])
def test_what_is_no_reply_is_refused(reply: object) -> None:
    with pytest.raises(BadReply):
        formats.detect(reply)
