import numpy as np
import pytest

from sparsescope.dissection import packing
from sparsescope.dissection.packing import Spool, count, pack, words_per_mask


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (5, 13), (9, 15), (0, 4)])
def test_pixel_i_is_bit_i(shape):
    masks = np.random.default_rng(0).random((3, *shape)) < 0.4
    words = pack(masks)
    pixels = shape[0] * shape[1]
    assert words.shape == (3, words_per_mask(pixels)) and words.dtype == np.uint64
    for row, mask in zip(words, masks.reshape(3, -1), strict=True):
        bits = [bool(int(row[i // 64]) >> (i % 64) & 1) for i in range(64 * len(row))]
        assert bits == [*mask, *[False] * (len(bits) - pixels)]
    np.testing.assert_array_equal(count(words), masks.sum(axis=(1, 2)))


def test_no_masks_are_no_rows():
    assert pack(np.zeros((0, 4, 4), dtype=bool)).shape == (0, 1)


@pytest.mark.parametrize("memory", [0, 100, 10**6])
def test_a_spool_gives_back_what_it_took_in_memory_or_from_a_file(memory):
    parts = [np.random.default_rng(n).normal(size=(n, 3, 2)).astype(np.float32) for n in (2, 0, 5, 1)]
    spool = Spool(memory)
    for part in parts:
        spool.append(part)
    whole = spool.finish((3, 2), np.float32)
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert not whole.flags.writeable
    assert type(whole) is np.ndarray


def test_a_full_disk_is_a_clear_error(monkeypatch):
    class Full:
        def close(self):
            pass

        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing.tempfile, "TemporaryFile", Full)
    with pytest.raises(packing.InputError, match=r"temporary folder .*: No space left on device\. Make room there, or"):
        Spool(0).append(np.ones(3))
