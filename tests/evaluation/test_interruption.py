"""Ctrl-C with worker processes: a real signal to a real process group."""

import os
import signal
import subprocess
import sys

import pytest

_SCRIPT = """
import atexit, os, multiprocessing, signal, threading, time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.evaluation import evaluate


def ctrl_c():
    os.killpg(0, signal.SIGINT)


if __name__ == "__main__":
    submit = ProcessPoolExecutor.submit

    def submit_and_interrupt(self, *job):
        ProcessPoolExecutor.submit = submit
        threading.Timer(0.3, ctrl_c).start()  # the workers are importing torch, which takes longer
        return submit(self, *job)

    ProcessPoolExecutor.submit = submit_and_interrupt
    images = ArrayImages(np.zeros((8, 8, 8, 3), np.uint8), np.arange(8) % 2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    try:
        evaluate(network, network, Benchmark("b", images), metrics=["accuracy"], workers=2, cache="cache")
    except KeyboardInterrupt:
        print("interrupted; children left:", len(multiprocessing.active_children()), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_workers_vanish_without_a_word(tmp_path):
    (tmp_path / "script.py").write_text(_SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        timeout=120,
    )

    assert done.stdout == "interrupted; children left: 0\n"
    assert done.stderr == ""
    assert done.returncode == 0
    assert not list(tmp_path.rglob("*.partial"))
