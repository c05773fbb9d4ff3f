"""One iteration of the soak, and that it tells what grows from what does not."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.soak.__main__ import print_growth
from tests.soak.growth import BLOCKS, growth
from tests.soak.samples import QUANTITIES, sample
from tests.soak.work import Work


@pytest.mark.slow
def test_an_iteration_leaves_nothing_open(tmp_path: Path) -> None:
    work = Work(tmp_path, workers=1)
    work(0)
    before = dict(zip(QUANTITIES, sample(), strict=True))
    work(1)
    after = dict(zip(QUANTITIES, sample(), strict=True))
    for name in ("descriptors", "shared", "threads", "children"):
        assert after[name] == before[name]


def test_what_is_held_is_counted(tmp_path: Path) -> None:
    before, event = dict(zip(QUANTITIES, sample(), strict=True)), threading.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    with (tmp_path / "held").open("w"):
        after = dict(zip(QUANTITIES, sample(), strict=True))
    event.set()
    thread.join()
    assert after["descriptors"] == before["descriptors"] + 1
    assert after["threads"] == before["threads"] + 1


def test_growth_is_told_from_noise(capsys: pytest.CaptureFixture[str]) -> None:
    rng, places = np.random.default_rng(0), np.arange(600)
    memory = 800 + rng.normal(0, 3, 600)
    memory[:60] -= 50  # while imported packages fill their caches
    flat = [(value, 12.0, 0.0, 1.0, 0.0, 1.0) for value in memory]
    assert print_growth(flat) == 0
    assert growth(list(memory)).error > 0
    leaking = [(value + 0.02 * place, *rest) for place, (value, *rest) in zip(places, flat, strict=True)]
    assert print_growth(leaking) == 1
    assert "memory" in capsys.readouterr().out.split("GROWS")[0].splitlines()[-1]
    held = [(value, 12.0 + place // 100, *rest) for place, (value, _, *rest) in zip(places, flat, strict=True)]
    assert print_growth(held) == 1
    assert growth([float(n) for n in range(2 * BLOCKS)]).slope == pytest.approx(1000)
