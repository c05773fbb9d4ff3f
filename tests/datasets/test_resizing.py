import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from sparsescope.benchmark import ArrayImages
from sparsescope.datasets.resizing import ResizedImages, Resizing, resized
from sparsescope.errors import DataError, OptionError


def _images(n=5, height=20, width=14):
    return ArrayImages(np.random.default_rng(0).integers(0, 256, (n, height, width, 3), dtype=np.uint8), np.arange(n))


def test_nothing_asked_is_nothing_done():
    images = _images()

    assert resized(images, Resizing()) is images


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), resize=st.none() | st.integers(1, 30), crop=st.integers(1, 30)
)
def test_output_size_is_torchvisions(height, width, resize, crop):
    steps = [transforms.Resize(resize)] if resize else []
    picture = transforms.Compose(steps)(Image.new("RGB", (width, height)))
    assert Resizing(resize).output_size(height, width, "x") == (picture.height, picture.width)
    if crop <= min(picture.height, picture.width):
        assert Resizing(resize, crop).output_size(height, width, "x") == (crop, crop)
    else:
        with pytest.raises(DataError):
            Resizing(resize, crop).output_size(height, width, "x")


@pytest.mark.parametrize(("resize", "crop"), [(28, None), (None, 11), (10, 7), (15, 15), (14, None)])
def test_values_are_torchvisions(resize, crop):
    images = _images()
    steps = ([transforms.Resize(resize)] if resize else []) + ([transforms.CenterCrop(crop)] if crop else [])

    shown = ResizedImages(images, Resizing(resize, crop))

    expected = transforms.Compose(steps)(images.read(range(5)))
    assert shown.shape == tuple(expected.shape[1:])
    assert torch.allclose(shown.read(range(5)), expected, atol=1e-6)


def test_a_crop_worked_by_hand():
    images = ArrayImages(np.arange(25, dtype=np.uint8).reshape(1, 5, 5))

    assert (ResizedImages(images, Resizing(crop=3)).read([0]) * 255).int().tolist() == [
        [[[6, 7, 8], [11, 12, 13], [16, 17, 18]]]
    ]


@pytest.mark.parametrize("resizing", [Resizing(31), Resizing(9, 8)])
def test_batches_change_no_bit(resizing):
    shown = ResizedImages(_images(20, 33, 32), resizing)

    whole = shown.read(range(20))

    assert torch.equal(torch.cat([shown.read([index]) for index in range(20)]), whole)
    assert torch.equal(shown.read([13, 2]), whole[[13, 2]])


def test_enlarged_white_stays_in_range():
    # Without care some of these sizes give 1 + 1.2e-7.
    white = ArrayImages(np.full((1, 6, 7, 3), 255, np.uint8))
    shown = [ResizedImages(white, Resizing(size)).read([0]) for size in range(2, 60)]

    assert max(float(images.max()) for images in shown) == 1
    assert min(float(images.min()) for images in shown) > 0.9999


def test_labels_source_and_length_are_kept_and_the_fingerprint_tells_sizes_apart():
    images = _images()
    shown = ResizedImages(images, Resizing(10))

    assert len(shown) == 5
    assert shown.labels is images.labels
    assert shown.source == images.source
    prints = {images.fingerprint, *(ResizedImages(images, Resizing(*o)).fingerprint for o in [(10,), (12,), (10, 8)])}
    assert len(prints) == 4
    assert pickle.loads(pickle.dumps(shown)).fingerprint == shown.fingerprint


def test_a_crop_that_does_not_fit():
    with pytest.raises(DataError) as caught:
        ResizedImages(_images(), Resizing(crop=16))
    assert str(caught.value) == (
        "Expected images of at least 16 x 16 pixels to crop, but array has 20 x 14 (height x width). "
        "Give a smaller --crop, or --resize 16 or more."
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"resize": 0}, "--resize .* got 0"),
        ({"crop": -3}, "--crop .* got -3"),
        ({"resize": True}, "--resize .* got True"),
        ({"crop": 8.5}, "--crop .* got 8.5"),
    ],
)
def test_sizes_below_one(options, text):
    with pytest.raises(OptionError, match=text):
        Resizing(**options)
