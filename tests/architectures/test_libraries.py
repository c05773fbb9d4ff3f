"""Architectures of timm: nothing is downloaded, and what is missing is said."""

import sys
from pathlib import Path

import pytest
import torch

from sparsescope.architectures import IMAGENET, Preprocessing, is_known_code, resolve
from sparsescope.checkpoints import load_classifier, save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.errors import OptionError


def test_timm() -> None:
    architecture = resolve("timm:resnet10t")
    assert architecture.preprocessing == Preprocessing(IMAGENET.mean, IMAGENET.std, 176)
    module = architecture.build(num_classes=7, in_channels=1).eval()
    with torch.no_grad():
        assert module(torch.zeros(2, 1, 64, 64)).shape == (2, 7)
    assert resolve("timm:resnet10t").build().num_classes == 1000
    assert resolve("timm:vit_tiny_patch16_224.augreg_in21k").preprocessing.mean == (0.5, 0.5, 0.5)
    assert resolve("timm:vit_tiny_patch16_224.augreg_in21k").build(num_classes=3).num_classes == 3


@pytest.mark.parametrize("name", ["resnet10", "hf-hub:somebody/network", "local-dir:folder"])
def test_names_that_timm_does_not_have(name: str) -> None:
    with pytest.raises(OptionError, match=f"timm has no architecture '{name}'") as caught:
        resolve(f"timm:{name}")
    assert ("Did you mean timm:resnet10t" in str(caught.value)) == (name == "resnet10")


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(OptionError, match=r"timm:resnet10t needs timm, .*: pip install 'sparsescope\[models\]'"):
        resolve("timm:resnet10t")


def test_whose_code_a_specification_runs() -> None:
    assert all(map(is_known_code, ("resnet20s", "torchvision:resnet18", "timm:resnet10t")))
    assert not is_known_code("mine.py:net") and not is_known_code("package.module:net")


def test_a_checkpoint_that_names_a_timm_network(tmp_path: Path) -> None:
    network = resolve("timm:resnet10t").build(num_classes=3)
    save_checkpoint(
        tmp_path / "net.pt", Classifier(network, mean=IMAGENET.mean, std=IMAGENET.std), architecture="timm:resnet10t"
    )
    found = load_classifier(tmp_path / "net.pt")
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(found.module.eval()(images), network.eval()(images))
