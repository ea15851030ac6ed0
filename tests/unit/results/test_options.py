"""`Results`: every fault at once, by field."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import ConfigError
from penstock.results.options import Results

MIB = 1 << 20


def fault(**options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Results(**options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"memory_bytes": MIB - 1}, "memory_bytes=1048575: bytes, at least 1,048,576"),
        ({"memory_bytes": True}, "memory_bytes=True"),
        ({"value_bytes": 1}, "value_bytes=1: bytes, at least 1,048,576"),
        ({"segment_bytes": 1}, "segment_bytes=1"),
        ({"inline_bytes": MIB + 1}, "inline_bytes=1048577: bytes, at most 1,048,576"),
        ({"disk_bytes": 127 * MIB}, "disk_bytes=133169152: bytes, at least two segments"),
        ({"full_wait": -1}, "full_wait=-1: seconds from 0"),
        ({"full_wait": float("nan")}, "full_wait=nan"),
        ({"ttl": "a day"}, "ttl='a day'"),
        ({"spill": 7}, "spill=7: a folder"),
        ({"spill": ""}, "spill='': a folder"),
        ({"keep": 1}, "keep=1: must be True or False"),
        ({"keep": True}, "keep=True: needs a folder of its own"),
        ({"keep": True, "spill": None}, "keep=True: needs a folder of its own"),
        ({"keys": {"a": b"short"}}, "keys="),
        ({"keys": {"": bytes(32)}}, "keys="),
        ({"keys": {"a" * 29: bytes(32)}}, "keys="),
        ({"keys": {"a": "no base64!"}}, "keys="),
        ({"keys": {"nøkkel": bytes(32)}}, "keys="),
        ({"keys": [bytes(32)]}, "keys="),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, Any], says: str) -> None:
    assert fault(**options).startswith(says)


def test_all_faults_are_told_at_once() -> None:
    text = fault(memory_bytes=1, inline_bytes=-1, ttl=-1.0)
    assert [text.count(name) for name in ("memory_bytes", "inline_bytes", "ttl")] == [1, 1, 1]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "must be a folder where files can be made" in fault(spill=tmp_path / "file")


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    Results(spill=tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_key_may_be_base64() -> None:
    key = os.urandom(32)
    text = base64.b64encode(key).decode()
    assert Results(keys={"raw": key, "text": text}).key_bytes() == {"raw": key, "text": key}


def test_a_key_is_never_shown() -> None:
    assert "keys" not in repr(Results(keys={"a": b"k" * 32}))
    assert "kkkk" not in fault(keys={"a": b"k" * 31})


def test_memory_only_has_no_folder() -> None:
    assert Results(spill=None).folder is None
