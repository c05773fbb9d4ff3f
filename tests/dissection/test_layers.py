import warnings

import pytest
import torch
from torch import nn

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.classifier import Classifier
from sparsescope.dissection.layers import as_maps, captured, default_layer
from sparsescope.errors import NotEvaluated, OptionError


def test_the_default_layer_is_the_last_map(small_classifier):
    assert default_layer(Classifier(resnet20s()), torch.zeros(1, 3, 32, 32)) == "layer3"
    assert default_layer(small_classifier, torch.zeros(1, 3, 8, 8)) == "4"
    assert small_classifier.passes.forward == 1


def test_the_default_layer_of_a_transformer_is_its_encoder():
    import torchvision

    network = torchvision.models.VisionTransformer(16, 4, 2, 2, 12, 24, num_classes=3)
    assert default_layer(Classifier(network), torch.zeros(1, 3, 16, 16)) == "encoder"


def test_order_is_that_of_execution_not_of_registration():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.second, self.first, self.head = nn.ReLU(), nn.Conv2d(3, 2, 3), nn.Linear(2, 2)

        def forward(self, images):
            return self.head(self.second(self.first(images)).mean((2, 3)))

    assert default_layer(Classifier(Backwards()), torch.zeros(1, 3, 8, 8)) == "second"


def test_hooks_do_not_stay(small_classifier):
    with pytest.raises(RuntimeError), captured(small_classifier, "0"):
        raise RuntimeError
    default_layer(small_classifier, torch.zeros(1, 3, 8, 8))
    assert not any(module._forward_hooks for module in small_classifier.module.modules())


def test_what_the_layer_returns_is_kept_from_changes_in_place():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images = torch.rand(5, 3, 8, 8)
    with captured(Classifier(network), "0") as outputs, torch.no_grad():
        network(images)
        torch.testing.assert_close(outputs[0], network[0](images))
    assert (outputs[0] < 0).any()


def test_torchscript_has_no_hooks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still in use
        scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    for use in (lambda c: default_layer(c, torch.zeros(1, 3, 8, 8)), lambda c: captured(c, "1").__enter__()):
        with pytest.raises(NotEvaluated, match="TorchScript gives no access to its layers"):
            use(Classifier(scripted))


def test_a_network_without_maps():
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(NotEvaluated, match=r"no layer of model gives a map of more than one position \(name one"):
        default_layer(Classifier(network), torch.zeros(1, 3, 2, 2))


def test_an_unknown_layer_is_told_with_the_near_misses():
    with (
        pytest.raises(
            OptionError,
            match=r"model has no layer 'layer33'. Did you mean layer3 or .*Layers: conv1, bn1, relu, layer1",
        ),
        captured(Classifier(resnet20s()), "layer33"),
    ):
        pass
    with pytest.raises(OptionError, match="has no layer ''"), captured(Classifier(resnet20s()), ""):
        pass


def test_maps_tokens_and_features():
    values = torch.arange(2 * 5 * 3 * 4).float().reshape(2, 5, 3, 4)
    assert as_maps(values, 2, "a") is values
    features = torch.arange(10.0).reshape(2, 5)
    torch.testing.assert_close(as_maps(features, 2, "a"), features[:, :, None, None])
    grid = torch.randn(2, 7, 4, 4)
    tokens = grid.flatten(2).transpose(1, 2)
    for extra in (0, 1, 5, 8):
        padded = torch.cat([torch.full((2, extra, 7), 99.0), tokens], dim=1)
        torch.testing.assert_close(as_maps(padded, 2, "a"), grid)
    torch.testing.assert_close(as_maps(grid.permute(0, 2, 3, 1), 2, "a"), grid)


@pytest.mark.parametrize(
    ("output", "came"),
    [
        ((torch.zeros(2, 3), None), "a tuple"),
        ({"x": 1}, "a dict"),
        (torch.zeros(2), r"a tensor of shape \(2,\)"),
        (torch.zeros(3, 4), r"a tensor of shape \(3, 4\)"),
        (torch.zeros(2, 3, 5), r"a tensor of shape \(2, 3, 5\)"),
        (torch.zeros(2, 58, 3), r"a tensor of shape \(2, 58, 3\)"),
        (torch.zeros(2, 3, 4, 4, 4), r"a tensor of shape \(2, 3, 4, 4, 4\)"),
    ],
)
def test_other_outputs_are_refused(output, came):
    with pytest.raises(
        OptionError, match=rf"Expected layer 'block' to return a map \(2, K, h, w\).*it returns {came}\. "
    ):
        as_maps(output, 2, "block")
