"""Progress as a user sees it: on a terminal of 80 columns, and in a log file."""

import io
import re
import sys
import time

import pytest

from sparsescope.cli.progress import duration, progress_bar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("label", ["LIME", "seed 0, lth-0.488: epoch 3/20, loss 1.234, accuracy 45.1%, sparsity 48.8%"])
def test_the_bar_fits_with_percentage_and_time_left(monkeypatch: pytest.MonkeyPatch, width: int, label: str) -> None:
    terminal = _Terminal()
    for name, value in {"COLUMNS": str(width), "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", terminal)

    with progress_bar(quiet=False) as tell:
        assert tell is not None
        for done in range(10):
            tell(done, 16, label)
            time.sleep(0.03)

    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()))
    assert max(map(len, lines)) <= width
    assert re.search(rf"{label[:20]}.*56% *\d+ s left", lines[-2] or lines[-3])


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    log, clock = io.StringIO(), iter([0.0, 10.0, 31.0, 40.0, 62.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", log)
    with progress_bar(quiet=False) as tell:
        assert tell is not None
        for done in (10, 25, 30, 50):
            tell(done, 100, "corruptions")
    assert log.getvalue() == " 25%  corruptions, about 2 min left\n 50%  corruptions, about 62 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (40, "40 s"),
        (89.6, "90 s"),
        (720, "12 min"),
        (5400, "1.5 h"),
        (47.9 * 3600, "47.9 h"),
        (2757.3 * 3600, "115 days"),
        (270_295.5 * 3600, "31 years"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
