"""Masks from scores: exact, deterministic, nested; quotas by hand and against the authors' loop; N:M."""

import math

import numpy as np
import pytest
import reference_pruning as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask
from sparsescope.pruning.masking import make_mask
from sparsescope.pruning.quotas import quotas

SHAPES = st.lists(
    st.tuples(st.integers(1, 7), st.integers(1, 7)) | st.tuples(*[st.integers(1, 4)] * 4), min_size=1, max_size=5
)


def scores_of(shapes: list[tuple[int, ...]], seed: int, levels: int = 5) -> dict[str, torch.Tensor]:
    """Scores with many ties."""
    rng = np.random.default_rng(seed)
    return {
        f"layer{i}": torch.from_numpy(rng.integers(0, levels, shape).astype(float)) for i, shape in enumerate(shapes)
    }


def removed(mask: Mask) -> int:
    return sum(int((~kept).sum()) for kept in mask.values())


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.floats(0, 0.999), st.integers(0, 99), st.sampled_from(["global", "layerwise", "erk"]))
def test_exactly_the_rounded_number_is_removed(
    shapes: list[tuple[int, ...]], sparsity: float, seed: int, scope: str
) -> None:
    size = sum(math.prod(shape) for shape in shapes)
    mask = make_mask(scores_of(shapes, seed), sparsity, scope=scope, method="x")
    assert removed(mask) == round(sparsity * size)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.floats(0, 0.999), st.integers(0, 99))
def test_global_is_the_literal_sort_with_ties_in_network_order(
    shapes: list[tuple[int, ...]], sparsity: float, seed: int
) -> None:
    scores = scores_of(shapes, seed)
    size = sum(score.numel() for score in scores.values())
    expected = reference.keep_top(scores, size - round(sparsity * size))
    mask = make_mask(scores, sparsity, scope="global", method="x")
    assert all(torch.equal(mask[name], kept) for name, kept in expected.items())


@settings(max_examples=40, deadline=None)
@given(
    SHAPES, st.floats(0, 0.9), st.floats(0, 0.9), st.integers(0, 99), st.sampled_from(["global", "layerwise", "erk"])
)
def test_masks_within_a_mask_nest_whatever_the_scores(
    shapes: list[tuple[int, ...]], a: float, b: float, seed: int, scope: str
) -> None:
    first = make_mask(scores_of(shapes, seed), min(a, b), scope="global", method="x")
    second = make_mask(scores_of(shapes, seed + 1), max(a, b), scope=scope, method="x", within=first)
    assert removed(second) == round(max(a, b) * sum(math.prod(shape) for shape in shapes))
    assert not any(bool((kept & ~first[name]).any()) for name, kept in second.items())


def test_entries_of_other_parameters_are_taken_over() -> None:
    within = Mask({"a": torch.tensor([True, False]), "head": torch.tensor([False, True]), "full": torch.ones(2)})
    mask = make_mask({"a": torch.tensor([1.0, 9.0])}, 0.5, scope="global", method="x", within=within)
    assert {name: kept.tolist() for name, kept in mask.items()} == {"a": [True, False], "head": [False, True]}


def test_layerwise_by_hand() -> None:
    # 10, 5 and 3 weights at half: 9 of 18 stay, shares 5, 2.5 and 1.5; of equal remainders the first layer gets the one
    assert quotas([(10, 1), (5, 1), (3, 1)], 9, scope="layerwise") == [5, 3, 1]


def test_erk_by_hand() -> None:
    """Convolutions (4, 2, 3, 3) and (8, 4, 3, 3), a linear layer (4, 8), 20 % kept: 78.4 of 392, so 78.

    Sums of axes 12, 18 and 12 add up to 42, so eps = 78 / 42 and the layers keep 22.3, 33.4 and 22.3 of 72, 288 and 32.
    """
    assert quotas([(4, 2, 3, 3), (8, 4, 3, 3), (4, 8)], 78, scope="erk") == [22, 34, 22]


def test_erk_caps_a_layer_at_its_size_and_shares_the_rest_by_hand() -> None:
    """With 196 kept eps = 196 / 42 would give the linear layer 56 of its 32: it keeps 32.

    The other 164 go to the convolutions as 12 : 18, which are 65.6 of 72 and 98.4 of 288.
    """
    assert quotas([(4, 2, 3, 3), (8, 4, 3, 3), (4, 8)], 196, scope="erk") == [66, 98, 32]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(1, 6)] * 4), min_size=1, max_size=6), st.floats(0.02, 0.98))
