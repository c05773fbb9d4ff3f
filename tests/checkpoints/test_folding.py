"""Computed weights in files: the effective weight, as the layer itself has it in eval mode."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm
from typing_extensions import override

from sparsescope.architectures import resolve
from sparsescope.checkpoints import describe, load_classifier
from sparsescope.checkpoints.folding import folded
from sparsescope.errors import ArtefactError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")

USER_FILE = """
from torch import nn
from torch.nn.utils import parametrizations

def net(num_classes=4):
    first = parametrizations.weight_norm(nn.Conv2d(3, 6, 3))
    return nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, num_classes))
"""


@pytest.fixture
def module() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return resolve("digits_cnn").build()


class Masked(nn.Module):
    """A mask as parametrization, as torch.ao.pruning has it, that is stored with the network."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    @override
    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


def convolution(module: nn.Module) -> nn.Module:
    return module.get_submodule("features.3")


def halved(tensor: Tensor) -> Tensor:
    return tensor.abs() > tensor.abs().median()


def old_weight_norm(module: nn.Module) -> None:
    layer = weight_norm(convolution(module), dim=1)
    layer.weight_g.data.mul_(1.5)
    weight_norm(module.head, dim=None)


def new_weight_norm(module: nn.Module) -> None:
    layer = parametrizations.weight_norm(convolution(module))
    layer.parametrizations.weight.original0.data.mul_(1.5)


def old_spectral_norm(module: nn.Module) -> None:
    spectral_norm(convolution(module), n_power_iterations=3)
    spectral_norm(module.get_submodule("features.6"))  # a square matrix but for the kernel


def new_spectral_norm(module: nn.Module) -> None:
    parametrizations.spectral_norm(convolution(module))


def masked_weight_norm(module: nn.Module) -> None:
    layer = weight_norm(convolution(module))
    prune.custom_from_mask(layer, "weight_v", halved(layer.weight_v))


def sparsifier(module: nn.Module) -> None:
    layer = convolution(module)
    parametrize.register_parametrization(layer, "weight", Masked(halved(layer.weight).float()))


KINDS = [old_weight_norm, new_weight_norm, old_spectral_norm, new_spectral_norm, masked_weight_norm, sparsifier]


@pytest.mark.parametrize("change", KINDS)
def test_the_effective_weight_is_the_layers_own(
    tmp_path: Path, module: nn.Module, change: Callable[[nn.Module], None]
) -> None:
    change(module)
    module.train()(torch.rand(4, 1, 32, 32))
    module.eval()
    images = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        logits = module(images)
    torch.save({"state_dict": module.state_dict()}, tmp_path / "a.pt")
    loaded = load_classifier(tmp_path / "a.pt", arch="digits_cnn", mean=(0.0,), std=(1.0,))
    assert loaded.warnings == ()
    own = convolution(module).weight
    assert torch.equal(dict(loaded.module.named_parameters())["features.3.weight"], own)
    assert loaded.mask is not None and torch.equal(loaded.mask["features.3.weight"], own != 0)
    with torch.no_grad(), loaded.prepared():
        assert torch.equal(loaded(images), logits)
    guessed = describe(tmp_path / "a.pt")
    assert guessed.architecture == "digits_cnn" and guessed.parameters == loaded.sparsity.parameters
    assert any("computed" in step for step in guessed.layout)
    layer = next(layer for layer in guessed.layers if layer.name == "features.3.weight")
    assert layer.sparsity == pytest.approx(float((own == 0).float().mean()))


