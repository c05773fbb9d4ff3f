import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_philox import philox_block

from sparsescope.randomness import generator, rademacher

_SEEDS = st.integers(0, 2**64 - 1)
_UNITS = st.integers(0, 2**63)


@settings(max_examples=50)
@given(seed=_SEEDS, stream=st.text(max_size=20), unit=_UNITS)
def test_keys_as_documented(seed, stream, unit):
    word = int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")

    drawn = generator(seed, stream, unit).bit_generator.random_raw(8)

    # numpy counts up before each block, so block b of the unit has the counter (b + 1, 0, 0, unit).
    expected = [value for block in (1, 2) for value in philox_block((block, 0, 0, unit), (seed, word))]
    assert drawn.tolist() == expected


def test_the_draws_never_change():
    # Every stored result depends on these: a change here changes every number that users have.
    assert generator(0, "lime", 0).bit_generator.random_raw(2).tolist() == [5791061429172674283, 7940560036941822106]
    assert generator(7, "fgsm", 12).bit_generator.random_raw(2).tolist() == [13134181424541538181, 2348255062836100417]


@given(seed=_SEEDS, stream=st.sampled_from(["a", "b"]), unit=_UNITS)
def test_the_same_key_gives_the_same_draws(seed, stream, unit):
    first, second = (generator(seed, stream, unit) for _ in range(2))

    assert np.array_equal(first.normal(size=5), second.normal(size=5))


def test_seed_stream_and_unit_all_matter():
    keys = itertools.product([0, 1, 2**40], ["lime", "lime ", "bootstrap/test", ""], [0, 1, 2, 2**32])
    draws = {tuple(generator(*key).bit_generator.random_raw(2).tolist()) for key in keys}

    assert len(draws) == 3 * 4 * 4


def test_seed_and_unit_cannot_be_exchanged():
    assert generator(1, "x", 2).bit_generator.random_raw() != generator(2, "x", 1).bit_generator.random_raw()


def test_neighbouring_units_are_uncorrelated():
    draws = np.stack([generator(0, "x", unit).normal(size=2000) for unit in range(40)])
    correlations = np.corrcoef(draws)[~np.eye(40, dtype=bool)]

    # Standard deviation 1/sqrt(2000) = 0.022; the largest of 780 normal values is near 3.2 of it.
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)
    assert correlations.std() == pytest.approx(1 / np.sqrt(2000), rel=0.15)


def test_first_draws_over_units_are_uniform():
    first = np.array([generator(0, "x", unit).random() for unit in range(4000)])

    counts = np.bincount((first * 20).astype(int), minlength=20)
    assert ((counts - 200) ** 2 / 200).sum() < 43.8  # chi-squared with 19 degrees of freedom, p = 0.001


def test_a_unit_never_reaches_its_neighbours_numbers():
    rng = generator(0, "x", 5)
    rng.bit_generator.advance(2**100)
    rng.random(10)

    assert rng.bit_generator.state["state"]["counter"][3] == 5


@pytest.mark.parametrize(("seed", "unit"), [(-1, 0), (0, -1)])
def test_negative_keys(seed, unit):
    with pytest.raises(ValueError, match=f"but got seed={seed}, unit={unit}"):
        generator(seed, "x", unit)


def test_global_random_state_is_not_touched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rademacher(generator(0, "x", 0), 100)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@given(size=st.integers(0, 100))
def test_signs(size):
    signs = rademacher(generator(3, "x", 0), size)

    assert signs.shape == (size,)
    assert signs.dtype == np.float32
    assert set(signs.tolist()) <= {-1.0, 1.0}


def test_signs_are_the_bits_of_the_generator():
    drawn = generator(0, "x", 0).bytes(2)
    bits = "".join(f"{byte:08b}" for byte in drawn)

    assert rademacher(generator(0, "x", 0), 13).tolist() == [1.0 if bit == "1" else -1.0 for bit in bits[:13]]


def test_signs_are_balanced_and_independent():
    signs = rademacher(generator(0, "x", 0), 80_000).astype(np.float64)

    standard_error = 1 / np.sqrt(len(signs))
    assert abs(signs.mean()) < 4 * standard_error
    for lag in (1, 2, 7, 8, 32, 64):
        assert abs((signs[lag:] * signs[:-lag]).mean()) < 4 * standard_error
    assert np.abs(signs.reshape(-1, 8).mean(axis=0)).max() < 4 * np.sqrt(8) * standard_error
