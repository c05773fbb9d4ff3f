"""Pictures as data URIs: the very pixels where they are few, bounded where they are many."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from sparsescope.reporting.pictures import Picture, embedded, outlined


def opened(uri: str) -> Image.Image:
    head, _, content = uri.partition(",")
    kind = head.removeprefix("data:image/").removesuffix(";base64")
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert picture.format is not None and picture.format.lower() == kind
    return picture


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_image_keeps_its_pixels(channels: int) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (channels, 9, 7))
    pixels = np.asarray(opened(embedded((levels / 255).astype(np.float32))))
    np.testing.assert_array_equal(pixels.reshape(9, 7, channels), levels.transpose(1, 2, 0))


def test_a_large_image_is_made_smaller_and_keeps_its_shape() -> None:
    assert opened(embedded(np.zeros((3, 600, 300)))).size == (100, 200)
    assert opened(embedded(np.zeros((1, 100, 100)))).size == (100, 100)


def test_outlines_are_drawn_in_the_images_shape() -> None:
    masks = np.eye(10, dtype=bool), np.ones((10, 10), dtype=bool)
    picture = Picture(3, np.zeros((3, 40, 20), dtype=np.float32), *masks, 0.1)
    uri = outlined(picture)
    assert opened(uri).size == (100, 200)
    assert len(uri) < 40_000 and uri == outlined(picture)
