"""Masks as packages write them: beside the weights, in parametrizations, in files of their own, of tied names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import parametrize, prune
from typing_extensions import override

from sparsescope.architectures import resolve
from sparsescope.checkpoints import load_classifier
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.mask import Mask

Tensors = dict[str, Tensor]


def built() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return resolve("digits_cnn").build().eval()


def layers(network: nn.Module) -> list[str]:
    return [name for name, child in network.named_modules() if isinstance(child, nn.Conv2d | nn.Linear)]


@pytest.fixture(scope="module")
def weights() -> Tensors:
    return built().state_dict()


@pytest.fixture(scope="module")
def masks(weights: Tensors) -> Tensors:
    """By layer; half of the entries of each are zero."""
    generator = torch.Generator().manual_seed(5)
    drawn = {name: torch.rand(weights[f"{name}.weight"].shape, generator=generator) for name in layers(built())}
    return {name: (values > values.median()).float() for name, values in drawn.items()}


class Masked(nn.Module):
    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    @override
    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


def of_prune(weights: Tensors, masks: Tensors) -> Any:
    network = built()
    for name, mask in masks.items():
        prune.custom_from_mask(network.get_submodule(name), "weight", mask)
    return network.state_dict()


def of_parametrizations(weights: Tensors, masks: Tensors) -> Any:
    network = built()
    for name, mask in masks.items():
        parametrize.register_parametrization(network.get_submodule(name), "weight", Masked(mask))
    return network.state_dict()


def of_sparsifier(weights: Tensors, masks: Tensors) -> Any:
    network, sparsifier = built(), WeightNormSparsifier()
    sparsifier.prepare(network, [{"tensor_fqn": f"{name}.weight"} for name in masks])
    for name, mask in masks.items():
        network.get_submodule(name).parametrizations["weight"][0].mask.copy_(mask)
    return {"model": network.state_dict(), "sparsifier": sparsifier.state_dict()}


def in_wrappers(weights: Tensors, masks: Tensors) -> Tensors:
    """As NNI wraps layers, also their biases."""
    wrapped = {
        f"{layer}.module.{leaf}" if (layer := name.rpartition(".")[0]) in masks else name: tensor
        for name, tensor in weights.items()
        for leaf in [name.rpartition(".")[2]]
    }
    biases = {
        f"{name}.bias_mask": torch.ones_like(weights[f"{name}.bias"]) for name in masks if f"{name}.bias" in weights
    }
    return wrapped | {f"{name}.weight_mask": mask for name, mask in masks.items()} | biases


CHECKPOINTS: dict[str, Callable[[Tensors, Tensors], Any]] = {
    "torch.nn.utils.prune": of_prune,
    "parametrizations": of_parametrizations,
    "torch.ao.pruning": of_sparsifier,
    "ModelOpt": lambda w, m: {
        "modelopt_state": {"modelopt_version": "0.2"},
        "model_state_dict": w | {f"{name}._weight_mask": mask.bool() for name, mask in m.items()},
    },
    "NNCF": lambda w, m: w | {f"{name}.pre_ops.0.op._binary_mask": mask for name, mask in m.items()},
    "NNI": in_wrappers,
    "a list of names": lambda w, m: {"net": w, "masks": m},
}


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod."])
@pytest.mark.parametrize("package", CHECKPOINTS)
def test_masks_in_checkpoints(tmp_path: Path, weights: Tensors, masks: Tensors, package: str, prefix: str) -> None:
    content = CHECKPOINTS[package](weights, masks)
    nested = [key for key, value in content.items() if isinstance(value, dict) and "head.bias" in str(value.keys())]
    if nested:
        content |= {key: {prefix + name: tensor for name, tensor in content[key].items()} for key in nested}
    else:
        content = {prefix + name: tensor for name, tensor in content.items()}
    torch.save(content, tmp_path / "sparse.pt")
    classifier = load_classifier(tmp_path / "sparse.pt", arch="digits_cnn")
    found = classifier.module.state_dict()
    assert all(torch.equal(found[f"{name}.weight"], weights[f"{name}.weight"] * mask) for name, mask in masks.items())
    assert torch.equal(found["features.1.running_var"], weights["features.1.running_var"])
    assert classifier.sparsity.prunable == pytest.approx(0.5, abs=0.01)
    assert not any("disagree" in warning for warning in classifier.warnings) or package in (
        "NNCF",
        "NNI",
        "a list of names",
    )


def test_a_sparsifier_that_keeps_its_masks(tmp_path: Path, weights: Tensors, masks: Tensors) -> None:
    torch.save(of_sparsifier(weights, masks)["model"], tmp_path / "sparse.pt")
    with pytest.raises(ArtefactError, match=r"save sparsifier\.state_dict\(\) in the same file"):
        load_classifier(tmp_path / "sparse.pt", arch="digits_cnn")


FILES: dict[str, Callable[[Tensors, Tensors], Any]] = {
    "weights": lambda w, m: {f"{name}.weight": mask for name, mask in m.items()},
    "layers": lambda w, m: m,
    "a prefix": lambda w, m: {f"model.{name}.weight": mask for name, mask in m.items()},
    "underscores": lambda w, m: {f"{name}.weight".replace(".", "_"): mask for name, mask in m.items()},
    "torch.nn.utils.prune": lambda w, m: {f"{name}.weight_mask": mask for name, mask in m.items()},
    "torch.ao.pruning": lambda w, m: {f"{name}.parametrizations.weight.0.mask": mask for name, mask in m.items()},
    "ModelOpt": lambda w, m: {f"{name}._weight_mask": mask.bool() for name, mask in m.items()},
    "NNCF": lambda w, m: {f"{name}.pre_ops.0.op._binary_mask": mask for name, mask in m.items()},
    "NNI": lambda w, m: {
        name: {"weight": mask, "bias": torch.ones(len(mask)) if f"{name}.bias" in w else None}
        for name, mask in m.items()
    },
    "all tensors": lambda w, m: {
        name: torch.ones_like(tensor) if tensor.ndim < 2 else m[name.removesuffix(".weight")]
        for name, tensor in w.items()
    },
}


@pytest.mark.parametrize("package", FILES)
def test_mask_files(tmp_path: Path, weights: Tensors, masks: Tensors, package: str) -> None:
    torch.save(FILES[package](weights, masks), tmp_path / "mask.pt")
    dense = Classifier(built(), name="dense")
    sparse = load_classifier(tmp_path / "mask.pt", dense=dense).module.state_dict()
    assert all(torch.equal(sparse[f"{name}.weight"], weights[f"{name}.weight"] * mask) for name, mask in masks.items())


def test_a_mask_of_another_network(tmp_path: Path, masks: Tensors) -> None:
    for other in (masks | {"elsewhere": torch.zeros(3, 3)}, {"head": torch.zeros(3, 3)}):
        torch.save(other, tmp_path / "mask.pt")
        with pytest.raises(ArtefactError, match="The mask does not fit the network"):
            load_classifier(tmp_path / "mask.pt", dense=Classifier(built()))


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.second.weight = self.first.weight
        self.head = nn.Linear(3, 4)

    @override
    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.second(self.first(images).relu()).mean((2, 3)))
        return logits


def net() -> nn.Module:
    return Tied()


@pytest.mark.parametrize("kept", ["both", "first", "second", "safetensors"])
@pytest.mark.parametrize("masked", [(), ("first",), ("second",), ("first", "second")], ids="-".join)
def test_tied_weights(tmp_path: Path, kept: str, masked: tuple[str, ...]) -> None:
    source, path = Tied(), tmp_path / "tied.safetensors"
    expected = source.first.weight.detach().clone()
    mask = (torch.rand(expected.shape) > 0.5).float()
    dense = Classifier(Tied())
    if kept == "safetensors":
        save_model(source, str(path))  # type: ignore[no-untyped-call]
    else:
        dropped = {"both": "", "first": "second.weight", "second": "first.weight"}[kept]
        state = {name: tensor.clone() for name, tensor in source.state_dict().items() if name != dropped}
        save_file(state, path)
    sparse = load_classifier(path, dense=dense)
    if masked:
        save_file({f"{name}.weight": mask.clone() for name in masked}, tmp_path / "mask.safetensors")
        sparse = load_classifier(tmp_path / "mask.safetensors", dense=sparse)
        expected = expected * mask
    for layer in ("first", "second"):
        assert torch.equal(sparse.module.get_submodule(layer).weight, expected)
    images = torch.rand(2, 3, 8, 8)
    Mask({"first.weight": mask if masked else torch.ones_like(mask)}).apply(source)
    with torch.no_grad():
        assert torch.allclose(sparse.module(images), source(images), atol=1e-6)


def test_tied_weights_that_differ(tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in Tied().state_dict().items()}
    state["second.weight"] += 1
    torch.save(state, tmp_path / "untied.pt")
    with pytest.raises(ArtefactError, match=r"holds different values for first\.weight and second\.weight, which are"):
        load_classifier(tmp_path / "untied.pt", dense=Classifier(Tied()))
    ones = torch.ones(3, 3, 3, 3)
    torch.save({"first.weight": ones, "second.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "mask.pt")
    with pytest.raises(ArtefactError, match="holds different values"):
        load_classifier(tmp_path / "mask.pt", dense=Classifier(Tied()))
