"""Stored corrupted images in an evaluation: the same errors as on the fly, their own cache key, their own entry."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.corruptions.stored import open_corrupted
from sparsescope.corruptions.writing import write_corrupted
from sparsescope.errors import DataError
from sparsescope.evaluation import evaluate
from sparsescope.evaluation.cache import measurement_key
from sparsescope.identity import Identity
from sparsescope.measurements.base import run
from sparsescope.measurements.corrupted_predictions import CorruptedPredictions
from sparsescope.measurements.predictions import Predictions

NAMES = ("gaussian_noise", "brightness", "contrast")


@pytest.fixture
def folder(tmp_path: Path, benchmark: Benchmark) -> Path:
    write_corrupted(benchmark.test, tmp_path / "set", corruptions=NAMES, seed=4)
    return tmp_path / "set"


@pytest.mark.parametrize(("images", "cells"), [(None, None), (None, 5), (25, 4)])
def test_errors_are_bit_equal_to_those_on_the_fly(
    folder: Path, benchmark: Benchmark, dense: Classifier, images: int | None, cells: int | None
) -> None:
    measurement = CorruptedPredictions(NAMES, (1, 3, 5), images, cells)
    stored = replace(benchmark, corrupted=open_corrupted(str(folder), benchmark.test))
    on_the_fly = run(measurement, dense, benchmark, seed=4)
    read = run(measurement, dense, stored, seed=4)
    for name, array in on_the_fly.items():
        np.testing.assert_array_equal(read[name], array)
    assert 0 < read["error"].sum() < read["observed"].sum()
    # It is the stored pixels that are shown: with the files' blocks all black, the errors are others.
    for path in (*folder.glob("*_noise.npy"), *folder.glob("[bc]*.npy")):
        np.save(path, np.zeros_like(np.load(path)))
    assert (run(measurement, dense, stored, seed=4)["error"] != on_the_fly["error"]).any()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_evaluation_is_the_same(
    folder: Path, benchmark: Benchmark, dense: Classifier, sparse: Classifier, settings: dict[str, Any], workers: int
) -> None:
    settings |= {"metrics": ["corruption_error", "accuracy"], "seed": 4}
    made = evaluate(dense, sparse, benchmark, **settings)
    read = evaluate(dense, sparse, benchmark, corrupted=f"cifar-c:{folder}", workers=workers, **settings)
    assert read["corruption_error"] == made["corruption_error"]
    assert read.benchmark.fingerprint != made.benchmark.fingerprint
    assert "corrupted" not in made.benchmark.sets
    entry = read.benchmark.sets["corrupted"]
    assert (entry.n, entry.shape, entry.source) == (3 * 5 * 40, (3, 16, 16), f"cifar-c:{folder}")
    assert entry.parts == dict.fromkeys(NAMES, 200)


def test_the_cache_knows_the_stored_set_where_it_is_used(
    folder: Path, benchmark: Benchmark, dense: Classifier, sparse: Classifier, settings: dict[str, Any], tmp_path: Path
) -> None:
    stored = replace(benchmark, corrupted=open_corrupted(str(folder), benchmark.test))
    errors, clean = CorruptedPredictions(NAMES), Predictions("test")
    assert measurement_key(errors, stored, 0, [Identity("m")]) != measurement_key(errors, benchmark, 0, [Identity("m")])
    assert measurement_key(clean, stored, 0, [Identity("m")]) == measurement_key(clean, benchmark, 0, [Identity("m")])
    fewer = replace(benchmark, ood={}, train=None)
    assert measurement_key(errors, fewer, 0, [Identity("m")]) == measurement_key(errors, benchmark, 0, [Identity("m")])

    settings |= {"metrics": ["corruption_error", "accuracy"], "cache": tmp_path / "cache"}
    assert evaluate(dense, sparse, benchmark, **settings).cost.cached == 0
    passes = evaluate(dense, sparse, stored, **settings).cost
    assert passes.cached == 2  # clean predictions of two models
    assert passes.forward_passes == 2 * 40 * 5
    assert evaluate(dense, sparse, stored, **settings).cost.forward_passes == 0


def test_a_corruption_that_is_not_there(folder: Path, benchmark: Benchmark, dense: Classifier) -> None:
    with pytest.raises(DataError, match="lacks 12 of the 15 corruptions to measure: shot_noise; impulse_noise"):
        evaluate(dense, dense, benchmark, metrics=["corruption_error"], corrupted=str(folder), cache=False)


def test_a_benchmark_refuses_corrupted_images_of_another_set(folder: Path, benchmark: Benchmark) -> None:
    stored = open_corrupted(str(folder), benchmark.test)
    other = ArrayImages(benchmark.test.read_uint8(range(39)), benchmark.test.required_labels()[:39], "other")
    with pytest.raises(DataError, match=r"to be those of the test set \(other\): 39 of shape .* but got 40"):
        Benchmark("b", other, corrupted=stored)
