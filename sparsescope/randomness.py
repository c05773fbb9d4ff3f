"""Random numbers keyed by (seed, stream, unit): the same draws in any batch, shard, worker or order."""

import hashlib
from functools import cache
from numbers import Integral

import numpy as np

from sparsescope.errors import OptionError

__all__ = ["generator", "rademacher"]

_WORD = (1 << 64) - 1


@cache
def _stream_word(stream: str) -> int:
    return int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")


def generator(seed: int, stream: str, unit: int) -> np.random.Generator:
    """Return the generator of one sampling unit.

    The counter-based Philox generator (Salmon et al. 2011) gets (seed, stream) as its key and the unit as the highest
    word of its counter, so every unit owns 2**192 blocks of its own and no draw depends on another unit.

    Args:
        seed: the evaluation's seed, from 0 to 2**64 - 1.
        stream: what the numbers are for, such as `"lime"`; different streams are independent.
        unit: index of the sampling unit in its population, >= 0.

    Raises:
        OptionError: a number out of range, or none.

    Example:
        >>> from sparsescope.randomness import generator
        >>> first = generator(0, "lime", unit=7).integers(0, 100, 4)
        >>> again = generator(0, "lime", unit=7).integers(0, 100, 4)
        >>> bool((first == again).all())
        True
    """
    whole = isinstance(seed, Integral) and isinstance(unit, Integral)
    if not (whole and 0 <= seed <= _WORD and unit >= 0):
        raise OptionError(
            f"Expected whole numbers 0 <= seed < 2**64 and unit >= 0, but got seed={seed!r}, unit={unit!r}."
        )
    key = np.array([seed, _stream_word(stream)], dtype=np.uint64)
    counter = np.array([0, 0, 0, unit], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def rademacher(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return `size` independent signs -1 or +1 as float32, one random bit each.

    Example:
        >>> from sparsescope.randomness import generator, rademacher
        >>> signs = rademacher(generator(0, "probe", 0), 1000)
        >>> sorted(set(signs.tolist())), signs.shape
        ([-1.0, 1.0], (1000,))
    """
    bits = np.unpackbits(np.frombuffer(rng.bytes((size + 7) // 8), dtype=np.uint8), count=size)
    return bits.astype(np.float32) * 2 - 1
