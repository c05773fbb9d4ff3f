"""Our engines beside the reference packages, and what is said where one of the two cannot answer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.cli.group import sparsescope
from sparsescope.errors import DataError
from sparsescope.workflows import comparisons as module
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
