"""Counted passes, and what they come to."""

from sparsescope.passes import Passes, Rates


def test_a_backward_pass_is_a_gradient_or_half_of_a_product() -> None:
    passes = Passes(forward=9, tracked=4, input_gradients=3, weight_gradients=2, input_products=5, weight_products=7)
    assert (passes.untracked, passes.backward) == (5, 3 + 2 + 2 * (5 + 7))


def test_each_kind_counts_with_its_rate() -> None:
    passes = Passes(forward=9, tracked=4, input_gradients=3, weight_gradients=2, input_products=5, weight_products=7)
    rates = Rates(
        untracked=1, tracked=10, input_gradients=100, weight_gradients=1e3, input_products=1e4, weight_products=1e5
    )
    assert rates.cost(passes) == 752345
    assert (rates * 0.5).cost(passes) == 752345 / 2


def test_they_add_up_and_are_told_apart() -> None:
    first, second = Passes(forward=3, tracked=1), Passes(forward=2, input_gradients=4)
    assert first + second == Passes.total([first, second]) == Passes(forward=5, tracked=1, input_gradients=4)
    assert first + second - first == second
    assert second * 3 == Passes(forward=6, input_gradients=12)
