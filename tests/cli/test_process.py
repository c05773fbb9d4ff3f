"""The command as a process: SIGTERM, and a standard output that is closed or full."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import sys, time
from sparsescope.cli import evaluate as module, main

def run(*_, **__):
    print("ready", flush=True)
    {body}

module.run = run
sys.argv = ["sparsescope", "evaluate", "a.pt", "b.pt", "--data", "digits", "--quiet"]
main()
"""


def start(body: str, stdout: int | None = subprocess.PIPE) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(body=body)], stdout=stdout, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGTERM")
def test_sigterm_ends_a_command_as_ctrl_c_does() -> None:
    with start("time.sleep(60)") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=20)
    assert running.returncode == 130
    assert told == "\nInterrupted. What has been measured is kept: the same command goes on from there.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGTERM")
def test_a_signal_in_a_finalizer_ends_a_command_where_it_tells_its_progress() -> None:
    body = """
    from sparsescope.cli.progress import progress_bar
    class Slow:
        def __del__(self):
            print("waiting", flush=True)
            time.sleep(1)  # Python ignores what is raised here
    with progress_bar(quiet=True) as progress:
        Slow()
        for step in range(100):
            time.sleep(0.01)
            progress(step, 100, "steps")
    return 0
"""
    with start(body.strip()) as running:
        assert running.stdout is not None
        assert [running.stdout.readline(), running.stdout.readline()] == ["ready\n", "waiting\n"]
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=20)
    assert running.returncode == 130
    assert told.endswith("\nInterrupted. What has been measured is kept: the same command goes on from there.\n")


@pytest.mark.parametrize("code", [0, 1])
def test_a_reader_that_has_gone_changes_nothing(code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with start(f"print('table ' * 10_000, flush=True); return {code}", writing) as running:
        os.close(writing)
        _, told = running.communicate(timeout=20)
    assert (running.returncode, told) == (code, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("code", "expected"), [(0, 3), (1, 1)])
def test_an_output_that_cannot_be_written_is_said(code: int, expected: int) -> None:
    with Path("/dev/full").open("w") as full, start(f"return {code}", full.fileno()) as running:
        _, told = running.communicate(timeout=20)
    assert running.returncode == expected
    assert told == "Error: standard output cannot be written: No space left on device.\n"


def test_letters_that_the_terminal_lacks_are_replaced() -> None:
    code = "import sys\nfrom sparsescope.cli.process import run_as_process\nrun_as_process(lambda: print('± 1'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "? 1\n", "")
