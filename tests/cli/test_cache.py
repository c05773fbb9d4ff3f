"""`sparsescope cache`: what it holds, what is damaged in it, and what nobody uses any more."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sparsescope.cli.group import sparsescope
from sparsescope.evaluation.parts import Part

KEY = "ab" + "0" * 62


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of three parts of one measurement, and files that are not ours."""
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path))
    for units in ("0-4", "4-8", "8-12"):
        Part(tmp_path, KEY, units).write({"logits": np.zeros((4, 10))})
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "ab" / "photos").mkdir()
    (tmp_path / "ab" / "photos" / "holiday.npz").write_text("mine")
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(sparsescope, ["cache", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("arguments", [(), ("size",)])
def test_size(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == f"{folder}: 3 parts (0.0 MB) of 1 measurement\n"


def test_an_empty_or_missing_folder_holds_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(folder / "new"))
    assert ": 0 parts (0.0 MB) of 0 measurements" in run()
    assert ": 0 parts, all as they were written." in run("verify")
    assert ": removed 0 files" in run("prune")
    assert not (folder / "new").exists()


def test_verify_removes_what_is_damaged(folder: Path) -> None:
    assert "3 parts, all as they were written" in run("verify")
    path = Part(folder, KEY, "4-8").path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "1 of 3 parts were damaged and are removed" in run("verify")
    assert not path.exists()
    assert "2 parts, all as they were written" in run("verify")


def test_prune_removes_what_was_not_used(folder: Path) -> None:
    old, read = Part(folder, KEY, "0-4"), Part(folder, KEY, "4-8")
    for part in (old, read):
        os.utime(part.path, (0, time.time() - 40 * 24 * 3600))
    assert read.read() is not None  # which counts as a use
    assert "removed 0 files" in run("prune", "--unused", "50")
    assert "would remove 1 file " in run("prune", "--dry-run")
    assert old.path.exists()
    assert "removed 1 file " in run("prune")
    assert not old.path.exists()
    assert read.path.exists()


def test_prune_removes_what_earlier_versions_left_and_nothing_of_others(folder: Path) -> None:
    left = Part(folder, KEY, "0-4").path.with_suffix(".npz")
    left.write_bytes(b"old")
    half = left.with_name("4-8.part.77.partial")
    half.write_bytes(b"half")
    assert "Left by earlier versions and unfinished runs: 1 file" in run()  # the other may still be in the making
    os.utime(half, (0, 0))
    assert "2 files" in run()
    assert "removed 5 files" in run("prune", "--unused", "0")
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["holiday.npz", "notes.txt"]
    assert not (folder / "ab" / KEY).exists()


def test_an_argument_out_of_range_is_wrong_usage(folder: Path) -> None:
    result = CliRunner().invoke(sparsescope, ["cache", "prune", "--unused", "-1"])
    assert result.exit_code == 2
