"""The how-to page on probe sets does what it says."""

import re

import numpy as np
import pytest
from forms_page import HOW_TO, check_table

from sparsescope.datasets import open_probe
from sparsescope.datasets.probes import PROBES

PAGE = (HOW_TO / "probe-sets.md").read_text(encoding="utf-8")


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_form_is_there():
    check_table("probe-sets.md", PROBES.values())


def test_the_first_look(blocks):
    seen = {}
    exec(blocks[0], seen)
    assert (len(seen["probe"]), len(seen["probe"].concepts)) == (400, 46)
    assert len(open_probe("shapes", (1, 8, 8)).concepts) == 40


def test_the_folder_that_it_writes_can_be_read(blocks):
    exec(blocks[1], {})
    probe = open_probe("probe:my-probe", (3, 24, 32))
    indices, masks = probe.labels(0)
    assert [probe.concepts[index].name for index in indices] == ["left half", "bright"]
    np.testing.assert_array_equal(masks[0], np.arange(64) < np.full((48, 1), 32))
    assert (masks[0] & masks[1]).any()


def test_the_code_that_it_shows_is_a_probe_set(blocks, tmp_path):
    (tmp_path / "mine.py").write_text(blocks[2])
    assert open_probe("mine.py:halves", (1, 5, 6)).read([0, 1]).shape == (2, 1, 5, 6)
