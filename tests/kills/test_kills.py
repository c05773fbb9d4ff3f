"""A small part of the kills, and that they find what they look for."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.kills import processes
from tests.kills.__main__ import kill_once
from tests.kills.commands import COMMANDS
from tests.kills.processes import run

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forks, since Python 3.12


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), [("evaluate", signal.SIGKILL), ("prune", signal.SIGTERM)])
def test_a_killed_command_goes_on(name: str, number: signal.Signals, tmp_path: Path) -> None:
    command = COMMANDS[name]
    command.prepare(tmp_path)
    whole = run(tmp_path, command.arguments(1))
    assert whole.code == 0, whole.printed
    outcomes = list(kill_once(command, 1, number, 0.6 * whole.seconds, command.numbers(tmp_path)))
    assert len(outcomes) == 1 and outcomes[0][0] in ("killed", "too late"), outcomes


def test_orphans_and_tracebacks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave_a_process() -> None:
        subprocess.Popen(["sleep", "30"])
        time.sleep(30)

    monkeypatch.setattr(processes, "ORPHANED", 0.1)
    monkeypatch.setattr("sparsescope.cli.main", leave_a_process)
    ended = run(tmp_path, ["evaluate"], signal.SIGKILL, after=1.0)
    assert ended.code == -signal.SIGKILL and [text.strip() for text in ended.orphans] == ["sleep 30"]


def test_what_a_command_raises_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyError("boom")

    monkeypatch.setattr("sparsescope.cli.main", fail)
    ended = run(tmp_path, ["evaluate"])
    assert ended.code == 70 and "KeyError: 'boom'" in ended.printed and ended.orphans == ()
