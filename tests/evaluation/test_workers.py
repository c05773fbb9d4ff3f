"""Worker processes that die: the jobs they had are tried alone, and cost nothing else; nobody outlives the parent."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

MEASUREMENT = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from pydantic.dataclasses import dataclass as options
from sparsescope.measurements.base import Measurement
from sparsescope.metrics.base import OPTIONS, Metric
from sparsescope.units import weighted_mean

@dataclass(frozen=True)
class Deadly(Measurement):
    population = "test"
    always: str = ""
    def unit_ids(self, benchmark, seed):
        return np.arange(len(benchmark.test))
    def cost(self, benchmark):
        return 4096 / 80
    def prepare(self, benchmark, ids, seed):
        return benchmark.test.read(ids)
    def measure(self, classifier, shown, given, batch_size):
        classifier(shown[:1])
        once = Path("died")
        if classifier.name == self.always or (not self.always and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"mean": shown.mean(dim=(1, 2, 3)).numpy()}

@options(frozen=True, config=OPTIONS)
class Shade(Metric):
    always: str = ""
    name, label, dimension, unit, source = "shade", "Shade", "generalization", "levels", "nobody"
    sentence = "How light the images are."
    higher_is_better, bounds, in_verdict = True, (None, None), False
    def measurements(self, benchmark):
        return (Deadly(self.always),)
    def reduce(self, units, weights):
        return weighted_mean(units["mean"], weights)
"""
SCRIPT = """
import json, sys, warnings
import numpy as np
import torch
from torch import nn
import sparsescope as ss
from deadly import Shade

if __name__ == "__main__":
    images = ss.ArrayImages(np.random.default_rng(0).integers(0, 256, (160, 8, 8, 3), np.uint8), np.arange(160) % 2)
    torch.manual_seed(0)
    networks = [nn.Sequential(nn.Flatten(), nn.Linear(192, 2)) for _ in range(2)]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        evaluation = ss.evaluate(
            networks[0], [ss.Classifier(networks[1], name="sparse")], ss.Benchmark("b", images),
            metrics=["accuracy", Shade(always=sys.argv[2])], workers=int(sys.argv[1]), cache=False,
        )
    print(json.dumps([
        {metric.name: {name: [value.status, value.value, value.reason] for name, value in metric.values.items()}
         for metric in evaluation.metrics},
        [str(each.message) for each in told if issubclass(each.category, ss.errors.SparsescopeWarning)],
    ]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deadly.py").write_text(MEASUREMENT)
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


def evaluated(folder: Path, workers: int, always: str = "") -> tuple[dict[str, Any], list[str]]:
    done = subprocess.run(
        [sys.executable, "script.py", str(workers), always],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stderr == ""
    values, told = json.loads(done.stdout)
    return values, told


def test_a_worker_that_dies_costs_nothing(folder: Path) -> None:
    values, told = evaluated(folder, 2)
    assert (folder / "died").exists()
    assert values == evaluated(folder, 1)[0]
    assert all(status == "measured" for metric in values.values() for status, _, _ in metric.values())
    (warning,) = told
    assert "was killed, as happens where memory runs out" in warning
    assert "tried once more" in warning


def test_a_job_on_which_workers_always_die_costs_itself_alone(folder: Path) -> None:
    values, told = evaluated(folder, 2, "sparse")
    status, _, reason = values["shade"]["sparse"]
    assert status == "not evaluated"
    assert "was killed" in reason
    assert values["shade"]["dense"][0] == "measured"
    assert all(status == "measured" for status, _, _ in values["accuracy"].values())
    assert told


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(folder: Path, how: signal.Signals) -> None:
    (folder / "deadly.py").write_text(
        MEASUREMENT.replace("os.kill(os.getpid(), signal.SIGKILL)", "__import__('time').sleep(60)")
    )
    running = subprocess.Popen(
        [sys.executable, "script.py", "2", "sparse"], cwd=folder, env=environment(), start_new_session=True
    )
    try:
        _wait_until(lambda: (folder / "died").exists(), 120)
        assert len(_session(running.pid)) > 2
        running.send_signal(how)
        running.wait(10)
        _wait_until(lambda: not _session(running.pid), 10)
    finally:
        for pid in _session(running.pid):
            os.kill(pid, signal.SIGKILL)


def _session(leader: int) -> list[int]:
    """Return the processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def _wait_until(holds: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
