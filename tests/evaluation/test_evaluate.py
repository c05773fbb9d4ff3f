"""The whole road on small networks: pairing, symmetry, invariance, and models left as they were."""

import contextlib
import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from same_numbers import TOLERANCE, assert_same, numbers
from torch import nn
from torch.nn.utils import prune

from sparsescope.architectures import resolve
from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, DataError, InputError, OptionError, SparsescopeWarning
from sparsescope.evaluation import evaluate
from sparsescope.measurements.base import Measurement
from sparsescope.metrics import CATALOGUE, metric_class
from sparsescope.pruning import prune as sparse_mask


def test_every_metric_is_measured(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    evaluation = evaluate(dense, sparse, benchmark, **settings)
    assert [metric.name for metric in evaluation.metrics] == [
        name for name in CATALOGUE if not metric_class(name).on_request
    ]
    status = {metric.name: {value.status for value in metric.values.values()} for metric in evaluation.metrics}
    assert set(map(frozenset, status.values())) == {frozenset({"measured"})}
    assert evaluation["corruption_error"].value("dense").value == 1
    assert evaluation.models[1].sparsity.prunable == pytest.approx(0.5, abs=1e-3)
    assert not evaluation.verdict("sparse").partial
    judged = evaluation.verdict("sparse").metrics
    assert "not evaluated" not in {metric.outcome for metric in judged.values()}
    assert "composition" in judged and "composition" in evaluation.radar.axes
    probe = evaluation.benchmark.sets["probe"]
    assert (probe.source, probe.n, probe.shape) == ("array", 24, (3, 16, 16))


def test_without_a_probe_set_composition_is_not_evaluated_and_nothing_passes(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    bare = replace(benchmark, probe=None)
    evaluation = evaluate(dense, copy.deepcopy(dense), bare, **settings, metrics=["accuracy", "composition"])
    assert evaluation["composition"].values["dense-2"].reason == "no probe set"
    assert evaluation.verdict("dense-2").outcome == "inconclusive"


def test_a_model_against_itself_differs_by_exactly_zero_and_passes(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    twin = copy.deepcopy(dense)
    evaluation = evaluate(dense, twin, benchmark, **settings)
    verdict = evaluation.verdict("dense-2")
    for metric in evaluation.metrics:
        difference = metric.difference("dense-2")
        assert difference.value == 0, metric.name
        assert difference.interval == (0, 0), metric.name
        if metric.in_verdict:
            assert verdict.metrics[metric.name].outcome == "pass"
    assert verdict.paper.metrics["accuracy"] == "pass"


@pytest.mark.parametrize("name", ["ece", "sce"])
def test_intervals_of_calibration_errors_lie_around_the_debiased_estimates(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any], name: str
) -> None:
    metric = evaluate(dense, sparse, benchmark, metrics=[name], **settings)[name]
    difference = metric.differences["sparse"]
    debiased = {model: details["debiased"] for model, details in metric.details.items()}
    assert difference.value == metric.value("sparse").value - metric.value("dense").value
    assert (
        difference.estimate == difference.debiased == pytest.approx(debiased["sparse"] - debiased["dense"], abs=1e-12)
    )
    assert difference.debiased != pytest.approx(difference.value, rel=0.01)
    assert difference.interval is not None
    low, high = difference.interval
    assert low <= min(difference.value, difference.debiased) <= max(difference.value, difference.debiased) <= high
    reach = min(difference.debiased - low, high - difference.debiased)  # the side that was not extended
    assert reach == pytest.approx(1.96 * difference.standard_error, rel=0.1)


def test_other_metrics_are_not_debiased(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    difference = evaluate(dense, sparse, benchmark, metrics=["nll"], **settings)["nll"].differences["sparse"]
    assert difference.debiased is None and difference.estimate == difference.value


def test_swapping_dense_and_sparse_negates_every_difference(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    """All but mCE, a ratio to the dense model's errors, whose ratios invert. LIME explains the label here."""
    for name in ("fidelity", "stability"):
        settings["options"][name]["target"] = "label"
    one = evaluate(dense, sparse, benchmark, **settings)
    two = evaluate(sparse, dense, benchmark, **settings)
    for metric in one.metrics:
        forward, backward = metric.difference("sparse"), two[metric.name].difference("dense")
        if metric.name == "corruption_error":
            continue
        assert forward.value == -backward.value, metric.name
        assert forward.interval is not None
        assert backward.interval is not None
        assert forward.interval == pytest.approx((-backward.interval[1], -backward.interval[0]), abs=1e-12)
    ratios = one["corruption_error"].details["sparse"]["corruptions"]
    inverse = two["corruption_error"].details["dense"]["corruptions"]
    assert ratios.keys() == inverse.keys()
    for corruption, row in ratios.items():
        assert inverse[corruption]["ce"] == pytest.approx(1 / row["ce"])


@pytest.mark.parametrize("batch_size", [1, 200])
def test_the_batch_size_changes_no_number(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any], batch_size: int
) -> None:
    assert_same(
        evaluate(dense, sparse, benchmark, batch_size=32, **settings),
        evaluate(dense, sparse, benchmark, batch_size=batch_size, **settings),
    )


@pytest.mark.slow
def test_worker_processes_change_no_number(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    assert_same(
        evaluate(dense, sparse, benchmark, **settings), evaluate(dense, sparse, benchmark, workers=2, **settings)
    )


def test_the_seed_changes_the_random_draws(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    only = {**settings, "metrics": ["accuracy", "weight_trace"]}
    one, two = (evaluate(dense, sparse, benchmark, seed=seed, **only) for seed in (0, 1))
    assert one["accuracy"].value("sparse").value == two["accuracy"].value("sparse").value
    assert one["weight_trace"].value("sparse").value != two["weight_trace"].value("sparse").value


class _Snapshot:
    """Everything of a module that an evaluation must leave alone."""

    def __init__(self, module: nn.Module) -> None:
        self.weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        self.modes = [child.training for child in module.modules()]
        self.requires_grad = [parameter.requires_grad for parameter in module.parameters()]
        self.grads = [parameter.grad for parameter in module.parameters()]
        self.hooks = [
            (len(child._forward_hooks), len(child._forward_pre_hooks), len(child._backward_hooks))
            for child in module.modules()
        ]

    def check(self, module: nn.Module) -> None:
        now = _Snapshot(module)
        assert self.weights.keys() == now.weights.keys()
        assert all(torch.equal(tensor, now.weights[name]) for name, tensor in self.weights.items())
        assert (self.modes, self.requires_grad, self.hooks) == (now.modes, now.requires_grad, now.hooks)
        assert all(before is after for before, after in zip(self.grads, now.grads, strict=True))


def _unusual_state(module: nn.Module) -> None:
    """Modes, gradients and hooks as a training run leaves them."""
    module.train()
    module[1].eval()  # type: ignore[index]
    module[0].weight.requires_grad_(False)  # type: ignore[index]
    module[7].weight.grad = torch.ones_like(module[7].weight)  # type: ignore[index]
    module[3].register_forward_hook(lambda *_: None)  # type: ignore[index]


def test_models_are_left_as_they_were(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    for classifier in (dense, sparse):
        _unusual_state(classifier.module)
    before = [_Snapshot(classifier.module) for classifier in (dense, sparse)]
    evaluate(dense, sparse, benchmark, **settings)
    for snapshot, classifier in zip(before, (dense, sparse), strict=True):
        snapshot.check(classifier.module)


@pytest.mark.parametrize("metric", ["accuracy", "fgsm_accuracy", "fidelity", "weight_trace", "input_trace"])
@pytest.mark.parametrize("raised", [RuntimeError("boom"), KeyboardInterrupt()])
def test_models_are_left_as_they_were_by_what_they_raise(
    dense: Classifier,
    sparse: Classifier,
    benchmark: Benchmark,
    settings: dict[str, Any],
    metric: str,
    raised: BaseException,
) -> None:
    for classifier in (dense, sparse):
        _unusual_state(classifier.module)
    calls = 0

    def fail_later(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 6:  # the checks are over then
            raise raised

    sparse.module.register_forward_hook(fail_later)
    before = [_Snapshot(classifier.module) for classifier in (dense, sparse)]
    with contextlib.suppress(KeyboardInterrupt), warnings.catch_warnings():
        warnings.simplefilter("ignore", SparsescopeWarning)
        found = evaluate(dense, sparse, benchmark, metrics=[metric], batch_size=2, **settings)
        assert "boom" in (found[metric].values["sparse"].reason or "")
        assert found[metric].values["dense"].status == "measured"
        assert found.verdict("sparse").outcome != "pass"
    assert calls > 6
    for snapshot, classifier in zip(before, (dense, sparse), strict=True):
        snapshot.check(classifier.module)


CHECKED = 2 * (1 + 16) + 2 + 2
"""Images that check a model: a grey one and 16 test images, twice; two alone; two that are looked into."""
TRIED = 11 * 16
"""Images of a candidate that answers otherwise than dense, prepared in other ways."""
COUNTED = 1
"""Images that are shown to count operations."""


def test_each_model_sees_each_image_set_once(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    """All metrics of predictions together cost one pass of each set, and a few images to check the model."""
    seen = {"dense": 0, "sparse": 0}

    def counter(name: str) -> Callable[..., None]:
        def count(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
            seen[name] += len(inputs[0])

        return count

    for classifier in (dense, sparse):
        classifier.module.register_forward_hook(counter(classifier.name))
    metrics = ["accuracy", "generalization_gap", "ece", "sce", "nll", "ood_auroc"]
    evaluation = evaluate(dense, sparse, benchmark, metrics=metrics, **settings)
    images = 40 + 24 + 30 + 20
    assert seen == {"dense": CHECKED + images + COUNTED, "sparse": CHECKED + TRIED + images + COUNTED}
    assert evaluation.cost.forward_passes == 2 * images


def test_no_model_is_shown_an_image_twice_for_accuracy_and_calibration_clean_and_corrupted(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    shown: dict[str, list[bytes]] = {"dense": [], "sparse": []}

    def keeper(name: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
            shown[name] += [image.cpu().numpy().tobytes() for image in inputs[0]]

        return keep

    for classifier in (dense, sparse):
        classifier.module.register_forward_hook(keeper(classifier.name))
    metrics = ["accuracy", "ece", "sce", "nll", "corruption_error"]
    evaluation = evaluate(dense, sparse, benchmark, metrics=metrics, **settings)
    for name, images in shown.items():
        measured = images[CHECKED + (TRIED if name == "sparse" else 0) : -COUNTED]
        assert len(measured) == len(set(measured)) == 40 + 40 * 5  # clean; cells
    for name in ("dense", "sparse"):
        table = evaluation["corruption_error"].details[name]["corruptions"]
        assert {len(row[what]) for row in table.values() for what in ("error", "ece", "nll")} == {5}


def test_corruption_and_lime_passes_are_exactly_what_the_options_say(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    evaluation = evaluate(dense, sparse, benchmark, metrics=["corruption_error", "fidelity", "stability"], **settings)
    clean, corrupted, lime = 40, 40 * 5, 6 * 60
    assert evaluation.cost.forward_passes == 2 * (clean + corrupted + lime)


def test_a_second_run_reads_the_cache_and_gives_the_same_numbers(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any], tmp_path: Path
) -> None:
    settings["cache"] = tmp_path
    first = evaluate(dense, sparse, benchmark, **settings)
    second = evaluate(dense, sparse, benchmark, **settings)
    assert first.cost.cached == 0
    assert second.cost.forward_passes == second.cost.backward_passes == 0
    assert second.cost.cached > 0
    assert numbers(first) == numbers(second)
    third = evaluate(dense, sparse, benchmark, seed=1, **settings)
    assert third.cost.forward_passes > 0


def test_an_interrupted_run_resumes(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any], tmp_path: Path
) -> None:
    settings["cache"] = tmp_path

    def stop(done: float, total: float, label: str) -> None:
        if done > 0.5 * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(dense, sparse, benchmark, progress=stop, **settings)
    resumed = evaluate(dense, sparse, benchmark, **settings)
    assert resumed.cost.cached > 0
    settings["cache"] = False
    whole = evaluate(dense, sparse, benchmark, **settings)
    assert numbers(resumed) == numbers(whole)
    assert resumed.cost.forward_passes < whole.cost.forward_passes


def test_progress_reaches_the_total_in_plain_words(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    told: list[tuple[float, float, str]] = []
    evaluate(dense, sparse, benchmark, progress=lambda *step: told.append(step), **settings)
    assert told[-1][0] == pytest.approx(told[-1][1])
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[0][0] == 0 and told[0][2] == "getting to know the models"
    assert told[1][0] == 0 and told[1][2] == "clean images", "what is under way, not what is done"
    labels = {label for _, _, label in told}
    assert {"corruptions", "LIME", "compositional neurons", "weight Hessian trace", "input Hessian"} <= labels
    assert not labels & {measurement.__name__ for measurement in Measurement.__subclasses__()}


def test_asking_for_some_metrics_makes_a_partial_verdict(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    evaluation = evaluate(dense, copy.deepcopy(dense), benchmark, metrics=["ece", "accuracy"], **settings)
    verdict = evaluation.verdict("dense-2")
    assert [metric.name for metric in evaluation.metrics] == ["accuracy", "ece"]
    assert (verdict.outcome, verdict.partial) == ("pass", True)
    assert "partial" in verdict.statement
    assert "LTH-PASS" not in verdict.statement


def test_several_candidates_get_unique_names_and_minmax_radar(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    evaluation = evaluate(
        dense, [sparse, copy.deepcopy(sparse)], benchmark, metrics=["accuracy", "nll", "ece"], **settings
    )
    assert [model.name for model in evaluation.models] == ["dense", "sparse", "sparse-2"]
    assert evaluation.radar.normalisation == "minmax"
    assert set(evaluation.verdicts) == {"sparse", "sparse-2"}


def test_plain_modules_are_accepted(small_network: nn.Module, benchmark: Benchmark, settings: dict[str, Any]) -> None:
    pruned = copy.deepcopy(small_network)
    with torch.no_grad():
        pruned[3].weight[:, :3] = 0  # type: ignore[index]
    evaluation = evaluate(small_network, pruned, benchmark, metrics=["accuracy"], **settings)
    assert [model.name for model in evaluation.models] == ["dense", "sparse"]
    assert evaluation.models[1].sparsity.layers[1].sparsity == pytest.approx(0.5)


def test_labels_beyond_the_outputs(dense: Classifier, sparse: Classifier, settings: dict[str, Any]) -> None:
    images = np.zeros((3, 16, 16, 3), dtype=np.uint8)
    benchmark = Benchmark("bad", ArrayImages(images, np.array([0, 4, 1]), "some.npz"))
    with pytest.raises(DataError, match=r"some\.npz: expected labels 0–3 .* test image 1 has label 4"):
        evaluate(dense, sparse, benchmark, **settings)


def test_models_of_different_widths(dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]) -> None:
    other = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 7)), name="wide")
    with pytest.raises(DataError, match="same number of outputs, but got dense: 4, wide: 7"):
        evaluate(dense, other, benchmark, **settings)


def test_grey_images_for_a_colour_model(dense: Classifier, sparse: Classifier, settings: dict[str, Any]) -> None:
    grey = Benchmark("grey", ArrayImages(np.zeros((2, 16, 16), dtype=np.uint8), np.array([0, 1]), "grey"))
    with pytest.raises(InputError, match="dense normalizes 3 channels, but the images have 1"):
        evaluate(dense, sparse, grey, **settings)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"seed": -1}, "0 <= seed"),
        ({"workers": 0}, "workers >= 1"),
        ({"device": "tpu"}, "Expected a device of .*cpu.* but got 'tpu'"),
        ({"batch_size": 0}, "batch size >= 1 or auto"),
        ({"preset": "fast"}, "preset of .*quick.* but got 'fast'"),
        ({"metrics": ["acuracy"]}, "accuracy"),
        ({"replicates": 10}, "Expected 100 to 1,000,000 bootstrap replicates"),
        ({"confidence": 95}, "between 0.5 and 1"),
    ],
)
def test_unusable_options(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, keywords: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        evaluate(dense, sparse, benchmark, cache=False, **keywords)


def test_no_candidate(dense: Classifier, benchmark: Benchmark) -> None:
    with pytest.raises(OptionError, match="at least one sparse model"):
        evaluate(dense, [], benchmark)


def test_a_mask_that_is_not_applied(dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]) -> None:
    unapplied = Classifier(dense.module, mask=sparse_mask("omp", dense.module, sparsity=0.5), name="unapplied")
    with pytest.raises(ArtefactError, match=r"not zero in unapplied\. Apply it first: mask\.apply\(module\)"):
        evaluate(dense, unapplied, benchmark, **settings)


def test_modules_that_are_still_being_pruned(
    small_network: nn.Module, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    pruned = copy.deepcopy(small_network)
    prune.l1_unstructured(pruned[0], "weight", 0.5)  # type: ignore[index]
    evaluation = evaluate(small_network, pruned, benchmark, metrics=["accuracy"], **settings)
    assert evaluation.models[1].sparsity.layers[0].sparsity == pytest.approx(0.5)
    assert "weights of 0.weight are computed from other parameters" in evaluation.models[1].warnings[0]
    prune.remove(pruned[0], "weight")  # type: ignore[index]
    permanent = evaluate(small_network, pruned, benchmark, metrics=["accuracy"], **settings)
    assert permanent.models[1].sparsity == evaluation.models[1].sparsity


def test_two_images_prove_nothing(dense: Classifier, sparse: Classifier, settings: dict[str, Any]) -> None:
    """Two different models that are right on all of a handful of images are no match yet; the same model twice is."""
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    few = ArrayImages(images, np.zeros(5, dtype=int))
    with torch.no_grad():
        for classifier in (dense, sparse):
            classifier.module[7].bias[0] = 50.0  # type: ignore[index]
    benchmark = Benchmark("few", few)
    evaluation = evaluate(dense, [sparse, copy.deepcopy(dense)], benchmark, metrics=["accuracy"], **settings)
    difference = evaluation["accuracy"].difference("sparse")
    reach = 1.959964**2 / (5 + 1.959964**2)  # of the score interval
    assert difference.interval == pytest.approx((-reach, reach))
    assert evaluation.verdict("sparse").outcome == "inconclusive"
    assert evaluation["accuracy"].difference("dense-2").interval == (0, 0)
    assert evaluation.verdict("dense-2").outcome == "pass"


def test_a_network_for_other_images(dense: Classifier, settings: dict[str, Any]) -> None:
    other = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4)), name="other")
    images = ArrayImages(np.zeros((3, 16, 16, 3), dtype=np.uint8), np.array([0, 1, 2]))
    with pytest.raises(DataError, match=r"other cannot take images of shape \(3, 16, 16\).*--resize"):
        evaluate(dense, other, Benchmark("larger", images), **settings)


def test_a_network_of_one_channel_sees_image_files_in_grey(settings: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    network = resolve("digits_cnn").build(num_classes=2)
    evaluation = evaluate(network, network, f"folder:{tmp_path}/data", metrics=["accuracy"], **settings)
    assert evaluation.benchmark.sets["test"].shape == (1, 32, 32)
    colour = Benchmark("colour", ArrayImages(np.zeros((2, 32, 32, 3), np.uint8), np.array([0, 1])))
    with pytest.raises(DataError, match=r"it seems to take 1 channels, and they have 3\. .* convert the images; only"):
        evaluate(network, network, colour, metrics=["accuracy"], **settings)


def test_the_cache_knows_the_code_of_the_users_file(
    benchmark: Benchmark, settings: dict[str, Any], tmp_path: Path
) -> None:
    """The same weights and classes under another helper function are another model."""
    settings["cache"] = tmp_path / "cache"
    source = (
        "import torch\nfrom torch import nn\n\n\ndef act(x):\n    return {act}\n\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.head = nn.Linear(768, 4)\n\n    def forward(self, x):\n"
        "        return self.head(act(x).flatten(1))\n\n\ndef build():\n    return Net()\n"
    )
    torch.manual_seed(0)
    weights = nn.Linear(768, 4).state_dict()
    torch.save({f"head.{name}": tensor for name, tensor in weights.items()}, tmp_path / "a.pt")
    values = []
    for act in ("x", "x.abs()"):
        (tmp_path / "net.py").write_text(source.format(act=act))
        evaluation = evaluate(
            tmp_path / "a.pt",
            tmp_path / "a.pt",
            benchmark,
            arch=f"{tmp_path}/net.py:build",
            mean=(0.5,) * 3,
            std=(0.2,) * 3,
            metrics=["nll"],
            **settings,
        )
        values.append(evaluation["nll"].value("a").value)
        assert evaluation.cost.cached == 0
    assert values[0] != values[1]


def test_a_test_set_of_some_classes_cuts_the_outputs_of_every_model(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    """The same as handing over models without the other outputs."""
    outputs = (3, 0)
    rows = np.flatnonzero(np.isin(benchmark.test.required_labels(), outputs))
    images = (benchmark.test.read(rows) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    labels = np.array([outputs.index(label) for label in benchmark.test.required_labels()[rows]])

    def headless(classifier: Classifier) -> Classifier:
        module = copy.deepcopy(classifier.module)
        head = [child for child in module.modules() if isinstance(child, nn.Linear)][-1]
        head.weight = nn.Parameter(head.weight.detach()[list(outputs)])
        head.bias = nn.Parameter(head.bias.detach()[list(outputs)])
        return Classifier(module, classifier.mean, classifier.std, name=classifier.name)

    part = ArrayImages(images, labels)
    options: dict[str, Any] = settings | {"metrics": ["accuracy", "ece", "nll", "fgsm_accuracy", "input_trace"]}
    cut = evaluate(dense, sparse, Benchmark("part", part, outputs=outputs), **options)
    own = evaluate(headless(dense), headless(sparse), Benchmark("part", part), **options)
    assert numbers(cut) == pytest.approx(numbers(own), rel=TOLERANCE)


def test_a_model_that_answers_at_random_is_warned_of(
    dense: Classifier, small_network: nn.Module, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = copy.deepcopy(small_network)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(self.network(images), 0.5, training=True)

    evaluation = evaluate(dense, Dropping(), benchmark, **settings | {"metrics": ["accuracy"]})
    assert any("answers the same image differently" in text for text in evaluation.candidates[0].warnings)
    assert not any("differently" in warning for warning in evaluation.dense.warnings)
