import importlib.util
import logging
import sys

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.attacks import autoattack, pgd
from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated, OptionError

needs_package = pytest.mark.skipif(importlib.util.find_spec("pyautoattack") is None, reason="needs pyautoattack")


@pytest.fixture
def linear():
    """Five classes on four pixels, z_k = w_k x: a model whose weakest image is known."""
    network = nn.Linear(4, 5, bias=False)
    network.weight.data = torch.eye(5, 4)
    network.weight.data[4] = -1.0
    return Classifier(nn.Sequential(nn.Flatten(), network), name="linear")


IMAGES = torch.tensor([[0.9, 0.5, 0.2, 0.1], [0.5, 0.56, 0.1, 0.1], [0.3, 0.3, 0.2, 0.7]]).reshape(3, 1, 2, 2)
LABELS = torch.tensor([0, 1, 0])


@needs_package
def test_linear_model_by_hand(linear):
    # z = x but for the last class, so ε = 0.1 turns the gap of 0.06 and not that of 0.4; the third is wrong already.
    with linear.prepared(), torch.no_grad():
        attacked = autoattack(linear, IMAGES, LABELS, 0.1)
        assert linear(attacked).argmax(1).tolist() == [0, 0, 3]
    assert torch.equal(attacked[0], IMAGES[0]) and torch.equal(attacked[2], IMAGES[2])
    assert (attacked - IMAGES).abs().max() <= 0.1 + 2**-24
    assert linear.passes.backward > 0


@needs_package
def test_global_state_is_left_alone_and_other_images_change_nothing(linear):
    log = logging.getLogger("auto-attack")
    torch.manual_seed(3)
    state, trace, disabled = torch.get_rng_state(), sys.gettrace(), log.disabled
    ids = np.array([10, 11, 12])
    with linear.prepared():
        whole = autoattack(linear, IMAGES, LABELS, 0.1, seed=5, ids=ids)
        torch.manual_seed(4)
        alone = autoattack(linear, IMAGES[1:2], LABELS[1:2], 0.1, seed=5, ids=ids[1:2])
        torch.set_rng_state(state)
    assert torch.equal(alone, whole[1:2])
    assert torch.equal(torch.get_rng_state(), state)
    assert (sys.gettrace(), log.disabled) == (trace, disabled)


@needs_package
def test_against_the_package_on_the_whole_batch_and_never_weaker_than_pgd(small_classifier):
    from pyautoattack import AutoAttack

    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))[1:4]
    with small_classifier.prepared(), torch.no_grad(), torch.random.fork_rng():
        labels = small_classifier(images).argmax(1)
        reference = AutoAttack(small_classifier, eps=0.012, seed=0)
        reference.apgd_targeted.n_target_classes = reference.fab.n_target_classes = 3
        reference.square.n_queries = 50  # what the first three leave stands it
        theirs, _ = reference.run_standard_evaluation(images, labels)
        ours = autoattack(small_classifier, images, labels, 0.012)
        by_pgd = pgd(small_classifier, images, labels, 0.012, steps=40, restarts=3)
        stands = [(small_classifier(x).argmax(1) == labels).tolist() for x in (ours, theirs, by_pgd)]
    assert stands[0] == stands[1]
    assert all(by_pgd or not ours for ours, _, by_pgd in zip(*stands, strict=True))
    assert 0 < sum(stands[0]) < 3


@needs_package
def test_models_it_cannot_attack(linear):
    class Cut(nn.Module):
        def forward(self, images):
            return images.detach().flatten(1)

    three = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), name="three")
    with pytest.raises(NotEvaluated, match="AutoAttack needs at least 4 classes, and three has 3"):
        autoattack(three, IMAGES, LABELS)
    with pytest.raises(NotEvaluated, match="the logits of model have no gradient in the images"):
        autoattack(Classifier(Cut()), IMAGES, LABELS)


def test_without_the_package_it_is_not_evaluated(linear, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotEvaluated, match=r"pyautoattack is not installed \(pip install 'sparsescope\[attacks\]'\)"):
        autoattack(linear, IMAGES, LABELS)


def test_epsilon_outside_its_range(linear):
    with pytest.raises(OptionError, match="Expected epsilon >= 0"):
        autoattack(linear, IMAGES, LABELS, -0.1)
