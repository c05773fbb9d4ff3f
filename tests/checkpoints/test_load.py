"""From a path to a classifier: architecture, normalisation, masks, and every text that a user may get to see."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import prune

from sparsescope.architectures import resolve
from sparsescope.checkpoints import load_classifier, save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, OptionError
from sparsescope.mask import Mask, prunable_weights

USER_FILE = """
from torch import nn

def net(num_classes=4):
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(6, num_classes))
"""


@pytest.fixture
def module() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return resolve("digits_cnn").build(num_classes=6)


@pytest.fixture
def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.fixture
def half_mask(module: nn.Module) -> Mask:
    return Mask({name: weight > 0 for name, weight in prunable_weights(module).items()})


def written(tmp_path: Path, value: Any, name: str = "model.pt") -> Path:
    torch.save(value, tmp_path / name)
    return tmp_path / name


def frozen(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_a_plain_state_dict(tmp_path: Path, module: nn.Module, weights: dict[str, Tensor]) -> None:
    path = written(tmp_path, weights)
    before = torch.get_rng_state()
    classifier = load_classifier(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert classifier.origin.architecture == "digits_cnn" and classifier.origin.path == str(path)
    assert classifier.origin.sha256 is not None and len(classifier.origin.sha256) == 64
    assert classifier.name == "model" and classifier.output == "logits"
    images = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        expected = module.eval()((images - 0.305) / 0.324)
        with classifier.prepared():
            assert torch.allclose(classifier(images), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["safetensors", "npz"])
def test_other_formats_give_the_same_weights(tmp_path: Path, weights: dict[str, Tensor], kind: str) -> None:
    path = tmp_path / f"model.{kind}"
    if kind == "npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in weights.items()})
    else:
        save_file(weights, path)
    for name, tensor in load_classifier(path).module.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_missing_counters_are_fine(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = written(tmp_path, {n: t for n, t in weights.items() if not n.endswith("num_batches_tracked")})
    assert load_classifier(path).origin.architecture == "digits_cnn"


def test_the_users_architecture(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USER_FILE)
    spec = f"{tmp_path / 'mine.py'}:net"
    path = written(tmp_path, resolve(spec).build(num_classes=9).state_dict())
    classifier = load_classifier(path, arch=spec, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), output=0, name="mine")
    assert classifier.module[4].weight.shape == (9, 6) and classifier.warnings == ()
    assert (classifier.output, classifier.name, classifier.origin.architecture) == (0, "mine", spec)
    (warning,) = load_classifier(path, arch=spec).warnings
    assert (
        warning.startswith("normalization not stored in the file, and none is known for ") and "--mean/--std" in warning
    )


def test_normalisation_by_rank(tmp_path: Path, weights: dict[str, Tensor], half_mask: Mask) -> None:
    plain = written(tmp_path, weights)
    from_architecture = load_classifier(plain)
    assert tuple(from_architecture.mean) == (0.305,)
    guess, *others = from_architecture.warnings
    assert guess.startswith("architecture is a guess from names and shapes: digits_cnn. They do not tell strides, ")
    assert from_architecture.origin.guessed and from_architecture.origin.normalization == "digits_cnn, assumed"
    assert others == [
        "normalization not stored in the file: using digits_cnn's mean (0.305) and std (0.324); give --mean/--std if "
        "it was trained otherwise",
    ]
    own = copy.deepcopy(from_architecture)
    own.mean, own.std = (0.1,), (0.2,)
    save_checkpoint(tmp_path / "own.pt", own, architecture="digits_cnn")
    dense = load_classifier(tmp_path / "own.pt")
    assert (tuple(dense.mean), dense.warnings, dense.origin.guessed) == ((0.1,), (), False)
    explicit = load_classifier(tmp_path / "own.pt", mean=[0.6], std=[0.7])
    assert (tuple(explicit.mean), tuple(explicit.std), explicit.warnings) == ((0.6,), (0.7,), ())
    half_mask.apply(own.module)
    candidate = load_classifier(written(tmp_path, own.module.state_dict(), "sparse.pt"), dense=dense)
    assert tuple(candidate.mean) == (0.1,) and "the dense network own's mean (0.1)" in candidate.warnings[0]
    named = load_classifier(tmp_path / "sparse.pt", dense=dense, arch="digits_cnn")
    assert tuple(named.mean) == (0.1,)
    half_mask.save(tmp_path / "mask.safetensors")
    masked = load_classifier(tmp_path / "mask.safetensors", dense=dense)
    assert (tuple(masked.mean), masked.warnings) == ((0.1,), ())


def test_an_architectures_normalisation_needs_its_channels(tmp_path: Path) -> None:
    path = written(tmp_path, resolve("resnet20s").build(in_channels=1).state_dict())
    classifier = load_classifier(path)
    assert (
        tuple(classifier.mean) == (0.0,) and "none is known for resnet20s with these channels" in classifier.warnings[1]
    )


def test_mean_without_std(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="Expected --mean and --std together"):
        load_classifier(tmp_path / "any.pt", mean=(0.5,))


def test_torch_prune_and_zeros_in_place_agree(tmp_path: Path, module: nn.Module, half_mask: Mask) -> None:
    pruned = copy.deepcopy(module)
    for name, kept in half_mask.items():
        layer = pruned.get_submodule(name.removesuffix(".weight"))
        prune.custom_from_mask(layer, "weight", kept)
    by_pair = load_classifier(written(tmp_path, pruned.state_dict(), "pair.pt"))
    half_mask.apply(module)
    by_zeros = load_classifier(written(tmp_path, module.state_dict(), "zeros.pt"))
    assert by_pair.sparsity == by_zeros.sparsity
    assert by_pair.sparsity.prunable == pytest.approx(half_mask.sparsity)
    for name, tensor in by_pair.module.state_dict().items():
        assert torch.equal(tensor, by_zeros.module.state_dict()[name])


def test_a_mask_alone_is_applied_to_a_copy_of_the_dense_network(
    tmp_path: Path, module: nn.Module, half_mask: Mask
) -> None:
    half_mask.save(tmp_path / "mask.safetensors")
    calls: list[int] = []
    module.register_forward_hook(lambda *_: calls.append(1))
    next(module.parameters()).grad = torch.ones_like(next(module.parameters()))
    before = frozen(module)
    dense = Classifier(module, (0.3,), (0.4,), output="logits", name="dense")
    candidate = load_classifier(tmp_path / "mask.safetensors", dense=dense)
    assert candidate.module is not module and next(candidate.module.parameters()).grad is None
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert candidate.sparsity.prunable == pytest.approx(half_mask.sparsity) and candidate.warnings == ()
    for name, kept in half_mask.items():
        expected = torch.where(kept, before[name], torch.zeros(()))
        assert torch.equal(candidate.module.state_dict()[name], expected)


def test_dense_may_be_a_path(tmp_path: Path, weights: dict[str, Tensor], half_mask: Mask) -> None:
    half_mask.save(tmp_path / "mask.safetensors")
    candidate = load_classifier(tmp_path / "mask.safetensors", dense=written(tmp_path, weights))
    assert candidate.origin.architecture == "digits_cnn" and candidate.sparsity.prunable > 0.4


def test_a_mask_alone_without_a_dense_network(tmp_path: Path, half_mask: Mask) -> None:
    half_mask.save(tmp_path / "mask.safetensors")
    with pytest.raises(ArtefactError, match=r"mask\.safetensors is a mask.*sparsescope evaluate DENSE MASK"):
        load_classifier(tmp_path / "mask.safetensors")


def test_a_mask_that_does_not_fit(tmp_path: Path, small_classifier: Classifier, half_mask: Mask) -> None:
    half_mask.save(tmp_path / "mask.safetensors")
    with pytest.raises(ArtefactError, match=r"mask\.safetensors: The mask does not fit .*\(4 of 4 tensors\)") as caught:
        load_classifier(tmp_path / "mask.safetensors", dense=small_classifier)
    assert "features.0.weight: the network has no such parameter" in str(caught.value)


def test_a_candidate_takes_the_dense_networks_architecture(
    tmp_path: Path, small_classifier: Classifier, small_network: nn.Module
) -> None:
    pruned = copy.deepcopy(small_network)
    Mask({name: weight > 0 for name, weight in prunable_weights(pruned).items()}).apply(pruned)
    before = frozen(small_network)
    candidate = load_classifier(written(tmp_path, pruned.state_dict()), dense=small_classifier)
    assert candidate.module is not small_network
    for name, tensor in candidate.module.state_dict().items():
        assert torch.equal(tensor, pruned.state_dict()[name])
        assert torch.equal(small_network.state_dict()[name], before[name])
    with pytest.raises(ArtefactError, match="no built-in or torchvision architecture"):
        load_classifier(tmp_path / "model.pt")


def test_a_candidate_of_another_shape_than_the_dense_network(tmp_path: Path, small_classifier: Classifier) -> None:
    tensors = frozen(small_classifier.module) | {"7.weight": torch.randn(4, 9)}
    with pytest.raises(ArtefactError) as caught:
        load_classifier(written(tmp_path, tensors), dense=small_classifier)
    assert "It does not fit the dense network small either" in str(caught.value)
    assert "7.weight: file (4, 9), network (4, 8)" in str(caught.value)


def test_a_dense_file_that_looks_dense_is_no_news_but_a_candidate_is(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    path = written(tmp_path, weights)
    dense = load_classifier(path)
    assert not any("looks dense" in warning for warning in dense.warnings)
    (warning,) = [warning for warning in load_classifier(path, dense=dense).warnings if "looks dense" in warning]
    assert warning.startswith("looks dense: only 0.00% of the prunable weights are removed. Was the mask applied")


def test_one_per_cent_of_zeros_is_enough(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    dense = load_classifier(written(tmp_path, weights))
    total = sum(layer.shape[0] * layer.shape[1] * 9 for layer in dense.sparsity.layers)
    for share, expected in ((0.009, True), (0.011, False)):
        tensors = {name: tensor.clone() for name, tensor in weights.items()}
        tensors["features.9.weight"].flatten()[: round(share * total)] = 0
        warnings = load_classifier(written(tmp_path, tensors, "sparse.pt"), dense=dense).warnings
        assert any("looks dense" in warning for warning in warnings) is expected


def test_layer_collapse(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    weights["features.3.weight"].zero_()
    weights["head.weight"].zero_()
    (warning,) = [w for w in load_classifier(written(tmp_path, weights)).warnings if "collapse" in w]
    assert warning.startswith("layer collapse: every weight of features.3.weight, head.weight is zero")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_are_converted(tmp_path: Path, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
    half = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    classifier = load_classifier(written(tmp_path, half))
    assert {p.dtype for p in classifier.module.parameters()} == {torch.float32}
    kind = str(dtype).removeprefix("torch.")
    assert classifier.warnings[0].startswith(f"weights are stored as {kind}: converted to float32")


@pytest.mark.parametrize("name", ["features.3.weight", "features.4.running_var"])
def test_nan_and_infinity(tmp_path: Path, weights: dict[str, Tensor], name: str) -> None:
    weights[name].flatten()[:3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    count = weights[name].numel()
    with pytest.raises(ArtefactError, match=rf"model\.pt: {name}: 1 NaN and 2 infinite values of {count}\."):
        load_classifier(written(tmp_path, weights))
    weights["head.bias"][0] = float("nan")
    with pytest.raises(ArtefactError, match=r"\(1 more tensors have such problems\.\)"):
        load_classifier(written(tmp_path, weights))


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.complex64, torch.bool])
def test_types_that_hold_no_real_weights(tmp_path: Path, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
    weights["features.3.weight"] = weights["features.3.weight"].to(dtype)
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(ArtefactError, match=rf"features\.3\.weight: expected real floating-point .* but got {kind}"):
        load_classifier(written(tmp_path, weights))


def test_missing_unexpected_and_reshaped_tensors(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    del weights["features.1.bias"]
    weights |= {"features.0.bias": torch.ones(16), "features.3.weight": torch.randn(32, 16, 5, 5)}
    with pytest.raises(ArtefactError) as caught:
        load_classifier(written(tmp_path, weights), arch="digits_cnn")
    text = str(caught.value)
    assert "model.pt does not fit the architecture digits_cnn:" in text
    assert "1 missing in the file: features.1.bias (16,)" in text
    assert "1 only in the file: features.0.bias (16,)" in text
    assert "1 of another shape: features.3.weight: file (32, 16, 5, 5), network (32, 16, 3, 3)" in text
    assert "--arch" in text


def test_output_is_the_dense_networks_unless_given(tmp_path: Path, module: nn.Module, half_mask: Mask) -> None:
    half_mask.save(tmp_path / "mask.safetensors")
    dense = Classifier(module, output="probabilities")
    assert load_classifier(tmp_path / "mask.safetensors", dense=dense).output == "probabilities"
    assert load_classifier(tmp_path / "mask.safetensors", dense=dense, output="logits").output == "logits"