def test_sparsity_is_that_of_the_effective_weight(tmp_path: Path, module: nn.Module) -> None:
    layer = weight_norm(convolution(module))
    layer.weight_v.data.mul_(halved(layer.weight_v))
    torch.save(module.state_dict(), tmp_path / "a.pt")
    sparsity = load_classifier(tmp_path / "a.pt").sparsity
    assert {found.name: round(found.sparsity, 2) for found in sparsity.layers}["features.3.weight"] == 0.5


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("channels", [(4, 4), (3, 5)])
def test_spectral_norm_of_transposed_convolutions(transposed: bool, channels: tuple[int, int]) -> None:
    """Their matrix is along the second axis; where both are as long the singular vectors say which."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d
        layer = spectral_norm(kind(*channels, 3))
        layer(torch.rand(2, channels[0], 5, 5))
    layer.eval()
    layer(torch.rand(2, channels[0], 5, 5))
    plain, _, words = folded(dict(layer.state_dict()), {})
    assert torch.allclose(plain["weight"], layer.weight, rtol=1e-6, atol=0) and set(plain) == {"weight", "bias"}
    assert words == ("1 weights with spectral_norm computed",)


def test_one_after_the_other(module: nn.Module) -> None:
    sparsifier(module)
    layer = convolution(module)
    parametrizations.spectral_norm(layer)
    module.eval()
    plain, masks, words = folded(dict(module.state_dict()), {})
    assert torch.equal(plain["features.3.weight"], layer.weight)
    assert torch.equal(masks["features.3.weight"] != 0, layer.weight != 0)
    assert words == ("1 weights with a mask as parametrization and spectral_norm computed",)


def test_unknown_computations_are_refused(tmp_path: Path, module: nn.Module) -> None:
    parametrizations.orthogonal(convolution(module))
    torch.save(module.state_dict(), tmp_path / "a.pt")
    with pytest.raises(ArtefactError, match=r"features\.3\.parametrizations\.weight\.original"):
        load_classifier(tmp_path / "a.pt", arch="digits_cnn")


def test_the_sparsifier_of_torch_keeps_its_masks_apart(tmp_path: Path, module: nn.Module) -> None:
    """Without them the state dict holds the dense weights: never taken for the sparse ones."""
    tool = WeightNormSparsifier(sparsity_level=0.5, sparse_block_shape=(1, 4))
    tool.prepare(module, [{"tensor_fqn": "head.weight"}])
    tool.step()
    weights, masks = module.state_dict(), {"head.weight": {"mask": module.head.parametrizations.weight[0].mask}}
    torch.save(weights, tmp_path / "a.pt")
    with pytest.raises(ArtefactError, match=r"head\.parametrizations\.weight\.original"):
        load_classifier(tmp_path / "a.pt", arch="digits_cnn")
    torch.save({"model": weights, "sparsifier": {"state": masks, "groups": []}}, tmp_path / "a.pt")
    loaded = load_classifier(tmp_path / "a.pt", arch="digits_cnn")
    assert torch.equal(loaded.module.get_parameter("head.weight"), module.head.weight)
    assert {layer.name: layer.sparsity for layer in loaded.sparsity.layers}["head.weight"] == pytest.approx(
        0.5, abs=0.1
    )


def test_a_network_that_computes_its_weights_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USER_FILE)
    spec = f"{tmp_path / 'mine.py'}:net"
    network = resolve(spec).build().eval()
    network[0].parametrizations.weight.original1.data[:3] *= torch.tensor([[[1.0, 0.0, 1.0]]])
    torch.save(network.state_dict(), tmp_path / "a.pt")
    loaded = load_classifier(tmp_path / "a.pt", arch=spec, mean=(0.0,), std=(1.0,))
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad(), loaded.prepared():
        assert torch.equal(loaded(images), network(images))
    assert [(layer.name, round(layer.sparsity, 3)) for layer in loaded.sparsity.layers] == [("0.weight", 0.167)]


def test_names_of_wrappers(tmp_path: Path, module: nn.Module) -> None:
    """Every wrapper leaves the same network, alone and around another."""
    weights = copy.deepcopy(module.state_dict())

    def renamed(old: str, new: str) -> dict[str, Tensor]:
        return {name.replace(old, new): tensor for name, tensor in weights.items()}

    def inside(prefix: str) -> dict[str, Tensor]:
        return {prefix + name: tensor for name, tensor in weights.items()}

    counters = {"total_ops": torch.zeros(1), "total_params": torch.zeros(1)}
    counters |= {f"features.0.{name}": tensor for name, tensor in counters.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        averaged = torch.optim.swa_utils.AveragedModel(nn.DataParallel(module)).state_dict()
    files = {
        "averaged": dict(averaged),
        "compiled and averaged": {f"_orig_mod.{name}": tensor for name, tensor in averaged.items()},
        "fsdp": inside("_fsdp_wrapped_module."),
        "fsdp in the middle": renamed("features.3.", "features._fsdp_wrapped_module.3._checkpoint_wrapped_module."),
        "fabric": inside("_forward_module.module."),
        "thop": weights | counters,
        "model": inside("model."),
        "model.backbone in DataParallel": inside("module.model.backbone."),
        "DataParallel of the features": renamed("features.", "features.module."),
        "model of compiled": inside("model._orig_mod."),
    }
    for kind, tensors in files.items():
        torch.save(tensors, tmp_path / "a.pt")
        for arch in ("digits_cnn", None):
            loaded = load_classifier(tmp_path / "a.pt", arch=arch)
            assert loaded.origin.architecture == "digits_cnn", kind
            for name, tensor in loaded.module.state_dict().items():
                assert torch.equal(tensor, weights[name]), (kind, name)
