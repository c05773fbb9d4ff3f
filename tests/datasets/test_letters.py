import time

import numpy as np
import pytest

from sparsescope.datasets.digits import digits
from sparsescope.datasets.letters import FONTS, GLYPHS, letters
from sparsescope.errors import DataError


@pytest.fixture(scope="module")
def pixels():
    return letters().read(np.arange(len(letters()))).numpy()[:, 0]


def test_size_shape_and_range(pixels):
    assert len(letters()) == len(FONTS) * len(GLYPHS) == 595
    assert letters().shape == (1, 32, 32)
    assert letters().labels is None
    assert pixels.min() == 0
    assert 0.95 < pixels.max() <= 1


def test_letters_that_read_as_digits_are_left_out():
    assert not set(GLYPHS) & set("DOQoIijlZzSsGbBgq0123456789")
    assert set("AEFHKMNRWXYaefhkmnrwxy") <= set(GLYPHS)


def test_twice_drawn_is_the_same(pixels):
    letters.cache_clear()
    begin = time.process_time()
    again = letters()
    seconds = time.process_time() - begin

    assert np.array_equal(again.read(np.arange(595)).numpy()[:, 0], pixels)
    assert seconds < 5  # about 0.6 s; the limit leaves room for a slow machine


def test_statistics_are_those_of_the_digits(pixels):
    handwritten = digits("test").read(np.arange(800)).numpy()[:, 0]

    ink, expected = pixels.mean((1, 2)), handwritten.mean((1, 2))
    assert abs(ink.mean() - expected.mean()) < 0.01
    assert abs(ink.std() - expected.std()) < 0.01
    assert abs(pixels.std() - handwritten.std()) < 0.04
    assert pixels[:, [0, -1]].max((1, 2)).mean() > 0.6  # the full height is used, by digits as well
    assert pixels[:, :, [0, -1]].mean() < 0.05  # and there is room at the sides


def test_the_same_letter_in_another_font_is_nearest_more_often_than_not(pixels):
    # Recognisable: among 35 letters the nearest picture of the other fonts shows the same letter.
    flat = pixels.reshape(595, -1)
    glyph, font = np.tile(np.arange(35), 17), np.repeat(np.arange(17), 35)
    distances = ((flat**2).sum(1)[None] - 2 * flat @ flat.T).astype(float)
    distances[font[:, None] == font[None]] = np.inf
    # Capital and small C, K, P, U, V, W, X, Y are one shape at equal height.
    shape = np.array([ord(GLYPHS[g].lower()) if GLYPHS[g] in "cCkKpPuUvVwWxXyY" else ord(GLYPHS[g]) for g in glyph])

    assert (shape[distances.argmin(1)] == shape).mean() > 0.8


def test_letters_are_not_digits(pixels):
    train = digits("train").read(np.arange(997)).numpy().reshape(997, -1)
    test = digits("test").read(np.arange(800)).numpy().reshape(800, -1)

    def nearest(images):
        squared = (train**2).sum(1)[None] - 2 * images @ train.T + (images**2).sum(1)[:, None]
        return np.sqrt(squared.min(1).clip(0))

    assert np.median(nearest(pixels.reshape(595, -1))) > 1.3 * np.median(nearest(test))


def test_fonts_that_cannot_be_read_are_named(monkeypatch, tmp_path):
    import matplotlib

    monkeypatch.setattr(matplotlib, "get_data_path", lambda: str(tmp_path))
    letters.cache_clear()
    with pytest.raises(DataError, match=r"one in .*ttf cannot be read .*Reinstall matplotlib, or choose another set"):
        letters()
