"""What a file of weights does not say is said: the architecture that was guessed, and how images are prepared."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from sparsescope.architectures import published as records
from sparsescope.architectures import resolve
from sparsescope.checkpoints import describe, load_classifier, save_checkpoint


def written(path: Path, module: nn.Module) -> Path:
    torch.save(module.state_dict(), path)
    return path


def published_as(monkeypatch: pytest.MonkeyPatch, path: Path, spec: str, index: int) -> str:
    """Let a file be the published one; return what the weights are called."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = list(records(spec))
    known[index] = type(known[index])(**{**vars(known[index]), "digest": digest[:8]})
    monkeypatch.setattr("sparsescope.architectures.records._of_torchvision", lambda name: tuple(known))
    return known[index].name


def test_a_guess_is_said_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pt", resolve("torchvision:resnet18").build(num_classes=10))
    dense = load_classifier(path)
    (guess,) = [warning for warning in dense.warnings if "guess" in warning]
    assert "torchvision:resnet18. They do not tell strides" in guess and "timm:resnetblur18 have the same" in guess
    assert "attention" not in guess and len(guess) < 320 and dense.origin.guessed
    candidate = load_classifier(path, dense=dense)
    assert candidate.origin.guessed and not any("guess" in warning for warning in candidate.warnings)
    assert describe(path).architecture_guessed and any("guess" in warning for warning in describe(path).warnings)
    stated = load_classifier(path, arch="torchvision:resnet18")
    assert not stated.origin.guessed and not any("guess" in warning for warning in stated.warnings)
    save_checkpoint(tmp_path / "own.pt", dense, architecture="torchvision:resnet18")
    assert (
        load_classifier(tmp_path / "own.pt").warnings == () and not describe(tmp_path / "own.pt").architecture_guessed
    )


@pytest.mark.parametrize("index", [0, 1])
def test_published_weights_say_how_images_are_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    path = written(tmp_path / "a.pt", resolve("torchvision:mobilenet_v2").build())
    (alternatives,) = [warning for warning in load_classifier(path).warnings if "published" in warning]
    assert "resize 256, crop 224, bilinear" in alternatives and "resize 232, crop 224, bilinear" in alternatives
    name = published_as(monkeypatch, path, "torchvision:mobilenet_v2", index)
    known = load_classifier(path)
    assert known.warnings == () and known.origin.normalization == name and not known.origin.guessed
    save_checkpoint(tmp_path / "own.pt", known, architecture="torchvision:mobilenet_v2")
    assert load_classifier(tmp_path / "own.pt").warnings == ()
    assert known.classes[0] == "tench"


def test_weights_for_other_classes_are_not_the_published_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pt", resolve("torchvision:mobilenet_v2").build(num_classes=10))
    assert not any("published" in warning for warning in load_classifier(path).warnings)


def test_transform_input_is_assumed_aloud(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pt", resolve("torchvision:googlenet").build(num_classes=10))
    (warning,) = [text for text in load_classifier(path, arch="torchvision:googlenet").warnings if "transform" in text]
    assert "True is assumed, as torchvision has it for its published weights" in warning
    dense = load_classifier(path, arch="torchvision:googlenet")
    candidate = load_classifier(path, arch="torchvision:googlenet", dense=dense)
    assert not any("transform_input" in text for text in candidate.warnings)  # once is enough


def test_networks_without_their_heads_for_training(tmp_path: Path) -> None:
    """As torchvision returns them with published weights."""
    spec = "torchvision:googlenet"
    path = written(tmp_path / "a.pt", resolve(spec).build(num_classes=5, aux_logits=False))
    loaded = load_classifier(path, arch=spec)
    assert not any(parameter.startswith(("aux", "Aux")) for parameter, _ in loaded.module.named_parameters())


@pytest.mark.parametrize("name", ["mnasnet0_5", "regnet_x_400mf", "shufflenet_v2_x0_5", "squeezenet1_1"])
def test_ordinary_networks_raise_no_alarm(tmp_path: Path, name: str) -> None:
    """But for the normalisation, which a state dict does not hold."""
    spec = f"torchvision:{name}"
    path = written(tmp_path / "a.pt", resolve(spec).build(num_classes=7))
    (warning,) = load_classifier(path, arch=spec).warnings
    assert warning.startswith("normalization not stored in the file")
