import numpy as np
import torch

from sparsescope.datasets.grey_levels import upsample


def test_equals_torch_bilinear_interpolation_bit_by_bit():
    levels = np.random.default_rng(0).integers(0, 17, (50, 8, 8))

    images = upsample(levels)

    expected = torch.nn.functional.interpolate(
        torch.from_numpy(levels[:, None] / 16).float(), size=(32, 32), mode="bilinear", align_corners=False
    )
    assert images.shape == (50, 1, 32, 32)
    assert images.dtype == np.float32
    assert np.array_equal(images, expected.numpy())


def test_every_value_is_a_multiple_of_one_1024th():
    images = upsample(np.random.default_rng(1).integers(0, 17, (20, 8, 8)))

    assert np.array_equal(images * 1024, np.rint(images * 1024))


def test_keeps_constants_and_the_range():
    assert np.array_equal(upsample(np.full((1, 8, 8), 16)), np.ones((1, 1, 32, 32)))
    assert np.array_equal(upsample(np.zeros((1, 8, 8))), np.zeros((1, 1, 32, 32)))


def test_one_bright_pixel_worked_by_hand():
    levels = np.zeros((1, 8, 8))
    levels[0, 0, 0] = 16

    row = upsample(levels)[0, 0, 0]

    # The first two target pixels lie before the first source centre; then the weight falls by 1/4 per pixel.
    assert row.tolist() == [1, 1, 7 / 8, 5 / 8, 3 / 8, 1 / 8] + [0] * 26
