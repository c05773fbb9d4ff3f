"""Freed memory is kept for the next batch, unless an environment variable says otherwise."""

import os
import platform
import subprocess
import sys

import pytest
from torch import nn

from sparsescope import memory
from sparsescope.classifier import Classifier

LOOP = """
import resource
import numpy as np
from sparsescope.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keep_freed_memory()
for batch in range(6):
    before = faults()
    maps = [np.ones(1 << 18) for _ in range(60)]
    del maps
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_the_next_batch_faults_no_pages_in_again_unless_told_otherwise() -> None:
    pages = {}
    for value in ("", "0"):
        environment = {**os.environ, memory.KEEP_MEMORY: value}
        found = subprocess.run(
            [sys.executable, "-c", LOOP], env=environment, capture_output=True, text=True, check=True
        )
        pages[value] = int(found.stdout)
    assert pages[""] < 100 < 10_000 < pages["0"]


@pytest.mark.parametrize("why", ["told so", "another C library", "no mallopt"])
def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setenv(memory.KEEP_MEMORY, "0" if why == "told so" else "1")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", "") if why == "another C library" else ("glibc", "2.36"))
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert memory.keep_freed_memory.__wrapped__() is False


def test_whoever_prepares_a_model_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("sparsescope.classifier.keep_freed_memory", lambda: asked.append(True))
    with Classifier(nn.Flatten()).prepared():
        assert asked
