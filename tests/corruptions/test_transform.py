import numpy as np
import pytest
import torch
from PIL import Image

from sparsescope.corruptions import Corruption, corrupt
from sparsescope.errors import DataError, OptionError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 16, 20, 3), dtype=np.uint8)


def test_an_image_gets_the_same_noise_alone_in_a_batch_and_as_pil():
    transform = Corruption("gaussian_noise", 3, seed=1)
    batch = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    together = transform(batch)
    assert together.dtype == torch.uint8 and together.shape == batch.shape
    for k in (2, 0):
        assert torch.equal(transform(batch[k]), together[k])
        picture = transform(Image.fromarray(PIXELS[k]))
        assert picture.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(picture), together[k].permute(1, 2, 0).numpy())
    assert not torch.equal(together, Corruption("gaussian_noise", 3, seed=2)(batch))


def test_two_images_get_different_noise():
    grey = torch.full((2, 3, 16, 16), 128, dtype=torch.uint8)
    grey[1, 2, 15, 15] = 129
    first, second = Corruption("impulse_noise", 5)(grey)
    assert (first != second).sum() > 20


def test_it_is_the_corruption():
    dark = Corruption("contrast", 2)(torch.from_numpy(PIXELS).permute(0, 3, 1, 2))
    np.testing.assert_array_equal(dark.permute(0, 2, 3, 1).numpy(), corrupt(PIXELS, "contrast", 2))


def test_grey_pictures_stay_grey():
    picture = Corruption("fog", 2)(Image.fromarray(PIXELS[0, ..., 0]))
    assert picture.mode == "L" and picture.size == (20, 16)
    assert Corruption("fog", 2)(torch.zeros(1, 16, 20, dtype=torch.uint8)).shape == (1, 16, 20)


def test_unusable_input():
    with pytest.raises(OptionError, match="Did you mean fog"):
        Corruption("fogg", 2)
    with pytest.raises(OptionError, match="Expected a severity"):
        Corruption("fog", 7)
    with pytest.raises(DataError, match="Expected images of type uint8"):
        Corruption("fog", 2)(torch.zeros(3, 16, 16))
    with pytest.raises(DataError, match=r"or a uint8 tensor .* but got a tensor of shape \(16, 16\)"):
        Corruption("fog", 2)(torch.zeros(16, 16, dtype=torch.uint8))
    with pytest.raises(DataError, match="Expected a PIL image"):
        Corruption("fog", 2)([1])
