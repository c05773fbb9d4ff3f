"""A file that loads can be rendered: whatever is damaged is refused with a clear error, or shown.

SPARSESCOPE_FUZZ sets how many damaged files are tried; the suite tries a few.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fake_sweep import make_sweep
from mutate import mutated
from written import part_of, written

from sparsescope.errors import InputError
from sparsescope.reporting import report, write_sweep_report
from sparsescope.results import Evaluation, Sweep

FILES = int(os.environ.get("SPARSESCOPE_FUZZ", "0"))
PARTS = (
    ("accuracy", "corruption_error", "sce"),
    ("fgsm_accuracy", "ood_auroc", "ece", "nll"),
    ("fidelity", "stability", "composition", "weight_trace", "input_trace"),
)


def refused_or_reported(content: Any, folder: Path) -> bool:
    """Write a file, load and report it; False where it was refused, with an error that names it."""
    path = folder / "evaluation.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        evaluation = Evaluation.load(path)
    except InputError as error:
        assert str(path) in str(error)
        return False
    report(evaluation, folder / "out")
    return True


@pytest.mark.parametrize("name", ["demo", "real"])
def test_damaged_evaluations(name: str, tmp_path: Path) -> None:
    whole = written(name)
    files = FILES or 9
    shown = 0
    for seed in range(files):
        content = part_of(whole, PARTS[seed % len(PARTS)])
        try:
            shown += refused_or_reported(mutated(content, seed), tmp_path)
        except Exception as error:
            raise AssertionError(f"{name} damaged with seed {seed}") from error
    assert 0 < shown < files


def test_damaged_evaluations_are_refused_or_loaded(tmp_path: Path) -> None:
    """The same without reports, and so of many more files."""
    path, whole = tmp_path / "evaluation.json", written("demo")
    loaded = 0
    for seed in range(10_000, 10_000 + 2 * (FILES or 60)):
        path.write_text(json.dumps(mutated(whole, seed)), encoding="utf-8")
        try:
            evaluation = Evaluation.load(path)
        except InputError as error:
            assert str(path) in str(error)
            continue
        evaluation.save(path)
        assert Evaluation.load(path) == evaluation, seed
        loaded += 1
    assert loaded > 20


def test_damaged_sweeps(tmp_path: Path) -> None:
    """Either sweep.json is damaged, or one of its evaluations."""
    make_sweep(tmp_path, methods=("lth", "omp"), sparsities=(0.2, 0.5), seeds=(0, 1), metrics=("accuracy", "nll"))
    point = Sweep.load(tmp_path).points[0].evaluation
    paths = [tmp_path / "sweep.json", tmp_path / point]
    originals = {path: path.read_text() for path in paths}
    for seed in range(FILES // 4 or 6):
        for path, text in originals.items():
            path.write_text(text)
        path = paths[seed % 2]
        path.write_text(json.dumps(mutated(json.loads(originals[path]), seed)))
        try:
            write_sweep_report(tmp_path)
        except InputError:
            continue
        except Exception as error:
            raise AssertionError(f"{path.name} damaged with seed {seed}") from error
