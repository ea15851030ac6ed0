"""One external program at a time."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from penstock.engine.executors import _program as module
from penstock.engine.executors._program import Command, Completed, Program
from penstock.errors import CommandFailed, ConfigError

pytestmark = pytest.mark.real_time
SECONDS = 10.0


def python(code: str, *arguments: str, **options: Any) -> Command:
    return Command([sys.executable, "-c", code, *arguments], **options)


async def run(command: Command) -> Completed:
    return await Program(command).run()


async def fail(command: Command) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        await run(command)
    return caught.value


async def wait_for(path: Path) -> str:
    until = time.monotonic() + SECONDS
    while not (text := read(path)):
        assert time.monotonic() < until
        await asyncio.sleep(0.005)
    return text


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def settle_gone(process: int) -> None:
    until = time.monotonic() + SECONDS
    while psutil.pid_exists(process) and psutil.Process(process).status() != "zombie":
        assert time.monotonic() < until
        await asyncio.sleep(0.005)


async def test_output_and_exit_code_are_the_value() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr)"
    assert await run(python(code)) == Completed(0, b"out\n", b"err\n")


async def test_stdout_is_told_as_it_comes_and_as_text() -> None:
    told: list[str] = []
    slowly = (
        "import sys, time\n"
        "for part in (b'a\\xc3', b'\\xa4b', b'\\xff', b'c\\xe2'):\n"
        "    sys.stdout.buffer.write(part); sys.stdout.buffer.flush(); time.sleep(0.05)\n"
        "sys.stderr.write('not this')\n"
    )
    completed = await Program(Command([sys.executable, "-c", slowly]), told.append).run()
    assert len(told) > 1
    assert "".join(told) == completed.text == "aäb�c�"


async def test_no_more_is_told_than_is_kept() -> None:
    told: list[str] = []
    flood = Command([sys.executable, "-c", "print('x' * 9_000)"], output_bytes=100, check=False)
    completed = await Program(flood, told.append).run()
    assert "".join(told) == completed.text == "x" * 100


async def test_text_replaces_what_is_no_text() -> None:
    completed = await run(python("import sys; sys.stdout.buffer.write(b'a\\xff')"))
    assert completed.text == "a\ufffd"


async def test_arguments_are_not_interpreted() -> None:
    hostile = "$(touch x); `id` * \\ '\"\n&"
    completed = await run(python("import sys; print(sys.argv[1], end='')", hostile))
    assert completed.text == hostile


async def test_stdin_is_given() -> None:
    large = os.urandom(300_000)
    copy = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    assert (await run(python(copy, stdin=large))).stdout == large
    assert (await run(python(copy, stdin=b""))).stdout == b""
    assert (await run(python(copy))).stdout == b""


async def test_a_program_need_not_read_its_stdin() -> None:
    assert (await run(python("print(1)", stdin=bytes(1_000_000)))).text == "1\n"


async def test_the_folder_is_the_given_one(tmp_path: Path) -> None:
    completed = await run(
        python(
            "import os, sys; print(os.path.samefile('.', sys.argv[1]))", str(tmp_path), cwd=tmp_path
        )
    )
    assert completed.text == "True\n"


async def test_the_environment_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_KEY", "secret")
    show = "import os; print(*sorted(os.environ))"
    completed = await run(python(show, env={"GIVEN": "1"}))
    names = set(completed.text.split())
    assert "SERVICE_KEY" not in names
    assert {"GIVEN", "PATH"} <= names <= {"GIVEN", *module._ENVIRONMENT}


async def test_a_failure_carries_the_end_of_stderr() -> None:
    error = await fail(python("import sys; sys.exit('x' * 5_000 + ' because')"))
    assert (error.program, error.returncode) == (sys.executable, 1)
    assert error.stderr.endswith("because")
    assert len(error.stderr) == 2_000
    assert "exit code 1" in str(error)


async def test_without_check_a_failure_is_a_value() -> None:
    assert (await run(python("raise SystemExit(3)", check=False))).returncode == 3


async def test_a_signal_is_named() -> None:
    error = await fail(python("import os; os.kill(os.getpid(), 9)"))
    assert error.returncode == -9
    assert "SIGKILL" in str(error)


async def test_a_missing_program_is_told() -> None:
    error = await fail(Command(["there-is-no-such-program"]))
    assert error.returncode is None
    assert "cannot be started: No such file" in str(error)


async def test_too_much_output_stops_the_program() -> None:
    chatter = "while True: print('x' * 1000)"
    error = await fail(python(chatter, output_bytes=10_000))
    assert "more than 10,000 bytes" in str(error)
    completed = await run(python(chatter, output_bytes=10_000, check=False))
    assert completed.truncated
    assert len(completed.stdout) == 10_000


async def test_a_timeout_stops_the_program() -> None:
    error = await fail(python("import time; time.sleep(60)", timeout=0.05, check=False))
    assert "did not end within 0.05 s" in str(error)


async def test_what_ignores_the_request_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_SECONDS_TO_END", 0.05)
    begun = tmp_path / "begun"
    code = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path(sys.argv[1]).write_text('x'); time.sleep(60)"
    )
    program = Program(python(code, str(begun)))
    running = asyncio.ensure_future(program.run())
    await wait_for(begun)
    program.stop()
    with pytest.raises(CommandFailed, match="SIGKILL"):
        await running


async def test_a_program_can_be_stopped_before_it_has_started() -> None:
    program = Program(python("import time; time.sleep(60)"))
    running = asyncio.ensure_future(program.run())
    await asyncio.sleep(0)
    program.stop()
    with pytest.raises(CommandFailed, match="SIGTERM"):
        await running


async def test_what_a_program_leaves_behind_is_killed(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '60']);"
        "print(child.pid, flush=True)"
    )
    completed = await run(python(code))
    await settle_gone(int(completed.text))


async def test_what_has_left_the_group_does_not_keep_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SECONDS_TO_END", 0.05)
    code = (
        "import subprocess; child = subprocess.Popen(['sleep', '60'], start_new_session=True);"
        "print(child.pid, flush=True)"
    )
    completed = await run(python(code))
    psutil.Process(int(completed.text)).kill()


async def test_who_is_cancelled_leaves_no_program(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    code = (
        "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
        "time.sleep(60)"
    )
    running = asyncio.ensure_future(run(python(code, str(begun))))
    process = int(await wait_for(begun))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not psutil.pid_exists(process)


async def test_memory_is_bounded() -> None:
    code = "import time; time.sleep(0.2); bytearray(600_000_000)"
    error = await fail(python(code, memory_bytes=200_000_000))
    assert "MemoryError" in error.stderr


async def test_processor_seconds_are_bounded() -> None:
    error = await fail(python("while True: pass", cpu_seconds=1))
    assert error.returncode < 0


@pytest.mark.parametrize("argv", ["ls -l", b"ls", [], ["a", 1], ["a\0b"], 7])
def test_argv_is_a_list_of_texts(argv: Any) -> None:
    with pytest.raises(ConfigError, match="argv"):
        Command(argv)


@pytest.mark.parametrize("field", ["output_bytes", "timeout", "memory_bytes", "cpu_seconds"])
def test_amounts_are_positive(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        Command(["true"], **{field: 0})


def test_paths_are_arguments_too() -> None:
    assert Command([Path("/bin/true")]).program == "/bin/true"