def test_erk_densities_are_those_of_the_authors_loop(shapes: list[tuple[int, ...]], sparsity: float) -> None:
    sizes = [math.prod(shape) for shape in shapes]
    total = sum(sizes) - round(sparsity * sum(sizes))
    exact = 1 - total / sum(sizes)
    expected = reference.erk_densities(list(shapes), exact) if 0 < exact < 1 else [1.0 - exact] * len(shapes)
    counts = quotas(list(shapes), total, scope="erk")
    assert sum(counts) == total
    for count, density, size in zip(counts, expected, sizes, strict=True):
        assert abs(count - density * size) < 1 + 1e-6 and count <= size


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (1, 2)])
def test_n_m_keeps_the_largest_of_every_group_of_inputs(n: int, m: int) -> None:
    rng = torch.Generator().manual_seed(0)
    weights = {
        "conv": torch.randn(5, 8, 3, 3, generator=rng),
        "linear": torch.randn(6, 12, generator=rng),
        "conv1d": torch.randn(3, 4, 5, generator=rng),
        "first": torch.randn(5, 3, 3, 3, generator=rng),
    }
    mask = make_mask({k: w.abs() for k, w in weights.items()}, None, scope=f"{n}:{m}", method="x")
    for name in ("conv", "linear", "conv1d"):
        assert torch.equal(mask[name], reference.n_m(weights[name], n, m))
        assert int(mask[name].sum()) == weights[name].numel() * n // m
    assert bool(mask["first"].all())  # three inputs make no group


def test_two_of_four_is_the_layout_of_sparse_tensor_cores() -> None:
    """torch's compression of 2:4 matrices for them loses nothing of a masked weight (out, in), but of a dense one."""
    conversions = pytest.importorskip("torch.sparse._semi_structured_conversions")
    weight = torch.randn(32, 64, generator=torch.Generator().manual_seed(0)).half()
    masked = weight * make_mask({"w": weight.abs()}, 0.5, scope="2:4", method="x")["w"]

    def round_trip(matrix: torch.Tensor) -> torch.Tensor:
        values, meta = conversions.sparse_semi_structured_from_dense_cutlass(matrix)
        return conversions.sparse_semi_structured_to_dense_cutlass(values, meta)

    assert torch.equal(round_trip(masked), masked) and not torch.equal(round_trip(weight), weight)


def test_n_m_within_a_mask() -> None:
    within = Mask({"w": torch.tensor([[True, False, False, False]]), "b": torch.tensor([False])})
    mask = make_mask({"w": torch.tensor([[1.0, 2.0, 3.0, 4.0]])}, None, scope="2:4", method="x", within=within)
    assert mask["w"].tolist() == [[True, False, False, False]] and mask["b"].tolist() == [False]


@pytest.mark.parametrize(
    ("sparsity", "scope", "text"),
    [
        (1.0, "global", r"at least 0 and below 1, but got 1.0"),
        (-0.1, "erk", r"at least 0 and below 1"),
        (0.5, "local", r"'global', 'layerwise', 'erk' or N:M such as '2:4', but got 'local'"),
        (None, "global", r"Expected a sparsity"),
        (0.8, "2:4", r"Scope 2:4 removes 0.5 of the weights, not 0.8"),
        (None, "4:4", r"0 < N < M"),
    ],
)
def test_options_out_of_range(sparsity: float | None, scope: str, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        make_mask({"w": torch.rand(4, 4)}, sparsity, scope=scope, method="x")


def test_unusable_scores() -> None:
    with pytest.raises(InputError, match="there are none"):
        make_mask({}, 0.5, scope="global", method="x")
    with pytest.raises(InputError, match="w has nan or infinite"):
        make_mask({"w": torch.tensor([1.0, torch.nan])}, 0.5, scope="global", method="x")
    with pytest.raises(InputError, match=r"multiple of 4, but there are only w with 3"):
        make_mask({"w": torch.rand(2, 3)}, None, scope="2:4", method="x")
    half = Mask({"w": torch.tensor([True, False])})
    with pytest.raises(OptionError, match=r"at least 0.500000, which the mask to stay within has, but got 0.25"):
        make_mask({"w": torch.rand(2)}, 0.25, scope="global", method="x", within=half)
    with pytest.raises(InputError, match="Give a mask of this network"):
        make_mask({"w": torch.rand(3)}, 0.5, scope="global", method="x", within=half)
