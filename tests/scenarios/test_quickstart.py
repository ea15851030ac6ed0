import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICKSTART, REPLY = EXAMPLES / "quickstart.py", EXAMPLES / "reply.json"


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ([str(QUICKSTART)], 0),
        (["-m", "penstock.cli", "run", str(REPLY), "--tools", str(QUICKSTART)], 1),
    ],
    ids=["program", "command line"],
)
def test_the_quickstart(command: list[str], code: int, tmp_path: Path) -> None:
    """A newcomer runs the first example, as a program and through the command line.

    A model asks for two forecasts and two populations; one argument is a word where a number belongs,
    and one tool's name is misspelt. The two good calls have their values, the two others say what the
    model should do instead.
    """
    run = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (code, "")
    for part in ("sunny", "717710", "should be a valid integer", "Did you mean 'population'?"):
        assert part in run.stdout
