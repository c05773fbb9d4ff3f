"""Content is never passed over in silence: masks under any name, several state dicts in one file."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparsescope.architectures import resolve
from sparsescope.checkpoints import MissingWeightsError, describe, load_classifier, save_checkpoint
from sparsescope.checkpoints.layout import Artefact, open_artefact
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.mask import Mask

CONVOLUTIONS, HEAD = ("0.weight", "3.weight"), "7.weight"


@pytest.fixture
def weights(small_network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in small_network.state_dict().items()}


@pytest.fixture
def masks(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.rand(weights[name].shape, generator=generator) > 0.5 for name in CONVOLUTIONS}


def opened(tmp_path: Path, value: Any, weights: str | None = None) -> Artefact:
    torch.save(value, tmp_path / "file.pt")
    return open_artefact(tmp_path / "file.pt", weights)


def assert_applied(artefact: Artefact, weights: dict[str, Tensor], masks: dict[str, Tensor]) -> None:
    assert artefact.mask is not None and set(artefact.mask) == set(masks)
    for name, kept in masks.items():
        assert torch.equal(artefact.mask[name], kept)
        assert torch.equal(artefact.tensors[name], weights[name] * kept)
    assert list(artefact.tensors) == list(weights)  # none of the masks is taken for a weight


MASK_PLACES: dict[str, Any] = {
    "a list in the order of the layers": lambda m: {"mask": list(m.values())},
    "a tuple under another name": lambda m: {"keep_masks": tuple(m.values())},
    "a dictionary by index": lambda m: {"pruning_masks": dict(enumerate(m.values()))},
    "floats": lambda m: {"mask_dict": {name: kept.float() for name, kept in m.items()}},
    "bytes": lambda m: {"m": {name: kept.to(torch.uint8) for name, kept in m.items()}},
    "a key with a dot": lambda m: {"pruner.masks": m},
    "nested": lambda m: {"pruner": {"step": 3, "masks": m}},
    "nested by layer": lambda m: {"sparsity": {name.split(".")[0]: {"weight": kept} for name, kept in m.items()}},
    "by the layer's name": lambda m: {"keep": {name.removesuffix(".weight"): kept for name, kept in m.items()}},
    "with the suffix of prune": lambda m: {"keep": {f"{name}_mask": kept for name, kept in m.items()}},
    "with a wrapper's prefix": lambda m: {"keep": {f"module.{name}": kept for name, kept in m.items()}},
    "with an attribute's prefix": lambda m: {"keep": {f"net.{name}": kept for name, kept in m.items()}},
    "underscores for dots": lambda m: {"keep": {name.replace(".", "_"): kept for name, kept in m.items()}},
    "beside a threshold": lambda m: {
        "pruning": {name: {"mask": kept, "threshold": torch.tensor(0.1)} for name, kept in m.items()}
    },
    "under the file's own names": lambda m: {f"mask_{name}": kept for name, kept in m.items()},
    "in two parts": lambda m: {"parts": {"first": {"0.weight": m["0.weight"]}, "then": {"3.weight": m["3.weight"]}}},
}


@pytest.mark.parametrize("place", MASK_PLACES)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_masks_are_found_by_content(
    tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor], place: str, prefix: str
) -> None:
    state = {prefix + name: tensor for name, tensor in weights.items()}
    artefact = opened(tmp_path, {"epoch": 9, "state_dict": state} | MASK_PLACES[place](masks))
    assert_applied(artefact, weights, masks)
    assert sum("masks under" in step for step in artefact.layout) in (1, 2)
    assert any("mask and weights disagree" in warning for warning in artefact.warnings)


def test_masks_beside_bare_weights(tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor]) -> None:
    assert_applied(opened(tmp_path, weights | {"masks": masks}), weights, masks)


@pytest.mark.parametrize("leaf", ["keep", "weight_keep", "pruning_mask", "connectivity", "mask"])
def test_masks_among_the_weights_are_not_counted_as_parameters(
    tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor], leaf: str
) -> None:
    beside = {name.replace("weight", leaf): kept.float() for name, kept in masks.items()}
    assert_applied(opened(tmp_path, weights | beside), weights, masks)
    about = describe(tmp_path / "file.pt")  # of an unknown architecture
    assert about.has_mask and about.parameters == sum(p.numel() for p in weights.values()) - 2 * 6 - 1
    assert about.sparsity_prunable == pytest.approx(1 - sum(map(_kept, masks.values())) / _size(masks))


MASKED = """
import torch
from torch import nn

class Masked(nn.Conv2d):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("{leaf}", torch.ones_like(self.weight))

    def forward(self, x):
        return nn.functional.conv2d(x, self.weight * self.{leaf}, self.bias)

def net(num_classes=4):
    return nn.Sequential(Masked(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, num_classes))
