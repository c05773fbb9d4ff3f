"""evaluate_pairs: a method's verdict over trainings, and what is measured once."""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typing_extensions import override

import sparsescope as ss
from sparsescope.errors import NotEvaluated, OptionError
from sparsescope.evaluation.trainings import trainings
from sparsescope.measurements.base import Measured
from sparsescope.metrics.nll import NLL
from sparsescope.results import Pair, Pairs

METRICS = ["accuracy", "nll", "ece"]


@pytest.fixture(scope="module")
def benchmark() -> ss.Benchmark:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    images = rng.integers(0, 120, (400, 8, 8, 1), dtype=np.uint8)
    for row, label in enumerate(labels):
        images[row, 2 * label : 2 * label + 2] += 60
    return ss.Benchmark("bars", ss.ArrayImages(images, labels))


def network(seed: int) -> nn.Sequential:
    """Detectors of the four bars, with noise of their own."""
    weight = torch.zeros(4, 8, 8)
    for label in range(4):
        weight[label, 2 * label : 2 * label + 2] = 1.0
    noise = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, 64))).float()
    linear = nn.Linear(64, 4)
    linear.weight.data, linear.bias.data = weight.reshape(4, 64) + 0.3 * noise, torch.zeros(4)
    return nn.Sequential(nn.Flatten(), linear)


def changed(module: nn.Module, amount: float, seed: int) -> nn.Module:
    found = copy.deepcopy(module)
    noise = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, 64))).float()
    found[1].weight.data += amount * noise  # type: ignore[index, operator, union-attr]
    return found


def pairs(amount: float, count: int = 3) -> list[tuple[nn.Module, nn.Module]]:
    return [(dense := network(seed), changed(dense, amount, 100 + seed)) for seed in range(count)]


def evaluated(given: list[tuple[nn.Module, nn.Module]], benchmark: ss.Benchmark, **more: object) -> ss.Evaluation:
    return ss.evaluate_pairs(given, benchmark, metrics=METRICS, device="cpu", cache=False, **more)  # type: ignore[arg-type]


def test_pairs_take_what_evaluate_takes() -> None:
    """All but what cannot be had with pairs: stopping early."""
    own, alone = (set(inspect.signature(function).parameters) for function in (ss.evaluate_pairs, ss.evaluate))
    assert alone - own == {"dense", "sparse", "until_decided"} and own - alone == {"pairs", "name"}


def test_every_pair_has_the_verdict_that_it_has_alone(benchmark: ss.Benchmark) -> None:
    given = pairs(0.3)
    evaluation = evaluated(given, benchmark)
    assert [model.name for model in evaluation.models] == [
        "dense",
        "dense-2",
        "dense-3",
        "sparse",
        "sparse-2",
        "sparse-3",
    ]
    for pair, (dense, sparse) in zip(evaluation.pairs, given, strict=True):
        alone = ss.evaluate(dense, sparse, benchmark, metrics=METRICS, device="cpu", cache=False)
        for metric in METRICS:
            assert evaluation[metric].differences[pair.candidate] == alone[metric].differences["sparse"]
        assert evaluation.verdict(pair.candidate).metrics == alone.verdict("sparse").metrics


def test_the_method_is_judged_on_the_mean_and_the_file_says_how(benchmark: ss.Benchmark, tmp_path: Path) -> None:
    evaluation = evaluated(pairs(0.3), benchmark, name="noise")
    method = evaluation.methods["noise"]
    assert evaluation.verdict("noise") == method.verdict
    assert (method.trainings, method.candidates, method.notes) == (3, ("sparse", "sparse-2", "sparse-3"), ())
    for metric in METRICS:
        found = method.metrics[metric]
        own = [evaluation[metric].differences[name] for name in method.candidates]
        assert found.value == pytest.approx(np.mean([each.value for each in own]))
        assert found.estimate == pytest.approx(np.mean([each.estimate for each in own]))
        assert found.standard_error is not None
        assert found.standard_error**2 == pytest.approx(found.variance_trainings + found.variance_images)  # type: ignore[operator]
        assert found.interval is not None and found.interval[0] < found.estimate < found.interval[1]  # type: ignore[operator]
    evaluation.save(tmp_path / "evaluation.json")
    assert ss.Evaluation.load(tmp_path / "evaluation.json") == evaluation


