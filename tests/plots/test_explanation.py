import numpy as np
import pytest

from sparsescope.errors import InputError
from sparsescope.plots import explanation


def test_the_image_alone_is_in_its_colours_and_under_a_heat_map_grey() -> None:
    image = np.random.default_rng(0).random((3, 4, 5))
    (alone,) = explanation(image).images
    np.testing.assert_array_equal(alone.get_array(), np.moveaxis(image, 0, -1))
    grey, heat = explanation(image, np.full((4, 5), -0.2), title="dog").images
    np.testing.assert_allclose(grey.get_array(), image.mean(axis=0))
    assert heat.get_clim() == (-0.2, 0.2)


def test_the_scale_is_symmetrical_and_can_be_shared() -> None:
    *_, heat = explanation(np.zeros((1, 2, 2)), np.array([[0.5, 0], [0, -0.1]]), limit=2.0).images
    assert heat.get_clim() == (-2, 2)
    *_, flat = explanation(np.zeros((1, 2, 2)), np.zeros((2, 2))).images
    assert flat.get_clim() == (-1, 1)


def test_a_heat_map_of_another_image_is_refused() -> None:
    with pytest.raises(InputError, match=r"Expected a heat map of the image's \(4, 5\) pixels, but got \(5, 4\)"):
        explanation(np.zeros((3, 4, 5)), np.zeros((5, 4)))
