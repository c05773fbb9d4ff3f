"""What passes of a network cost is measured on that network, which stays as it was."""

import time
from dataclasses import fields

import torch
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.curvature.rates import measure_rates
from sparsescope.passes import Passes, Rates

KINDS = {item.name for item in fields(Rates)}


class _SlowBackwards(torch.autograd.Function):
    """The identity; its gradient takes 4 ms of processor time."""

    @staticmethod
    def forward(context, values):
        return values.clone()

    @staticmethod
    def backward(context, gradient):
        end = time.process_time() + 0.004
        while time.process_time() < end:
            pass
        return gradient.clone()


class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)

    def forward(self, images):
        return self.head(_SlowBackwards.apply(images.flatten(1)))


def test_a_network_with_a_slow_gradient_is_found_to_have_one():
    with Classifier(Slow()).prepared() as classifier:
        rates, seconds = measure_rates(classifier, (3, 2, 2), 4, KINDS)
    assert 0 < 4 * seconds < 0.004
    assert rates.input_gradients > 2 * rates.weight_gradients, "those of the weights behind it are as fast as any"
    assert rates.input_gradients * 4 * seconds >= 0.003


def test_only_what_is_asked_for_is_measured_and_nothing_is_counted_or_drawn(small_classifier):
    state = torch.random.get_rng_state()
    with small_classifier.prepared():
        rates, _ = measure_rates(small_classifier, (3, 8, 8), 3, {"untracked", "weight_products"})
        assert not any(parameter.requires_grad for parameter in small_classifier.module.parameters())
    assert rates.weight_products != Rates().weight_products
    assert (rates.untracked, rates.tracked, rates.input_gradients) == (1, Rates().tracked, Rates().input_gradients)
    assert small_classifier.passes == Passes()
    assert torch.equal(state, torch.random.get_rng_state())


class Rounded(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)

    def forward(self, images):
        return self.head(images.flatten(1)).detach().round()


def test_what_a_network_has_not_keeps_its_usual_rate():
    with Classifier(Rounded()).prepared() as classifier:
        rates, _ = measure_rates(classifier, (3, 2, 2), 4, KINDS)
    assert rates == Rates()
