"""Mask and sparsity accounting: by hand, by an independent package, and properties."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn
from torch.nn.utils import prune

from sparsescope.checkpoints.layout import open_artefact
from sparsescope.errors import ArtefactError, InputError
from sparsescope.mask import Mask, account, head_weight, prunable_weights, weight_tensors


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    """Masks of one to three tensors of one to four axes."""
    shapes = draw(st.lists(arrays.array_shapes(max_dims=4, max_side=4), min_size=1, max_size=3))
    return Mask(
        {f"layer{i}.weight": torch.from_numpy(draw(arrays.arrays(np.bool_, shape))) for i, shape in enumerate(shapes)}
    )


def holder(mask: Mask, seed: int) -> nn.Module:
    """A module whose parameters the mask fits, without any zero."""
    rng = np.random.default_rng(seed)
    module = nn.Module()
    for name, kept in mask.items():
        layer, attribute = name.split(".")
        module.add_module(layer, nn.Module())
        values = rng.uniform(0.1, 1, tuple(kept.shape)) * rng.choice([-1, 1], tuple(kept.shape))
        module.get_submodule(layer).register_parameter(attribute, nn.Parameter(torch.from_numpy(values)))
    return module


@given(masks())
def test_sparsity_is_exact(mask: Mask) -> None:
    entries = np.concatenate([kept.numpy().ravel() for kept in mask.values()])
    assert mask.sparsity == pytest.approx(np.mean(~entries), abs=1e-15)


@given(masks(), st.integers(0, 1000))
def test_applying_zeroes_exactly_what_is_removed_and_a_second_time_changes_nothing(mask: Mask, seed: int) -> None:
    module = holder(mask, seed)
    before = copy.deepcopy(module.state_dict())
    mask.apply(module)
    once = copy.deepcopy(module.state_dict())
    for name, kept in mask.items():
        assert torch.equal(once[name][kept], before[name][kept])
        assert bool((once[name][~kept] == 0).all())
    mask.apply(module)
    assert all(torch.equal(once[name], tensor) for name, tensor in module.state_dict().items())
    again = Mask.from_zeros(dict(module.named_parameters()))
    assert all(torch.equal(kept, mask[name]) for name, kept in again.items())


@settings(max_examples=30)
@given(mask=masks(), method=st.none() | st.sampled_from(["omp", "größe", "a b"]))
def test_saved_and_read_again(tmp_path_factory: pytest.TempPathFactory, mask: Mask, method: str | None) -> None:
    path = tmp_path_factory.mktemp("masks") / "mask.safetensors"
    Mask(mask, method=method).save(path)
    artefact = open_artefact(path)
    assert artefact.kind == "mask" and artefact.mask is not None and artefact.mask.method == method
    assert set(artefact.mask) == set(mask)
    assert all(torch.equal(kept, artefact.mask[name]) for name, kept in mask.items())
    assert [item.name for item in path.parent.iterdir()] == ["mask.safetensors"]
    Mask(mask).save(path.with_suffix(".npz"))
    stored = open_artefact(path.with_suffix(".npz")).mask
    assert stored is not None and all(torch.equal(kept, stored[name]) for name, kept in mask.items())


@given(masks())
def test_any_dtype_of_zeros_and_ones_is_the_same_mask(mask: Mask) -> None:
    for dtype in (torch.uint8, torch.int64, torch.float32):
        same = Mask({name: kept.to(dtype) for name, kept in mask.items()})
        assert all(same[name].dtype == torch.bool and torch.equal(same[name], kept) for name, kept in mask.items())


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, float("nan")])
def test_only_zeros_and_ones(value: float) -> None:
    with pytest.raises(ArtefactError, match=rf"'a\.weight' to hold only 0 and 1, but it holds {value:g}"):
        Mask({"a.weight": torch.tensor([0.0, 1.0, value])})


def test_a_mask_has_a_length_of_its_own_and_may_be_empty() -> None:
    assert Mask({}).sparsity == 0 and len(Mask({})) == 0
    assert repr(Mask({"a": torch.tensor([1, 0, 0, 0])})) == "Mask(1 tensors, sparsity 0.750)"


def test_a_mask_does_not_follow_later_changes_of_the_weights(small_network: nn.Module) -> None:
    mask = Mask.from_zeros(weight_tensors(small_network))
    with torch.no_grad():
        next(small_network.parameters()).zero_()
    assert mask.sparsity == 0


def test_a_mask_that_does_not_fit_names_every_tensor_up_to_eight(small_network: nn.Module) -> None:
    small = torch.ones(2, dtype=torch.bool)
    with pytest.raises(ArtefactError) as caught:
        Mask({"0.weight": small, "absent.weight": small}).apply(small_network)
    text = str(caught.value)
    assert "does not fit the network (2 of 2 tensors)" in text and "--arch" in text
    assert "0.weight: mask (2,), network (6, 3, 3, 3)" in text
    assert "absent.weight: the network has no such parameter" in text
    with pytest.raises(ArtefactError, match="or the architecture of this mask with --arch"):
        Mask({"0.weight": small}).check(small_network)
    with pytest.raises(ArtefactError, match="and 4 more"):
        Mask({f"w{i}": small for i in range(12)}).check(small_network)


def test_a_mask_that_does_not_fit_changes_nothing(small_network: nn.Module) -> None:
    before = copy.deepcopy(small_network.state_dict())
    kept = torch.zeros(6, 3, 3, 3, dtype=torch.bool)
    with pytest.raises(ArtefactError):
        Mask({"0.weight": kept, "absent.weight": kept}).apply(small_network)
    assert all(torch.equal(before[name], tensor) for name, tensor in small_network.state_dict().items())


def test_prunable_weights_are_all_but_head_biases_and_normalisation(small_network: nn.Module) -> None:
    assert list(weight_tensors(small_network)) == ["0.weight", "3.weight", "7.weight"]
    assert head_weight(small_network) == "7.weight"
    assert list(prunable_weights(small_network)) == ["0.weight", "3.weight"]
    assert list(prunable_weights(nn.Linear(2, 2))) == ["weight"]  # a single layer is its own head and prunable
    assert head_weight(nn.ReLU()) is None and account(nn.ReLU()).total == 0


def test_attention_projections_are_weights() -> None:
    module = nn.Sequential(nn.MultiheadAttention(4, 2), nn.Linear(4, 2))
    assert list(weight_tensors(module)) == ["0.in_proj_weight", "0.out_proj.weight", "1.weight"]


def test_accounting_by_hand(small_network: nn.Module) -> None:
    # Weights: 6*3*9 = 162, 8*6*9 = 432, head 4*8 = 32; others: biases 6 + 8 + 4, normalisation 12: 656 in all.
    with torch.no_grad():
        small_network[0].weight.flatten()[:81] = 0
    sparsity = account(small_network)
    assert (sparsity.parameters, sparsity.nonzero) == (656, 575)
    assert sparsity.prunable == pytest.approx(81 / 594) and sparsity.total == pytest.approx(81 / 656)
    assert [(layer.name, layer.shape, layer.sparsity) for layer in sparsity.layers] == [
        ("0.weight", (6, 3, 3, 3), 0.5),
        ("3.weight", (8, 6, 3, 3), 0.0),
    ]


def test_a_pruned_head_counts(small_network: nn.Module) -> None:
    with torch.no_grad():
        small_network[7].weight[0] = 0
    sparsity = account(small_network)
    assert sparsity.prunable == pytest.approx(8 / 626) and sparsity.layers[-1].name == "7.weight"


def test_with_a_mask_zeros_that_it_keeps_are_weights(small_network: nn.Module) -> None:
    with torch.no_grad():
        small_network[0].weight.zero_()
    kept: dict[str, Tensor] = {"3.weight": torch.zeros(8, 6, 3, 3)}
    sparsity = account(small_network, Mask(kept))
    assert sparsity.prunable == pytest.approx(432 / 594) and sparsity.nonzero == 656 - 432


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_accounting_agrees_with_torch_prune(small_network: nn.Module, amount: float) -> None:
    layers = [(small_network[0], "weight"), (small_network[3], "weight")]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=amount)
    removed = sum(int((layer.weight_mask == 0).sum()) for layer, _ in layers)
    for layer, name in layers:
        prune.remove(layer, name)
    assert account(small_network).prunable == pytest.approx(removed / 594)
    assert removed == round(amount * 594)


def test_saving_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mask.safetensors"
    Mask({"a": torch.ones(3)}).save(path)
    before = path.read_bytes()

    def full_disk(target: Path, content: bytes) -> None:
        with target.open("wb") as file:
            file.write(content[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="No space left"):
        Mask({"a": torch.zeros(3)}).save(path)
    assert path.read_bytes() == before and [item.name for item in tmp_path.iterdir()] == ["mask.safetensors"]
