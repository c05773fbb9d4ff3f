"""A small part of the flipped bits: the same through the cache itself, which removes what is damaged."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from sparsescope.evaluation.cache import Cache
from sparsescope.evaluation.plan import Shard
from tests.fuzz.bits import data_bits, header_bits, make_parts, with_flipped


def test_a_flipped_bit_is_a_miss(tmp_path: Path) -> None:
    parts = list(make_parts(tmp_path, ("accuracy", "ood_auroc")))
    assert len(parts) >= 4
    for part in parts:
        content = part.path.read_bytes()
        bits = list(header_bits(content, every=7))
        assert len(bits) > 200 and part.decoded(content) is not None
        assert all(part.decoded(with_flipped(content, bit)) is None for bit in (*bits, *data_bits(content, 50)))


def test_the_cache_removes_it_and_goes_on(tmp_path: Path) -> None:
    cache, shard = Cache(tmp_path), Shard(0, np.arange(3), np.arange(3))
    arrays = {"logits": np.arange(6.0).reshape(3, 2)}
    cache.store("ab12", shard, arrays)
    (path,) = tmp_path.rglob("*.part")
    content = path.read_bytes()
    for bit in header_bits(content, every=11):
        path.write_bytes(with_flipped(content, bit))
        assert cache.load("ab12", shard) is None and not path.exists()
        path.parent.mkdir(parents=True)
    cache.store("ab12", shard, arrays)
    loaded = cache.load("ab12", shard)
    assert loaded is not None and np.array_equal(loaded["logits"], arrays["logits"])
