"""Augmentation: by hand, against torchvision's, and keyed per image."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as theirs

from sparsescope.training import Recipe
from sparsescope.training.augmentation import _gathered, _part, _resized, augment

NONE = Recipe(epochs=1, shift=0)
PIXELS = torch.rand(40, 3, 6, 5, generator=torch.Generator().manual_seed(0))


def test_nothing_to_do_changes_nothing() -> None:
    assert augment(PIXELS, range(40), NONE, seed=0, epoch=0) is PIXELS


def test_shift_by_hand() -> None:
    image = torch.arange(1.0, 5.0).reshape(1, 1, 2, 2)
    rows, columns = np.array([[1, 2]]), np.array([[0, 1]])  # one pixel up
    assert _gathered(image, rows, columns, zeros=True)[0, 0].tolist() == [[3.0, 4.0], [0.0, 0.0]]
    assert _gathered(image, rows, columns, zeros=False)[0, 0].tolist() == [[3.0, 4.0], [3.0, 4.0]]
    assert _gathered(image, np.array([[0, 1]]), np.array([[1, 0]]), zeros=True)[0, 0].tolist() == [[2.0, 1.0], [4, 3]]


def test_every_result_is_a_crop_of_the_padded_image_mirrored_or_not() -> None:
    recipe = Recipe(epochs=1, shift=2, shift_fill="zeros", flip=True)
    shown = augment(PIXELS, range(40), recipe, seed=0, epoch=0)
    seen = set()
    for before, after in zip(PIXELS, shown, strict=True):
        crops = {
            (top, left, mirrored): theirs.crop(
                theirs.pad(theirs.hflip(before) if mirrored else before, [2]), top, left, 6, 5
            )
            for top in range(5)
            for left in range(5)
            for mirrored in (False, True)
        }
        found = [key for key, crop in crops.items() if torch.equal(crop, after)]
        assert len(found) == 1
        seen.update(found)
    assert {top for top, _, _ in seen} == {left for _, left, _ in seen} == set(range(5))
    assert {mirrored for _, _, mirrored in seen} == {False, True}


@pytest.mark.parametrize("resized_crop", [False, True])
def test_draws_depend_on_seed_epoch_and_image_alone(resized_crop: bool) -> None:
    recipe = Recipe(epochs=1, shift=1, flip=True, resized_crop=resized_crop)
    before = PIXELS.clone()
    whole = augment(PIXELS, range(40), recipe, seed=5, epoch=2)
    assert torch.equal(PIXELS, before)
    picked = [31, 4, 4, 17]
    assert torch.equal(augment(PIXELS[picked], picked, recipe, seed=5, epoch=2), whole[picked])
    assert not torch.equal(augment(PIXELS, range(40), recipe, seed=5, epoch=3), whole)
    assert not torch.equal(augment(PIXELS, range(40), recipe, seed=6, epoch=2), whole)


def test_parts_of_resized_crops() -> None:
    rng = np.random.default_rng(0)
    parts = np.array([_part(100, 80, rng) for _ in range(2000)])
    top, left, height, width = parts.T
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 100).all() and (left + width <= 80).all()
    area, shape = height * width / 8000, width / height
    assert 0.07 < area.min() < 0.12 and area.max() > 0.9
    assert 0.72 < shape.min() < 0.8 and 1.25 < shape.max() < 1.38
    assert np.median(np.log(shape[area < 0.4])) == pytest.approx(0, abs=0.03)


def test_resizing_is_torchvisions() -> None:
    image = torch.rand(3, 20, 16, generator=torch.Generator().manual_seed(1))
    expected = theirs.resized_crop(image, 3, 2, 12, 9, [20, 16], antialias=True)
    torch.testing.assert_close(_resized(image, 3, 2, 12, 9), expected)
