"""Learning rates by hand."""

import pytest

from sparsescope.training import Recipe, load_recipe
from sparsescope.training.schedule import learning_rate


def test_steps_with_warm_up_by_hand() -> None:
    recipe = Recipe(epochs=6, learning_rate=0.8, schedule="step", milestones=(3, 5), decay=0.5, warmup_epochs=1)
    rates = [learning_rate(recipe, step, 4) for step in range(24)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8] + [0.8] * 8 + [0.4] * 8 + [0.2] * 4)


def test_half_an_epoch_of_warm_up_and_none() -> None:
    recipe = Recipe(epochs=2, learning_rate=1.0, schedule="step", warmup_epochs=0.5)
    assert [learning_rate(recipe, step, 4) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]
    assert learning_rate(recipe.changed(warmup_epochs=0), 0, 4) == 1.0


def test_cosine_by_hand() -> None:
    recipe = Recipe(epochs=3, learning_rate=2.0, warmup_epochs=1)
    rates = [learning_rate(recipe, step, 2) for step in range(6)]
    # After the warm-up: (1 + cos(pi t)) at t = 0, 1/4, 1/2, 3/4.
    assert rates == pytest.approx([1.0, 2.0, 2.0, 1 + 2**-0.5, 1.0, 1 - 2**-0.5])


def test_a_warm_up_longer_than_the_run() -> None:
    recipe = Recipe(epochs=1, learning_rate=1.0, warmup_epochs=2)
    assert [learning_rate(recipe, step, 2) for step in range(2)] == [0.25, 0.5]


def test_the_cifar_recipe() -> None:
    recipe = load_recipe("cifar")
    rates = {epoch: learning_rate(recipe, epoch * 391, 391) for epoch in (0, 1, 90, 91, 135, 136, 181)}
    assert rates == pytest.approx({0: 0.1, 1: 0.1, 90: 0.1, 91: 0.01, 135: 0.01, 136: 0.001, 181: 0.001})
