"""From plain content to weights and mask: every wrapping, and every pruning tool's traces."""

import copy
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import prune

from sparsescope.checkpoints.layout import Artefact, open_artefact
from sparsescope.errors import ArtefactError
from sparsescope.mask import Mask, prunable_weights


def opened(tmp_path: Path, value: Any) -> Artefact:
    torch.save(value, tmp_path / "file.pt")
    return open_artefact(tmp_path / "file.pt")


def assert_same(tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(tensors) == list(expected)
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected[name]), name


@pytest.fixture
def weights(small_network: nn.Module) -> dict[str, Tensor]:
    return dict(small_network.state_dict())


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_nested(tmp_path: Path, weights: dict[str, Tensor], key: str) -> None:
    artefact = opened(tmp_path, {"epoch": 3, "best": torch.tensor(91.0), key: weights, "optimizer": {"state": {}}})
    assert artefact.kind == "state dict" and artefact.mask is None
    assert artefact.layout == (f"nested under '{key}'",)
    assert_same(artefact.tensors, weights)


def test_bare_and_doubly_nested(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    assert_same(opened(tmp_path, OrderedDict(weights)).tensors, weights)
    artefact = opened(tmp_path, {"model": {"state_dict": weights}})
    assert artefact.layout == ("nested under 'model'", "nested under 'state_dict'")
    assert_same(artefact.tensors, weights)


def test_a_name_under_model_is_no_state_dict(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    assert_same(opened(tmp_path, {"model": "resnet", "net": {}, "state_dict": weights}).tensors, weights)


def test_counters_beside_the_tensors_are_passed_over(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    assert_same(opened(tmp_path, weights | {"epoch": 4}).tensors, weights)


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."]
)
def test_prefixes(tmp_path: Path, weights: dict[str, Tensor], prefix: str) -> None:
    artefact = opened(tmp_path, {prefix + name: tensor for name, tensor in weights.items()})
    assert_same(artefact.tensors, weights)
    assert all("removed from the names" in step for step in artefact.layout)


def test_a_prefix_of_some_names_only_is_a_name(tmp_path: Path) -> None:
    tensors = {"module.weight": torch.randn(2, 2), "head.weight": torch.randn(2, 2)}
    assert_same(opened(tmp_path, tensors).tensors, tensors)


def test_torch_prune(tmp_path: Path, small_network: nn.Module) -> None:
    pruned = copy.deepcopy(small_network)
    prune.l1_unstructured(pruned[0], "weight", amount=0.5)
    prune.random_unstructured(pruned[3], "bias", amount=3)
    artefact = opened(tmp_path, pruned.state_dict())
    assert artefact.mask is not None and set(artefact.mask) == {"0.weight", "3.bias"}
    assert artefact.mask["0.weight"].sum() == 81
    assert artefact.warnings == ()  # the mask's word counts: that is how these pairs are meant
    expected = dict(small_network.state_dict())
    expected["0.weight"], expected["3.bias"] = pruned[0].weight.detach(), pruned[3].bias.detach()
    assert set(artefact.tensors) == set(expected)
    for name, tensor in artefact.tensors.items():
        assert torch.equal(tensor, expected[name])


def test_torch_prune_with_nan_under_the_mask(tmp_path: Path) -> None:
    pair = {"a.weight_orig": torch.tensor([[1.0, float("nan")]]), "a.weight_mask": torch.tensor([[1.0, 0.0]])}
    assert opened(tmp_path, pair).tensors["a.weight"].tolist() == [[1.0, 0.0]]


def test_weight_orig_without_its_mask(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"has a\.weight_orig but no a\.weight_mask\. .*prune\.remove"):
        opened(tmp_path, {"a.weight_orig": torch.randn(2, 2)})


def test_mask_buffers_beside_the_weights(tmp_path: Path) -> None:
    weight, mask = torch.tensor([[0.5, 0.25, 2.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    artefact = opened(tmp_path, {"a.weight": weight, "a.weight_mask": mask, "attention_mask": torch.randn(2)})
    assert artefact.tensors["a.weight"].tolist() == [[0.5, 0.0, 0.0]]
    assert "attention_mask" in artefact.tensors
    (warning,) = artefact.warnings
    assert "2 weights that the mask removes are not zero in the file (1 tensors, first a.weight with 2)" in warning


def test_mask_beside_the_state_dict(tmp_path: Path) -> None:
    weight = torch.tensor([[0.5, 0.0]])
    artefact = opened(
        tmp_path, {"state_dict": {"module.a.weight": weight}, "mask": {"module.a.weight": torch.tensor([[1, 0]])}}
    )
    assert artefact.mask is not None and artefact.mask["a.weight"].tolist() == [[True, False]]
    assert artefact.kind == "state dict" and artefact.warnings == ()


def test_mask_of_another_shape_or_of_nothing(tmp_path: Path) -> None:
    weights = {"a.weight": torch.randn(2, 3)}
    with pytest.raises(
        ArtefactError, match=r"the mask of a\.weight has shape \(3,\), but the weight has shape \(2, 3\)"
    ):
        opened(tmp_path, {"state_dict": weights, "mask": {"a.weight": torch.ones(3)}})
    with pytest.raises(ArtefactError, match=r"under 'mask' .* not clear which weights .*: b\.weight \(2, 3\)\."):
        opened(tmp_path, {"state_dict": weights, "mask": {"b.weight": torch.ones(2, 3)}})


def test_a_mask_with_other_numbers_beside_weights(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"file\.pt: Expected mask tensor 'a\.weight' to hold only 0 and 1.*0\.5"):
        opened(tmp_path, {"a.weight_orig": torch.randn(1, 1), "a.weight_mask": torch.full((1, 1), 0.5)})


@pytest.mark.parametrize("name", ["{}", "{}_mask", "{}.mask", "module.{}", "module.{}_mask"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32, torch.float16])
def test_mask_files_in_all_spellings(tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    kept = torch.tensor([[1, 0], [1, 1]]).to(dtype)
    artefact = opened(tmp_path, {name.format("a.weight"): kept, name.format("b.weight"): kept})
    assert artefact.kind == "mask" and artefact.mask is not None and artefact.tensors == {}
    assert list(artefact.mask) == ["a.weight", "b.weight"]
    assert artefact.mask["a.weight"].tolist() == [[True, False], [True, True]]


def test_mask_files_named_by_layer_nested_or_npz(tmp_path: Path) -> None:
    kept = torch.tensor([[True, False]])
    assert list(opened(tmp_path, {"layer1.0.mask": kept}).mask or ()) == ["layer1.0.weight"]
    assert list(opened(tmp_path, {"masks": {"a.weight": kept}}).mask or ()) == ["a.weight"]
    np.savez(tmp_path / "mask.npz", **{"a.weight": kept.numpy()})
    artefact = open_artefact(tmp_path / "mask.npz")
    assert artefact.kind == "mask" and artefact.format == "npz" and list(artefact.mask or ()) == ["a.weight"]


def test_our_mask_file_keeps_its_method(tmp_path: Path, small_network: nn.Module) -> None:
    mask = Mask({name: weight > 0 for name, weight in prunable_weights(small_network).items()}, method="omp")
    mask.save(tmp_path / "mask.safetensors")
    artefact = open_artefact(tmp_path / "mask.safetensors")
    assert artefact.kind == "mask" and artefact.mask is not None and artefact.mask.method == "omp"
    assert {name: kept.tolist() for name, kept in artefact.mask.items()} == {
        name: kept.tolist() for name, kept in mask.items()
    }


def test_our_mask_file_with_other_numbers(tmp_path: Path) -> None:
    save_file({"a.weight": torch.tensor([2], dtype=torch.uint8)}, tmp_path / "m", {"format": "sparsescope.mask/1"})
    with pytest.raises(ArtefactError, match=r"Expected mask tensor 'a\.weight' to hold only 0 and 1, but it holds 2"):
        open_artefact(tmp_path / "m")


def test_sparse_tensors_are_made_dense(tmp_path: Path) -> None:
    dense = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = {"coo.weight": dense.to_sparse(), "csr.weight": dense.to_sparse_csr()}
        torch.save(tensors, tmp_path / "file.pt")
    artefact = open_artefact(tmp_path / "file.pt")
    assert_same(artefact.tensors, {"coo.weight": dense, "csr.weight": dense})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([1, 2], "a list"),
        (torch.ones(3), "a Tensor"),
        ({}, "an empty dictionary"),
        ({"epoch": 3, "lr": 0.1}, "a dictionary with the keys 'epoch', 'lr'"),
        ({"state_dict": {}}, "a dictionary with the keys 'state_dict'"),
    ],
)
def test_no_state_dict_at_all(tmp_path: Path, value: object, found: str) -> None:
    with pytest.raises(ArtefactError) as caught:
        opened(tmp_path, value)
    assert f"it holds {found}." in str(caught.value)
    assert "bare or under one of state_dict, model_state_dict, model, net" in str(caught.value)


def test_the_hash_is_the_files(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    import hashlib

    artefact = opened(tmp_path, weights)
    assert artefact.sha256 == hashlib.sha256((tmp_path / "file.pt").read_bytes()).hexdigest()


def test_masks_as_buffers_beside_their_weights(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    """A layer with a buffer `mask`, as many research codes have it."""
    kept = torch.rand(weights["0.weight"].shape) > 0.5
    artefact = opened(tmp_path, {"state_dict": weights | {"0.mask": kept.float()}})
    assert artefact.mask is not None and torch.equal(artefact.mask["0.weight"], kept)
    assert list(artefact.tensors) == list(weights)
    assert torch.equal(artefact.tensors["0.weight"], weights["0.weight"] * kept)


def test_the_network_inside_a_lightning_module(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    state = {f"model.{name}": tensor for name, tensor in weights.items()} | {"loss.weight": torch.ones(4)}
    artefact = opened(tmp_path, {"pytorch-lightning_version": "2.4.0", "epoch": 3, "state_dict": state})
    assert_same(artefact.tensors, weights)
    assert artefact.layout == ("nested under 'state_dict'", "'model.' of the LightningModule removed from the names")
    assert "model.0.weight" in opened(tmp_path, {"state_dict": state}).tensors


def test_a_lightning_module_that_is_the_network_keeps_its_names(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    """Its weights lie in several attributes."""
    artefact = opened(tmp_path, {"pytorch-lightning_version": "2.4.0", "state_dict": weights})
    assert_same(artefact.tensors, weights)
