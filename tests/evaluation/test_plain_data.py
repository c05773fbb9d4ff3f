"""Data from which nothing can be learned give a word, and no number that looks like one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from array_probe import ArrayProbe
from numpy.typing import NDArray

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.datasets import open_benchmark
from sparsescope.errors import OptionError
from sparsescope.evaluation import evaluate
from sparsescope.results import Evaluation


def pictures(n: int, seed: int, labels: NDArray[np.int64] | None = None) -> ArrayImages:
    return ArrayImages(np.random.default_rng(seed).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8), labels)


def plain(color: int | NDArray[np.uint8], n: int = 12) -> ArrayImages:
    return ArrayImages(np.full((n, 16, 16, 3), color, np.uint8), np.arange(n) % 4)


@pytest.fixture
def judged(dense: Classifier, sparse: Classifier, settings: dict[str, Any]) -> Any:
    def run(benchmark: Benchmark, *metrics: str, **changes: Any) -> Evaluation:
        return evaluate(dense, sparse, benchmark, metrics=list(metrics), **{**settings, **changes})

    return run


@pytest.mark.parametrize(
    ("masks", "reason"),
    [
        (np.zeros((2, 12, 16, 16), bool), "no pixel of the probe images has a label"),
        (np.zeros((0, 12, 16, 16), bool), "no pixel of the probe images has a label"),
        (np.ones((2, 1, 16, 16), bool), "the probe set has a single image"),
        (np.ones((2, 12, 16, 16), bool), "concepts cover all of every image, and tell nothing apart: c0, c1"),
        (np.indices((2, 12, 16, 16))[1] % 2 == 0, None),
    ],
)
def test_probe_sets(judged: Any, benchmark: Benchmark, masks: NDArray[np.bool_], reason: str | None) -> None:
    probe = ArrayProbe(np.random.default_rng(0).random((masks.shape[1], 3, 16, 16)), masks)
    value = judged(replace(benchmark, probe=probe), "composition")["composition"].values["dense"]
    assert (value.status == "measured") == (reason is None)
    assert (value.reason or "").endswith(reason or "")


@pytest.mark.parametrize(
    ("ood", "reason"),
    [
        ({"same": pictures(40, 0)}, "the out-of-distribution set same has the same images as test: leave it out"),
        ({"a": pictures(9, 1), "b": pictures(9, 1)}, "set b has the same images as ood:a: leave it out"),
        ({"a": pictures(24, 2)}, "set a has the same images as train: leave it out"),
        ({"one": pictures(1, 1)}, "the out-of-distribution set one has a single image"),
        ({"a": pictures(9, 1), "b": pictures(9, 3)}, None),
    ],
)
def test_sets_that_are_no_others(judged: Any, ood: dict[str, ArrayImages], reason: str | None) -> None:
    labels = np.arange(40) % 4
    benchmark = Benchmark("b", pictures(40, 0, labels), train=pictures(24, 2, labels[:24]), ood=ood)
    value = judged(benchmark, "ood_auroc")["ood_auroc"].values["sparse"]
    assert (value.reason or "").endswith(reason or "") and (value.status == "measured") == (reason is None)


def test_training_images_that_are_the_test_images(judged: Any) -> None:
    labels = np.arange(40) % 4
    same = Benchmark("b", pictures(40, 0, labels), train=pictures(40, 0, labels))
    assert "their gap is 0" in judged(same, "generalization_gap")["generalization_gap"].values["dense"].reason


def test_copies_are_told_by_what_can_be_seen() -> None:
    labels = np.arange(40) % 4
    floats = ArrayImages(np.zeros((40, 3, 16, 16), np.float32), labels)
    assert Benchmark("b", floats, ood={"far": ArrayImages(np.zeros((40, 3, 16, 16), np.float32))}).copies == {}
    assert Benchmark("b", floats, train=floats).copies == {"train": "test"}
    as_floats = pictures(40, 0).read(np.arange(40)).numpy()
    other_kind = Benchmark("b", pictures(40, 0, labels), ood={"far": ArrayImages(as_floats)})
    assert other_kind.copies == {"ood:far": "test"}


def test_one_set_given_twice() -> None:
    with pytest.raises(OptionError, match=r"noise:uniform is given twice, and would count twice\. Give it once"):
        open_benchmark("digits", ood=["noise:uniform", "textures", "noise:uniform"])


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (plain(0), "images of one and the same color, in which there is nothing to see"),
        (plain(np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1)), "images of a single color each"),
        (pictures(12, 0, np.full(12, 2)), "images of one class alone (c), and its numbers say nothing of the others"),
        (ArrayImages(np.repeat(np.eye(16, dtype=np.uint8)[None, :, :, None], 12, 0).repeat(3, 3), np.arange(12) % 4),
         "images that are all the same picture"),
        (pictures(12, 0, np.arange(12) % 4), None),
    ],
)  # fmt: skip
def test_test_images_that_say_little(judged: Any, test: ArrayImages, said: str | None) -> None:
    found = judged(Benchmark("b", test, classes=("a", "b", "c", "d")), "nll")
    words = [text for text in found.models[0].warnings if text.startswith("is judged on")]
    assert [said in text for text in words if said] == ([True] if said else [])
    assert words == [text for text in words if said]


@pytest.mark.parametrize("superpixels", ["grid", "felzenszwalb", "slic"])
def test_explanations_of_nothing_are_not_perfect(judged: Any, superpixels: str) -> None:
    options = {name: {"images": 6, "samples": 20, "superpixels": superpixels} for name in ("fidelity", "stability")}
    found = judged(Benchmark("b", plain(0)), "fidelity", "stability", options=options)
    for metric in found.metrics:
        assert "no image has two superpixels, and one that removal changes" in metric.values["dense"].reason
    assert found.verdict("sparse").outcome == "inconclusive"


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_few_images_decide_nothing(judged: Any, n: int) -> None:
    found = judged(Benchmark("b", pictures(n, 0, np.arange(n) % 4)), "accuracy", "nll", "ece", "corruption_error")
    for name, metric in found.verdict("sparse").metrics.items():
        if found[name].values["sparse"].n == n and name in ("accuracy", "nll", "corruption_error"):
            assert metric.outcome == "inconclusive" and "too few units" in (metric.reason or "")
    assert found.verdict("sparse").outcome == "inconclusive"
