"""A small part of the fuzz: whatever a file or an option holds, it is read, or refused by an error of our own."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from sparsescope.errors import SparsescopeError
from tests.fuzz.limits import Try, run_inputs
from tests.fuzz.readers import READERS

ELSEWHERE = {"rendering", "sweep"}
"""What tests/reporting/test_damaged_files.py has."""


@pytest.fixture(params=[name for name in READERS if name not in ELSEWHERE])
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Try]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield request.param, READERS[request.param](tmp_path)


def test_inputs_are_read_or_refused(reader: tuple[str, Try]) -> None:
    name, attempt = reader

    @settings(max_examples=8 if name == "checkpoint" else 25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**40))
    def read_or_refused(number: int) -> None:
        try:
            attempt(number)
        except SparsescopeError as error:
            assert str(error)

    read_or_refused()


def test_the_bounds_hold() -> None:
    """The fuzz itself finds what it looks for: a foreign error, too much memory, a dead process."""

    def attempt(number: int) -> bool:
        if number == 1:
            raise KeyError("foreign")
        if number == 2:
            bytearray(2**40)
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 4:
            raise SparsescopeError("refused")
        return True

    counts, found = run_inputs(attempt, 0, float("inf"), 6)
    assert dict(counts) == {"read": 2, "foreign": 2, "fatal": 1, "refused": 1}
    assert [text.partition(":")[0] for text in found] == ["foreign", "foreign", "fatal"]
    assert "MemoryError" in found[1] and "input 3" in found[2]
