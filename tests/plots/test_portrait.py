"""Outlines and tints lie where the masks are: looked up in the pixels of the picture."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from sparsescope.errors import InputError
from sparsescope.plots import portrait
from sparsescope.plots.portrait import BOTH, FORMULA, NEURON, TINT
from sparsescope.plots.style import png


def drawn(image, fires, holds, pixels=200):
    """The picture as float RGB (pixels, pixels, 3), without margins."""
    figure = Figure(figsize=(pixels / 100, pixels / 100))
    portrait(image, fires, holds, figure.add_axes((0, 0, 1, 1)))
    with Image.open(io.BytesIO(png(figure, dpi=100))) as picture:
        return np.asarray(picture.convert("RGB")).astype(float) / 255


def mask(rows, columns, shape=(10, 10)):
    found = np.zeros(shape, dtype=bool)
    found[rows, columns] = True
    return found


def tint(colour, grey):
    return TINT * np.array(to_rgb(colour)) + (1 - TINT) * grey


@pytest.mark.parametrize("size", [8, 32, 112])
def test_hits_false_alarms_and_misses_have_their_colours_and_all_else_is_grey(size):
    image = np.full((3, size, size), 0.4)
    picture = drawn(image, mask(slice(2, 8), slice(1, 6)), mask(slice(2, 8), slice(4, 9)))
    # The middle of: both (columns 4-5), the neuron alone (1-3), the formula alone (6-8), neither (row 0).
    for (row, column), wanted in {
        (100, 100): tint(BOTH, 0.4),
        (100, 40): tint(NEURON, 0.4),
        (100, 160): tint(FORMULA, 0.4),
        (10, 100): np.full(3, 0.4),
    }.items():
        np.testing.assert_allclose(picture[row, column], wanted, atol=0.02)


def near(picture, colour, tolerance=0.12):
    return (np.abs(picture - np.array(to_rgb(colour))) < tolerance).all(axis=2)


def test_outlines_follow_the_edges_of_the_masks():
    fires, nothing = mask(slice(3, 7), slice(2, 6)), np.zeros((10, 10), dtype=bool)
    line = near(drawn(np.zeros((1, 10, 10)), fires, nothing), NEURON)
    rows, columns = np.nonzero(line)
    # The mask covers pixels 60-140 by 40-120 of 200; the line is 2 points, 2.8 pixels, wide.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((60, 139, 40, 119), abs=3)
    inside = line[66:134, 46:114]
    assert not inside.any()
    assert line[100, 37:44].any() and line[100, 116:123].any() and line[57:64, 80].any() and line[136:143, 80].any()


def test_a_formula_that_holds_everywhere_is_outlined_at_the_frame_and_dashed():
    nothing, everywhere = np.zeros((10, 10), dtype=bool), np.ones((10, 10), dtype=bool)
    line = near(drawn(np.zeros((1, 10, 10)), nothing, everywhere), FORMULA)
    rows, columns = np.nonzero(line)
    assert rows.min() <= 3 and rows.max() >= 196 and columns.min() <= 3 and columns.max() >= 196
    assert not line[10:190, 10:190].any()
    top = line[:5, 10:190].any(axis=0)
    assert 0.3 < top.mean() < 0.95  # dashes


def test_fine_masks_keep_their_holes():
    fires = mask(slice(20, 90), slice(20, 90), (112, 112))
    fires[50:60, 50:60] = False
    line = near(drawn(np.zeros((3, 32, 32)), fires, np.zeros_like(fires)), NEURON)
    assert line[round(55 / 112 * 200), round(48 / 112 * 200) : round(52 / 112 * 200)].any()


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(InputError, match=r"Expected two masks of one size, but got \(4, 4\) and \(5, 4\)"):
        portrait(np.zeros((1, 4, 4)), np.zeros((4, 4), bool), np.zeros((5, 4), bool))