"""


@pytest.mark.parametrize("leaf", ["mask", "connectivity"])
def test_a_network_may_have_its_masks_too(tmp_path: Path, leaf: str) -> None:
    (tmp_path / f"{leaf}_net.py").write_text(MASKED.format(leaf=leaf))
    spec = f"{tmp_path / f'{leaf}_net.py'}:net"
    network = resolve(spec).build()
    kept = network[0].weight.detach() > 0
    getattr(network[0], leaf).copy_(kept)
    torch.save(network.state_dict(), tmp_path / "a.pt")
    loaded = load_classifier(tmp_path / "a.pt", arch=spec, mean=(0.0,), std=(1.0,))
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad(), loaded.prepared():
        assert torch.equal(loaded(images), network(images))
    assert loaded.mask is not None and torch.equal(loaded.mask["0.weight"], kept)
    assert loaded.sparsity.layers[0].sparsity == pytest.approx(1 - float(kept.float().mean()))


def _kept(mask: Tensor) -> int:
    return int(mask.sum())


def _size(masks: dict[str, Tensor]) -> int:
    return sum(mask.numel() for mask in masks.values())


def test_sparse_masks_are_found(tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor]) -> None:
    stored = {name: kept.float().to_sparse() for name, kept in masks.items()}
    assert_applied(opened(tmp_path, {"state_dict": weights, "keep": stored}), weights, masks)
    with pytest.raises(ArtefactError, match="looks like masks"):
        opened(tmp_path, {"state_dict": weights, "keep": {"layer_a": stored["0.weight"]}})
    for kept in (masks["0.weight"], masks["0.weight"].float()):
        assert torch.equal(Mask({"0.weight": kept.to_sparse()})["0.weight"], masks["0.weight"])


def test_masks_of_whole_channels_are_spread(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    kept = torch.tensor([1.0, 0, 1, 0, 1, 1]).view(6, 1, 1, 1)
    artefact = opened(tmp_path, {"state_dict": weights, "masks": {"0.weight": kept}})
    assert artefact.mask is not None and torch.equal(artefact.mask["0.weight"], kept.bool().expand(6, 3, 3, 3))


def test_masks_that_cannot_be_placed_are_refused(
    tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> None:
    twins = {name: torch.randn(4, 4) for name in ("a.weight", "b.weight", "c.weight")}
    one = torch.tensor([[1.0, 0, 0, 0]] * 4)
    with pytest.raises(ArtefactError, match=r"under 'mask' looks like masks, but .* which weights .*: 0 \(4, 4\); 1"):
        opened(tmp_path, {"state_dict": twins, "mask": [one, one]})
    assert opened(tmp_path, {"state_dict": twins, "mask": [one, one, one]}).mask is not None
    with pytest.raises(ArtefactError, match=r"under 'keep' looks like masks, .*: layer_a \(6, 3, 3, 3\)\."):
        opened(tmp_path, {"state_dict": weights, "keep": {"layer_a": masks["0.weight"]}})
    with pytest.raises(ArtefactError, match="looks like masks"):  # one vector for all weights
        opened(tmp_path, {"state_dict": weights, "mask": torch.ones(900)})
    with pytest.raises(ArtefactError, match=r"two different masks of 0\.weight, one of them under 'new_masks'"):
        opened(tmp_path, {"state_dict": weights, "masks": masks, "new_masks": {"0.weight": ~masks["0.weight"]}})
    with pytest.raises(ArtefactError, match=r"file\.pt holds masks without names"):
        opened(tmp_path, list(masks.values()))


def test_masks_of_removed_weights_are_refused(
    tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> None:
    pruned = weights | {name: weights[name] * kept for name, kept in masks.items()}
    inverted = {name: ~kept for name, kept in masks.items()}
    with pytest.raises(ArtefactError, match="1 where weights are removed"):
        opened(tmp_path, {"state_dict": pruned, "mask": inverted})
    assert opened(tmp_path, {"state_dict": pruned, "mask": masks}).warnings == ()


def test_what_is_no_mask_is_left_alone(tmp_path: Path, small_network: nn.Module, weights: dict[str, Tensor]) -> None:
    """An ordinary training checkpoint: optimizer, scaler, random numbers and counters give no word."""
    optimizer = torch.optim.SGD(small_network.parameters(), lr=0.1, momentum=0.9)
    small_network(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    for state in optimizer.state.values():
        state["momentum_buffer"].zero_()
    artefact = opened(
        tmp_path,
        {
            "epoch": 3,
            "state_dict": weights,
            "optimizer": optimizer.state_dict(),
            "schedulers": [{"last_epoch": 3, "_last_lr": [0.1]}],
            "amp_scaler": {"scale": torch.tensor(65536.0), "_growth_tracker": torch.tensor(0)},
            "rng": torch.get_rng_state(),
            "metrics": {"best": torch.tensor(1.0), "correct": torch.ones(4)},
            "args": {"mask_ratio": 0.75},
        },
    )
    assert artefact.mask is None and artefact.warnings == () and artefact.layout == ("nested under 'state_dict'",)


@pytest.mark.parametrize("key", ["ema", "weights", "params", "student", "best_state_dict", "swa"])
def test_a_file_of_one_state_dict_leaves_no_choice(tmp_path: Path, weights: dict[str, Tensor], key: str) -> None:
    artefact = opened(tmp_path, {"step": 3, key: weights})
    assert artefact.layout == (f"nested under {key!r}",) and list(artefact.tensors) == list(weights)


@pytest.mark.parametrize("other", ["model_ema", "state_dict_ema", "ema", "teacher", "best_state_dict", "swa"])
def test_two_sets_of_weights_must_be_chosen_from(tmp_path: Path, weights: dict[str, Tensor], other: str) -> None:
    averaged = {f"module.{name}": tensor * 2 for name, tensor in weights.items()}
    document = {"model": weights, other: averaged}
    with pytest.raises(ArtefactError) as caught:
        opened(tmp_path, document)
    count = len(weights)
    assert f"model ({count} tensors); {other} ({count} tensors)" in str(caught.value)
    assert f"--weights {other}" in str(caught.value)
    assert torch.equal(opened(tmp_path, document, other).tensors["0.weight"], weights["0.weight"] * 2)
    assert torch.equal(opened(tmp_path, document, "model").tensors["0.weight"], weights["0.weight"])
    with pytest.raises(MissingWeightsError, match=r"no weights under 'emma'. Weights in it: model \(11 tensors\); "):
        opened(tmp_path, document, "emma")
    nested = {"checkpoint": document}
    assert opened(tmp_path, nested, f"checkpoint.{other}").layout == (
        "nested under 'checkpoint'",
        f"nested under {other!r}",
        "'module.' removed from the names",
    )


def test_equal_weights_leave_no_choice_and_other_networks_get_a_word(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    assert opened(tmp_path, {"model": weights, "model_ema": {**weights}}).warnings == ()
    teacher = {"layer.weight": torch.randn(3, 3), "layer.bias": torch.randn(3)}
    artefact = opened(tmp_path, {"model": weights, "teacher": teacher})
    assert list(artefact.tensors) == list(weights)
    assert artefact.warnings == (
        "weights are those under 'model'; not used: teacher (2 tensors). Choose with --weights.",
    )
    with pytest.raises(ArtefactError, match="several sets of weights"):
        opened(tmp_path, {"student": weights, "teacher": teacher})


def test_what_may_have_been_meant_but_cannot_be_used_is_said(
    tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> None:
    document = {"state_dict": weights, "ema": {"shadow_params": [tensor * 2 for tensor in weights.values()]}}
    assert opened(tmp_path, document).warnings == (
        "'ema.shadow_params' holds tensors of the weights' shapes without names: not used.",
    )
    document = {"state_dict": weights, "mask": [kept.tolist() for kept in masks.values()]}
    assert opened(tmp_path, document).warnings == ("'mask' holds no tensors, as masks would be: not used.",)
    places = {"state_dict": weights, "kept": {name: kept.nonzero() for name, kept in masks.items()}}
    with pytest.raises(ArtefactError, match=r"state_dict \(11 tensors\); kept \(2 tensors\)"):
        opened(tmp_path, places)
    averages = {"state_dict": weights, "ema": {name: weights[name] * 2 for name in ("0.weight", "7.weight")}}
    with pytest.raises(ArtefactError, match="--weights ema"):
        opened(tmp_path, averages)


def test_each_network_has_its_own_masks(tmp_path: Path, weights: dict[str, Tensor], masks: dict[str, Tensor]) -> None:
    other = {name: ~kept for name, kept in masks.items()}
    twice = {name: tensor * 2 for name, tensor in weights.items()}
    document = {"a": {"weights": weights, "masks": masks}, "b": {"weights": twice, "masks": other}}
    assert_applied(opened(tmp_path, document, "a.weights"), weights, masks)
    assert_applied(opened(tmp_path, document, "b.weights"), twice, other)


def test_weights_may_be_chosen_by_what_their_names_begin_with(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    state = {f"student.{name}": tensor for name, tensor in weights.items()}
    state |= {f"teacher.{name}": tensor * 2 for name, tensor in weights.items()}
    for document, key in (({"state_dict": state}, "state_dict.teacher"), (state, "teacher")):
        assert torch.equal(opened(tmp_path, document, key).tensors["0.weight"], weights["0.weight"] * 2)


def test_our_own_checkpoint_holds_what_it_says(tmp_path: Path, small_network: nn.Module) -> None:
    training = {"optimizer": {"buf.weight": torch.rand(2, 2)}, "ones": {"0.weight": torch.zeros(6, 3, 3, 3)}}
    save_checkpoint(tmp_path / "a.pt", Classifier(small_network), architecture="mine:net", training=training)
    artefact = open_artefact(tmp_path / "a.pt")
    assert artefact.mask is None and artefact.layout == () and artefact.warnings == ()


def test_loading_chooses_too(tmp_path: Path, small_classifier: Classifier, weights: dict[str, Tensor]) -> None:
    document = {"model": weights, "ema": {name: tensor * 2 for name, tensor in weights.items()}}
    torch.save(document, tmp_path / "file.pt")
    loaded = load_classifier(tmp_path / "file.pt", dense=small_classifier, weights="ema")
    assert torch.equal(loaded.module.state_dict()["0.weight"], weights["0.weight"] * 2)
