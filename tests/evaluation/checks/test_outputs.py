"""Outputs that contradict the form in which they are read; no metric that depends on it is a ground for a PASS."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError
from sparsescope.evaluation import evaluate
from sparsescope.evaluation.checks import Noticed, check_models, images_to_show
from sparsescope.metrics.base import Reads


class Ending(nn.Module):
    def __init__(self, network: nn.Module, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.end = network, end

    def forward(self, images: Tensor) -> Tensor:
        return self.end(20 * self.network(images))


def ending(classifier: Classifier, end: Callable[[Tensor], Tensor], output: str = "logits") -> Classifier:
    module = Ending(copy.deepcopy(classifier.module), end)
    return Classifier(module, classifier.mean, classifier.std, output=output, name=classifier.name)


def checked(classifier: Classifier, benchmark: Benchmark, *reads: Reads) -> Noticed:
    images = images_to_show(benchmark.test)
    return check_models([classifier], images, None, reads or ["probabilities"])[classifier.name]


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (lambda z: z.softmax(1), "returns probabilities, not logits .* give --model-output probabilities"),
        (lambda z: (z / 9).softmax(1), "returns probabilities"),
        (lambda z: z.softmax(1).half().float(), "returns probabilities"),
        (lambda z: z.softmax(1).bfloat16().float(), "returns probabilities"),
        (lambda z: nn.functional.one_hot(z.argmax(1), 4).float(), "returns probabilities"),
        (lambda z: 100 * z.softmax(1), r"returns scaled probabilities, not logits \(every row sums to 100\)"),
        (lambda z: z.sigmoid(), "returns sigmoids, .* give --model-output sigmoids"),
        (lambda z: (z / 50).sigmoid(), "returns sigmoids"),
        (lambda z: (z / 50 - 4).sigmoid(), "returns sigmoids"),
        (lambda z: torch.cat([(z[:, :2] / 50 - 4).sigmoid(), (z[:, 2:] / 50 - 4).sigmoid()], 1), "returns sigmoids"),
        (lambda z: (z / 50 - 4).sigmoid().half(), "returns sigmoids"),
        (lambda z: torch.special.expit(z / 50 - 4).clamp(1e-7, 1 - 1e-7), "returns sigmoids"),
        (lambda z: nn.functional.hardsigmoid(z / 50 - 2), "returns sigmoids"),
        (lambda z: nn.functional.logsigmoid(z), "returns what its log-sigmoid gives"),
        (lambda z: (z / 50).softmax(1)[:, 1:], "returns what its softmax gives, or a part of that"),
        (lambda z: z.softmax(1).log2(), "returns log-probabilities to the base 2"),
        (lambda z: z.softmax(1).log10(), "returns log-probabilities to the base 10"),
        (lambda z: 3 * z.softmax(1) - 1, r"returns scaled probabilities, .* sums to -1\)"),
        (lambda z: (z / 9).softmax(1).log1p(), "returns logarithms of what always has the same sum"),
        (lambda z: (z / 9).softmax(1).square(), "returns a function of what its softmax gives"),
        (lambda z: (z / 9).softmax(1) / (1 - (z / 9).softmax(1)), "returns a function of what its softmax gives"),
        (lambda z: z.softmax(1).log().clamp_min(-3), "returns a function of what its softmax gives"),
        (lambda z: (z.softmax(1) + 0.05).log(), "returns logarithms of what always has the same sum"),
        (lambda z: 255 * z.softmax(1), r"returns scaled probabilities, .* sums to 255\)"),
    ],
)
def test_what_is_taken_for_logits(
    end: Callable[[Tensor], Tensor], text: str, dense: Classifier, benchmark: Benchmark
) -> None:
    model = ending(dense, end)
    noticed = checked(model, benchmark)
    assert [doubt.reads for doubt in noticed.doubts] == [{"probabilities", "logits"}]
    (warning,) = model.warnings
    assert re.match(text, warning)


@pytest.mark.parametrize(
    "end",
    [
        lambda z: z,
        lambda z: z.relu(),
        lambda z: z.relu() / 1e3,
        lambda z: z * 0,
        lambda z: -z.square(),
        lambda z: (z - z.min()) / 1e3 * (z / 50).sigmoid(),
        lambda z: nn.functional.silu(z) / 1e4 + 0.1,
        lambda z: z - z.mean(1, keepdim=True),
        lambda z: nn.functional.normalize(z),
        lambda z: nn.functional.layer_norm(z, z.shape[1:]),
        lambda z: nn.functional.softplus(z),
        lambda z: 9 * z.tanh(),
    ],
)
def test_logits_are_not_suspected(end: Callable[[Tensor], Tensor], dense: Classifier, benchmark: Benchmark) -> None:
    noticed = checked(ending(dense, end), benchmark, "logits")
    assert noticed.doubts == []


def test_log_probabilities_matter_to_scores_of_the_logits_alone(dense: Classifier, benchmark: Benchmark) -> None:
    model = ending(dense, lambda z: z.log_softmax(1))
    assert checked(model, benchmark).doubts == [] and model.warnings == ()
    assert [doubt.reads for doubt in checked(model, benchmark, "order", "logits").doubts] == [{"logits"}]
    assert "returns log-probabilities" in model.warnings[0]
    with pytest.raises(InputError, match="dense returns minus the logarithms of probabilities"):
        checked(ending(dense, lambda z: -z.log_softmax(1)), benchmark)
    with pytest.raises(InputError, match="minus the logarithms"):
        checked(ending(dense, lambda z: -z.softmax(1).log2()), benchmark)


@pytest.mark.parametrize(
    ("end", "output", "text"),
    [
        (lambda z: z, "probabilities", "is read as 'probabilities' .* but its values reach from -"),
        (lambda z: z.sigmoid(), "probabilities", "its rows sum to .* and not to 1"),
        (lambda z: z, "sigmoids", "is read as 'sigmoids'"),
        (lambda z: z[:, 0], "binary-probabilities", "is read as 'binary-probabilities'"),
        (lambda z: z[..., None], "squeezed:probabilities", "its values reach"),
    ],
)
def test_what_is_not_of_the_form_that_is_asked_for(
    end: Callable[[Tensor], Tensor], output: str, text: str, dense: Classifier, benchmark: Benchmark
) -> None:
    with pytest.raises(InputError, match=text):
        checked(ending(dense, end, output), benchmark)
    right: dict[str, Callable[[Tensor], Tensor]] = {
        "probabilities": lambda z: z.softmax(1).half().float(),
        "sigmoids": lambda z: z.sigmoid(),
        "binary-probabilities": lambda z: z[:, 0].sigmoid(),
        "squeezed:probabilities": lambda z: z.softmax(1)[..., None],
    }
    model = ending(dense, right[output], output)
    assert checked(model, benchmark).doubts == [] and model.warnings == ()


def test_a_softmax_inside_one_of_the_models_is_no_pass(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    same, soft = ending(dense, lambda z: z), ending(dense, lambda z: z.softmax(1))
    options = settings | {"metrics": ["accuracy", "ece", "nll"], "options": {}}
    both = evaluate(soft, copy.deepcopy(soft), benchmark, **options)
    verdict = both.verdict("dense-2")
    assert (verdict.outcome, verdict.paper.outcome) == ("inconclusive", "inconclusive")
    assert verdict.metrics["accuracy"].outcome == "pass"  # the softmax changes no predicted class
    for name in ("ece", "nll"):
        assert both[name].values["dense"].status == "measured"
        assert verdict.metrics[name].outcome == "not evaluated"
        assert (verdict.metrics[name].reason or "").startswith("dense returns probabilities, not logits")
    one = evaluate(same, soft, benchmark, **options)
    assert not any("returns" in text for text in one.dense.warnings)
    assert any("output='probabilities'" in text for text in one.candidates[0].warnings)
    assert one.verdict("dense-2").outcome == "inconclusive"
    soft.output = "probabilities"
    mended = evaluate(same, soft, benchmark, **options)
    assert all(found.outcome != "not evaluated" for found in mended.verdict("dense-2").metrics.values())
    assert mended["nll"].values["dense"].value == pytest.approx(mended["nll"].values["dense-2"].value, abs=1e-5)


def test_the_whole_batch_is_looked_at_before_outputs_are_cut(dense: Classifier, benchmark: Benchmark) -> None:
    model = ending(dense, lambda z: z.softmax(1))
    model.outputs = (0, 2)
    assert checked(model, benchmark).doubts and checked(model, benchmark).logits.shape[1] == 2
