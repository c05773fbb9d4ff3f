"""Explanations side by side: the right images, classes and numbers for every model."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from sparsescope.benchmark import ArrayImages
from sparsescope.classifier import Classifier
from sparsescope.cli.group import sparsescope
from sparsescope.errors import DataError
from sparsescope.lime import LimeSettings, Shown, explain_images, segment
from sparsescope.pruning import prune
from sparsescope.workflows.explain import explain_side_by_side, figure, lost_images

OPTIONS = {"samples": 40, "superpixels": "grid"}


@pytest.fixture
def models(small_classifier: Classifier) -> list[Classifier]:
    module = copy.deepcopy(small_classifier.module)
    mask = prune("omp", module, sparsity=0.7)
    mask.apply(module)
    sparse = Classifier(module, small_classifier.mean, small_classifier.std, mask=mask, name="sparse")
    return [replace(small_classifier, name="dense"), sparse]


@pytest.fixture
def images() -> ArrayImages:
    rng = np.random.default_rng(3)
    return ArrayImages(rng.integers(0, 256, (300, 8, 8, 3), dtype=np.uint8), rng.integers(0, 4, 300), "noise")


def classes(classifier: Classifier, images: ArrayImages) -> np.ndarray:
    with torch.no_grad(), classifier.prepared():
        return classifier(images.read(range(len(images)))).argmax(1).numpy()


def test_lost_images_are_right_with_dense_and_wrong_with_sparse(models, images):
    dense, sparse = (classes(model, images) for model in models)
    expected = np.flatnonzero((dense == images.labels) & (sparse != images.labels)).tolist()
    assert len(expected) > 3
    assert lost_images(models, images, 3) == expected[:3]
    assert lost_images(models, images, 10**6) == expected
    assert lost_images(models[:1], images, 5) == []


@pytest.mark.parametrize("target", ["dense", "own", "label"])
def test_every_model_explains_the_asked_class_with_the_perturbations_of_the_metrics(models, images, target):
    index = lost_images(models, images, 2)[1]
    (row,) = explain_side_by_side(models, images, [index], target=target, seed=5, **OPTIONS)
    assert (row.index, row.label) == (index, images.labels[index])
    pixels = images.read([index])[0]
    settings = LimeSettings(samples=40, superpixels="grid")
    for model in models:
        assert row.predictions[model.name] == classes(model, images)[index]
        asked = {"dense": row.predictions["dense"], "own": row.predictions[model.name], "label": row.label}[target]
        shown = [Shown(pixels, segment(pixels.numpy(), "grid"), index)]
        with model.prepared():
            (fitted,) = explain_images(model, shown, settings, targets=[asked], seed=5)
        assert row.explanations[model.name].target == asked
        np.testing.assert_array_equal(row.explanations[model.name].coefficients, fitted.coefficients)


def test_the_figure_has_a_row_per_image_and_one_scale_per_row(models, images):
    rows = explain_side_by_side(models, images, lost_images(models, images, 2), **OPTIONS)
    axes = figure(rows, ("cat", "dog", "ship", "frog")).axes
    assert len(axes) == 2 * 3
    for position, row in enumerate(rows):
        limits = [ax.images[-1].get_clim() for ax in axes[3 * position + 1 : 3 * position + 3]]
        largest = max(np.abs(found.coefficients).max() for found in row.explanations.values())
        assert limits == [pytest.approx((-largest, largest))] * 2
    assert "(right)" in axes[1].get_title(loc="left") and "(wrong)" in axes[2].get_title(loc="left")


def test_an_image_that_is_none(models, images):
    with pytest.raises(DataError, match=r"Expected an image from 0 to 299 of noise, but got 300\."):
        explain_side_by_side(models, images, [0, 300], **OPTIONS)


def test_the_command_draws_the_lost_images(models, images, tmp_path: Path):
    np.savez(
        tmp_path / "test.npz", images=(images.read(range(300)) * 255).byte().permute(0, 2, 3, 1), labels=images.labels
    )
    for model in models:
        torch.save(model.module.state_dict(), tmp_path / f"{model.name}.pt")
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef net(num_classes=4, in_channels=3):\n"
        "    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), "
        "nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))\n"
    )
    command = ["explain", *(str(tmp_path / f"{name}.pt") for name in ("dense", "sparse")), "--samples", "20"]
    command += ["--superpixels", "grid"]
    command += ["--arch", f"{tmp_path / 'net.py'}:net", "--mean", "0.5,0.4,0.3", "--std", "0.2,0.25,0.3"]
    command += ["--data", f"npz:{tmp_path / 'test.npz'}", "--out", str(tmp_path / "look.png")]
    done = CliRunner().invoke(sparsescope, command)
    assert done.exit_code == 0, done.output
    lost = ", ".join(map(str, lost_images(models, images, 3)))
    assert f"look.png (test images {lost})" in done.stdout
    with Image.open(tmp_path / "look.png") as picture:
        assert picture.width > picture.height * 0.8
    wrong = CliRunner().invoke(sparsescope, [*command[:-1], str(tmp_path / "look.jpeg")])
    assert wrong.exit_code == 2 and "Expected --out to end in .png or .svg" in wrong.stderr
