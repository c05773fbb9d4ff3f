"""Our engines beside the reference packages, and what is said where one of the two cannot answer."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.cli.group import sparsescope
from sparsescope.errors import DataError
from sparsescope.workflows import comparisons as module
from sparsescope.workflows.comparisons import COMPARISONS, Ours, Theirs
from sparsescope.workflows.crosscheck import Check, crosscheck

PACKAGES = ["netcal", "lime", "captum", "pyhessian", "pyhessian"]


@pytest.fixture
def fields() -> Benchmark:
    """24 images of 16 px with colour fields, which have superpixels."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (24, 4, 4, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    return Benchmark("fields", ArrayImages(pixels, rng.integers(0, 4, 24)))


@pytest.mark.parametrize("smooth", [False, True])
def test_all_agree_and_the_model_is_left_alone(small_classifier: Classifier, fields: Benchmark, smooth: bool) -> None:
    if smooth:
        small_classifier.module[2], small_classifier.module[4] = nn.SiLU(), nn.SiLU()  # type: ignore[index, operator]
    small_classifier.module.train()
    before = {name: tensor.clone() for name, tensor in small_classifier.module.state_dict().items()}
    checks = crosscheck(small_classifier, fields, images=24)
    assert [check.package for check in checks] == PACKAGES
    assert [check.agrees for check in checks] == [True] * 5
    assert small_classifier.module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in small_classifier.module.state_dict().items())
    assert all(parameter.grad is None for parameter in small_classifier.module.parameters())


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("explain", lambda function: lambda *a, **k: _shifted(function(*a, **k))),
        ("fgsm", lambda function: lambda classifier, images, labels, epsilon: images),
    ],
)
def test_a_wrong_engine_is_noticed(
    small_classifier: Classifier,
    fields: Benchmark,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    wrong: Callable[..., object],
) -> None:
    images = fields.test.read(range(24))
    with small_classifier.prepared():
        right = small_classifier(images).argmax(1).numpy()  # so that an attack has something to take
    easy = Benchmark("easy", ArrayImages(images.numpy(), right))
    monkeypatch.setattr(module, place, wrong(getattr(module, place)))
    outcomes = {check.package: check.agrees for check in crosscheck(small_classifier, easy, images=24)}
    assert outcomes[{"explain": "lime", "fgsm": "captum"}[place]] is False


def _shifted(explanation: object) -> object:
    explanation.coefficients[:] += 0.1  # type: ignore[attr-defined]
    return explanation


def test_agreement_by_hand() -> None:
    assert Check("q", "p", 1.0, 1.05, 0.1, "").agrees is True
    assert Check("q", "p", 1.0, 1.2, 0.1, "").agrees is False
    assert Check("q", "p", None, 1.2, 0.1, "").agrees is None


def test_an_image_without_superpixels_is_not_compared(small_classifier: Classifier) -> None:
    flat = ArrayImages(np.full((8, 16, 16, 3), 90, dtype=np.uint8), np.arange(8) % 4)
    lime = crosscheck(small_classifier, Benchmark("flat", flat), images=8)[1]
    assert (lime.agrees, lime.ours, lime.theirs) == (None, None, None)
    assert "superpixel" in lime.note


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("place", range(5))
def test_a_comparison_that_fails_costs_its_row_alone(
    small_classifier: Classifier, fields: Benchmark, monkeypatch: pytest.MonkeyPatch, place: int, side: str
) -> None:
    def fails(*arguments: object) -> NoReturn:
        raise ZeroDivisionError("by luck\nand more")

    quick = [
        replace(each, ours=lambda sample: Ours(1.0), theirs=lambda *_: Theirs(1.0, 0.1, "")) for each in COMPARISONS
    ]
    quick[place] = replace(quick[place], **{side: fails})
    monkeypatch.setattr("sparsescope.workflows.crosscheck.COMPARISONS", quick)
    checks = crosscheck(small_classifier, fields, images=8)
    assert [check.agrees for check in checks] == [None if n == place else True for n in range(5)]
    lost, package = checks[place], PACKAGES[place] if side == "theirs" else "sparsescope"
    assert (lost.ours, lost.theirs) == (1.0 if side == "theirs" else None, None)
    assert lost.note == f"{package}: ZeroDivisionError: by luck"


@pytest.mark.parametrize("package", sorted(set(PACKAGES)))
def test_a_package_that_is_not_installed_costs_its_rows(
    small_classifier: Classifier, fields: Benchmark, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    rows = [each for each in COMPARISONS if each.package == package]
    monkeypatch.setattr("sparsescope.workflows.crosscheck.COMPARISONS", rows[:1])
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    (check,) = crosscheck(small_classifier, fields, images=8)
    assert check.agrees is None and check.ours is not None and "ModuleNotFoundError" in check.note


class TwoHeads(nn.Module):
    """Has a layer that its output does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(768, 4), nn.Linear(768, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x.flatten(1))


def _attention() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 16, dropout=0.0, batch_first=True)
    return nn.Sequential(
        nn.Conv2d(3, 16, 8, 8), nn.Flatten(2), nn.Linear(4, 16), layer, nn.Flatten(), nn.Linear(256, 4)
    )


@pytest.mark.parametrize(
    "network",
    [
        _attention,
        TwoHeads,
        lambda: TwoHeads().half(),
        lambda: TwoHeads().double(),
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(784, 4)
        ),
    ],
    ids=["attention", "unused layer", "float16", "float64", "BatchNorm without statistics"],
)
def test_strange_networks_are_compared(fields: Benchmark, network: Callable[[], nn.Module]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = network()
    assert [check.agrees for check in crosscheck(Classifier(built), fields, images=12)] == [True] * 5


def test_pyhessian_stops_by_no_luck(fields: Benchmark) -> None:
    """Its own rule ends the trace at a negative mean, after two draws of 40 for most seeds."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    for seed in range(6):
        *_, eigenvalue, trace = crosscheck(Classifier(network), fields, images=8, seed=seed)
        assert trace.note.startswith("40 probes each") and trace.agrees
        assert eigenvalue.agrees or "has not converged" in eigenvalue.note


def test_labels_of_another_data_set(small_classifier: Classifier) -> None:
    images = ArrayImages(np.zeros((4, 16, 16, 3), dtype=np.uint8), np.array([0, 1, 2, 7]))
    with pytest.raises(DataError, match="labels 0–3, but got 7"):
        crosscheck(small_classifier, Benchmark("other", images))


def test_the_command(tmp_path: Path) -> None:
    from sparsescope.architectures import resolve

    torch.manual_seed(0)
    network = resolve("digits_cnn").build(num_classes=10, in_channels=1)
    save_checkpoint(
        tmp_path / "d.pt", Classifier(network, (0.3,), (0.3,)), architecture="digits_cnn", task={"data": "digits"}
    )
    result = CliRunner().invoke(sparsescope, ["crosscheck", str(tmp_path / "d.pt"), "--images", "30"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("agree") == 5
    assert "DISAGREE" not in result.stdout