def test_the_parts_of_the_variance_are_those_of_the_images_differences(benchmark: ss.Benchmark) -> None:
    """For a mean over images they are the mean squares, up to the noise of 2,000 replicates."""
    given = pairs(0.3, 4)
    found = evaluated(given, benchmark).methods["method"].metrics["nll"]
    images = benchmark.test.read(np.arange(400))
    labels = torch.from_numpy(benchmark.test.required_labels())
    with torch.inference_mode():
        losses = [
            [nn.functional.cross_entropy(model(images), labels, reduction="none") for model in pair] for pair in given
        ]
    table = np.array([(sparse - dense).numpy() for dense, sparse in losses], dtype=np.float64)
    covariance = np.cov(table) / 400
    shared = (covariance.sum() - np.trace(covariance)) / 12
    own = np.trace(covariance) / 4 - shared
    assert found.variance_images == pytest.approx(own / 4 + shared, rel=0.1)
    assert found.variance_trainings == pytest.approx((table.mean(axis=1).var(ddof=1) - own) / 4, rel=0.1)


def test_small_changes_pass_and_large_ones_fail(benchmark: ss.Benchmark) -> None:
    assert evaluated(pairs(1e-6), benchmark).methods["method"].metrics["nll"].outcome == "pass"
    large = evaluated(pairs(8.0), benchmark).verdict("method")
    assert large.outcome == "fail" and "method: FAIL" in large.statement
    assert "on average over 3 trainings" in large.statement


def test_fewer_than_three_pairs_are_not_judged(benchmark: ss.Benchmark) -> None:
    evaluation = evaluated(pairs(0.3, 2), benchmark)
    verdict = evaluation.verdict("method")
    assert verdict.outcome == "not evaluated"
    assert verdict.statement == "method: not judged: 3 pairs of different trainings needed, and there are 2"
    assert {judged.outcome for judged in verdict.metrics.values()} == {"not evaluated"}
    assert evaluation.methods["method"].metrics["nll"].interval is None
    assert set(evaluation.verdicts) == {"sparse", "sparse-2"}


def test_dense_models_handed_over_as_sparse_pass_by_identity(benchmark: ss.Benchmark) -> None:
    verdict = evaluated([(dense := network(seed), copy.deepcopy(dense)) for seed in range(3)], benchmark).verdict(
        "method"
    )
    assert (verdict.outcome, verdict.identical) == ("pass", True)


def test_one_candidate_that_sees_nothing_fails_the_method(benchmark: ss.Benchmark) -> None:
    given = pairs(1e-6)
    blind = copy.deepcopy(given[2][0])
    blind[1].weight.data.zero_()  # type: ignore[index, operator, union-attr]
    verdict = evaluated([*given[:2], (given[2][0], blind)], benchmark).verdict("method")
    assert verdict.outcome == "fail" and verdict.constant and "sparse-3" in verdict.statement


def test_one_dense_model_is_said_to_be_one_and_is_measured_once(benchmark: ss.Benchmark) -> None:
    dense = network(0)
    given = [(dense, changed(dense, 0.3, seed)) for seed in range(3)]
    evaluation = evaluated(given, benchmark)
    assert [model.name for model in evaluation.models] == ["dense", "sparse", "sparse-2", "sparse-3"]
    method = evaluation.methods["method"]
    assert method.trainings == 3
    assert method.notes == ("All pairs have one dense model, dense: other trainings of it are not covered.",)
    assert evaluation.cost.forward_passes == 4 * 400


def test_a_candidate_may_stand_in_several_pairs_and_is_measured_once(benchmark: ss.Benchmark) -> None:
    sparse = changed(network(9), 0.3, 0)
    evaluation = evaluated([(network(seed), sparse) for seed in range(3)], benchmark)
    assert [(pair.dense, pair.candidate) for pair in evaluation.pairs][1:] == [
        ("dense-2", "sparse-2"),
        ("dense-3", "sparse-3"),
    ]
    assert evaluation.cost.forward_passes == 4 * 400
    assert len({evaluation["nll"].values[name].value for name in ("sparse", "sparse-2", "sparse-3")}) == 1
    assert "one candidate" in evaluation.methods["method"].notes[0]
    assert not any("Was another model meant" in text for model in evaluation.models for text in model.warnings)


