"""One image explained for people."""

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.errors import DataError, InputError, OptionError
from sparsescope.lime import explain


class Spot(nn.Module):
    """Class 1 is what is bright in the top left quarter."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level = 8 * x[:, :, :16, :16].mean(dim=(1, 2, 3)) - 4
        return torch.stack([-level, level], dim=1)


def test_the_heat_map_lights_up_where_the_model_looks():
    explanation = explain(Classifier(Spot()), np.ones((1, 32, 32), np.float32), superpixels="grid", target=1)
    assert explanation.heat_map.shape == explanation.segments.shape == (32, 32)
    quarter = explanation.heat_map[:16, :16]
    rest = explanation.heat_map.copy()
    rest[:16, :16] = 0
    assert quarter.min() > 4 * np.abs(rest).max()
    np.testing.assert_array_equal(explanation.heat_map, explanation.coefficients[explanation.segments])
    assert explanation.probability == pytest.approx(1 / (1 + np.exp(-8)), rel=1e-5)
    other = explain(Classifier(Spot()), np.ones((1, 32, 32), np.float32), superpixels="grid", target=0)
    np.testing.assert_allclose(other.coefficients, -explanation.coefficients, atol=1e-6)


def test_the_own_class_is_the_default_and_settings_matter(small_classifier):
    image = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    base = explain(small_classifier, image, samples=100, superpixels="grid")
    with small_classifier.prepared():
        assert base.target == int(small_classifier(image[None]).argmax())
    assert small_classifier.passes.forward == 101
    again = explain(small_classifier, image.double(), samples=100, superpixels="grid")
    np.testing.assert_array_equal(base.coefficients, again.coefficients)
    for change in ({"seed": 1}, {"fill": "blur"}, {"distance": "cosine"}, {"kernel_width": 0.5}, {"alpha": 0.1}):
        changed = explain(small_classifier, image, samples=100, superpixels="grid", **change)
        assert np.abs(changed.coefficients - base.coefficients).max() > 1e-6
    assert explain(small_classifier, image, samples=100, superpixels="grid", pivots=9).stability != base.stability


def test_the_model_is_left_as_it_was(small_classifier):
    small_classifier.module.train()
    before = {name: value.clone() for name, value in small_classifier.module.state_dict().items()}
    image = torch.rand(3, 8, 8)
    explain(small_classifier, image, samples=20, superpixels="grid")
    with pytest.raises(InputError):
        explain(small_classifier, image, samples=20, superpixels="grid", target=9)
    assert all(child.training for child in small_classifier.module.modules())
    assert all(p.requires_grad and p.grad is None for p in small_classifier.module.parameters())
    for name, value in small_classifier.module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((32, 32), np.float32), r"Expected one image \(C, H, W\) of floats with 1 or 3 channels, but got"),
        (np.zeros((1, 3, 8, 8), np.float32), r"of shape \(1, 3, 8, 8\). Give pixels / 255, channels first, without a"),
        (np.zeros((3, 8, 8), np.uint8), "but got torch.uint8 of shape"),
        (np.full((3, 8, 8), 255.0), r"Expected pixels in \[0, 1\], but they reach from 255 to 255"),
        (np.full((3, 8, 8), np.nan), r"Expected pixels in \[0, 1\], but they reach from nan to nan"),
        (np.full((3, 8, 8), 0.5), r"Expected at least 2 superpixels, but auto finds only one in this image of 8 x 8"),
    ],
)
def test_what_is_no_image_is_refused(small_classifier, image, message):
    with pytest.raises(DataError, match=message):
        explain(small_classifier, image)
    assert small_classifier.passes.forward == 0


def test_settings_are_checked(small_classifier):
    with pytest.raises(OptionError, match="Expected pivots to be from 1 to samples - 1 = 3, but got 5"):
        explain(small_classifier, np.zeros((3, 8, 8), np.float32), samples=4)