def test_copies_of_a_pair_count_once(benchmark: ss.Benchmark) -> None:
    (dense, sparse), *others = pairs(0.3)
    copied = [(copy.deepcopy(dense), copy.deepcopy(sparse)) for _ in range(2)]
    evaluation = evaluated([(dense, sparse), *copied, others[0]], benchmark)
    assert evaluation.methods["method"].trainings == 2
    assert "4 that share models count as 2" in evaluation.verdict("method").statement
    assert evaluation.cost.forward_passes == 4 * 400


class Picky(NLL):
    """NLL that refuses a model with large weights."""

    name = "picky"

    @override
    def units(self, own: Measured, dense: Measured, benchmark: ss.Benchmark) -> ss.Units:
        if max(float(np.abs(arrays["logits"]).max()) for arrays in own.values()) > 1e4:
            raise NotEvaluated("its logits are too large")
        return super().units(own, dense, benchmark)


def test_what_cannot_be_measured_of_one_pair_is_not_judged_of_the_method(benchmark: ss.Benchmark) -> None:
    given = pairs(0.3)
    given[1][1][1].weight.data *= 1e4  # type: ignore[index, operator, union-attr]
    evaluation = ss.evaluate_pairs(given, benchmark, metrics=[Picky()], device="cpu", cache=False)
    found = evaluation.methods["method"].metrics["picky"]
    assert evaluation.verdict("sparse").metrics["picky"].outcome != "not evaluated"
    assert (found.outcome, found.reason, found.value) == ("not evaluated", "sparse-2: its logits are too large", None)
    assert evaluation.verdict("method").outcome == "inconclusive"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda given: [given[0], given[1], given[0]], "pair 3 is pair 1 once more"),
        (lambda given: [], "Expected pairs of a dense model and a candidate"),
        (lambda given: [given[0], (given[1][0],)], "Expected pairs of a dense model and a candidate"),
    ],
)
def test_pairs_that_are_none_are_refused(
    change: Callable[[list[tuple[nn.Module, nn.Module]]], list[tuple[nn.Module, nn.Module]]],
    text: str,
    benchmark: ss.Benchmark,
) -> None:
    with pytest.raises(OptionError, match=text):
        evaluated(change(pairs(0.3)), benchmark)


def test_a_method_has_no_models_name(benchmark: ss.Benchmark) -> None:
    with pytest.raises(OptionError, match="Expected a name for the method that no model has, but got 'sparse-2'"):
        evaluated(pairs(0.3), benchmark, name="sparse-2")


def named(*given: str) -> Pairs:
    """Pairs such as `ax`, of the dense model a and the candidate x."""
    models = [*dict.fromkeys(each[0] for each in given)]
    found = tuple(Pair(dense=each[0], candidate=f"{each[1]}{place}") for place, each in enumerate(given))
    same = {}
    for place, each in enumerate(given):
        first = next(index for index, other in enumerate(given) if other[1] == each[1])
        if first < place:
            same[f"{each[1]}{place}"] = f"{each[1]}{first}"
    return Pairs((*models, *(pair.candidate for pair in found)), found, same)


@pytest.mark.parametrize(
    ("given", "sizes", "notes"),
    [
        (("ax", "by", "cz"), [1, 1, 1], 0),
        (("ax", "ay", "bz", "bw", "cv"), [2, 2, 1], 0),
        (("ax", "ay", "az"), [1, 1, 1], 1),
        (("ax", "bx", "cx"), [1, 1, 1], 1),
        (("ax", "bx", "by", "cz"), [3, 1], 0),
        (("ax",), [1], 0),
    ],
)
def test_pairs_that_share_models_are_one_training(given: tuple[str, ...], sizes: list[int], notes: int) -> None:
    found = trainings(named(*given))
    assert [len(group) for group in found.groups] == sizes
    assert len(found.notes) == notes
