"""What is in an artefact, also where it cannot be used."""

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from sparsescope.architectures import resolve
from sparsescope.checkpoints import describe, load_classifier, save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.mask import Mask, account, prunable_weights


@pytest.fixture
def sparse() -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = resolve("digits_cnn").build()
    mask = Mask({name: weight > 0 for name, weight in prunable_weights(module).items()}, method="omp")
    mask.apply(module)
    return Classifier(module, (0.1,), (0.2,), mask=mask)


def test_our_checkpoint(tmp_path: Path, sparse: Classifier) -> None:
    history = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "details": {}}]
    save_checkpoint(tmp_path / "a.pt", sparse, architecture="digits_cnn", history=history)
    about = describe(tmp_path / "a.pt")
    assert (about.kind, about.format, about.architecture) == ("sparsescope checkpoint", "torch", "digits_cnn")
    assert about.has_mask and (about.mean, about.std) == ((0.1,), (0.2,))
    assert about.history == "2 entries, last: epoch 2, loss 0.25" and about.warnings == ()
    sparsity = load_classifier(tmp_path / "a.pt").sparsity
    assert (about.sparsity_prunable, about.sparsity_total) == (sparsity.prunable, sparsity.total)
    assert (about.parameters, about.nonzero, about.layers) == (sparsity.parameters, sparsity.nonzero, sparsity.layers)


def test_by_names_and_shapes_alone_it_counts_what_the_network_would(tmp_path: Path, sparse: Classifier) -> None:
    # Another name for the head makes the architecture unknown and leaves every number as it is.
    tensors = {name.replace("head", "output"): tensor for name, tensor in sparse.module.state_dict().items()}
    torch.save(tensors, tmp_path / "a.pt")
    about, expected = describe(tmp_path / "a.pt"), account(sparse.module)
    assert about.architecture is None and about.mean is None and not about.has_mask
    assert about.sparsity_prunable == pytest.approx(expected.prunable) and expected.prunable > 0.4
    assert about.sparsity_total == pytest.approx(expected.total)
    assert (about.parameters, about.nonzero, about.layers) == (expected.parameters, expected.nonzero, expected.layers)
    assert "digits_cnn" in about.warnings[0] and "no built-in or torchvision architecture" in about.warnings[0]


def test_partial_masks_of_unknown_networks(tmp_path: Path) -> None:
    torch.save(
        {
            "a.weight_orig": torch.ones(2, 2) * 3,
            "a.weight_mask": torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
            "b.weight": torch.tensor([[2.0, 0.0]]),
            "head.weight": torch.full((2, 1), 2.0),
        },
        tmp_path / "a.pt",
    )
    about = describe(tmp_path / "a.pt")
    # By the mask: 3 of the 4 + 2 prunable weights; the zero of b is kept, as the mask does not speak of it.
    assert about.sparsity_prunable == pytest.approx(3 / 6) and about.sparsity_total == pytest.approx(3 / 8)
    assert [(layer.name, layer.sparsity) for layer in about.layers] == [("a.weight", 0.75), ("b.weight", 0.0)]


def test_mask_file(tmp_path: Path) -> None:
    Mask({"a.weight": torch.tensor([[1, 0], [0, 0]]), "b.weight": torch.tensor([1, 1])}).save(
        tmp_path / "m.safetensors"
    )
    about = describe(tmp_path / "m.safetensors")
    assert (about.kind, about.format, about.architecture) == ("mask", "safetensors", None)
    assert (about.parameters, about.nonzero, about.tensors) == (6, 3, 2)
    assert about.sparsity_prunable == pytest.approx(0.5) and about.sparsity_total is None
    assert [(layer.name, layer.shape, layer.sparsity) for layer in about.layers] == [
        ("a.weight", (2, 2), 0.75),
        ("b.weight", (2,), 0.0),
    ]


def test_a_network_with_nan_is_described_with_a_warning(tmp_path: Path, sparse: Classifier) -> None:
    tensors = copy.deepcopy(sparse.module.state_dict())
    tensors["features.3.weight"][0, 0, 0, 0] = float("nan")
    torch.save(tensors, tmp_path / "a.pt")
    about = describe(tmp_path / "a.pt")
    assert about.architecture == "digits_cnn" and about.warnings[0].startswith(
        "features.3.weight: 1 NaN and 0 infinite"
    )


def test_quantised_weights_are_described_with_a_warning(tmp_path: Path, sparse: Classifier) -> None:
    tensors = copy.deepcopy(sparse.module.state_dict())
    tensors["features.3.weight"] = tensors["features.3.weight"].to(torch.int8) + 3
    torch.save(tensors, tmp_path / "a.pt")
    assert (
        "features.3.weight: expected real floating-point values, but got int8"
        in describe(tmp_path / "a.pt").warnings[0]
    )


def test_code_that_a_file_names_is_named_but_not_run(tmp_path: Path, sparse: Classifier) -> None:
    save_checkpoint(tmp_path / "a.pt", sparse, architecture="mine.py:net")
    about = describe(tmp_path / "a.pt")
    assert about.architecture == "mine.py:net" and "not run unasked" in about.warnings[0]


def test_an_architecture_asked_for_must_fit(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "a.pt")
    with pytest.raises(ArtefactError, match="does not fit the architecture digits_cnn"):
        describe(tmp_path / "a.pt", arch="digits_cnn")


def test_json(tmp_path: Path, sparse: Classifier) -> None:
    save_checkpoint(tmp_path / "a.pt", sparse, architecture="digits_cnn", history={"method": "omp"})
    document = describe(tmp_path / "a.pt").as_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["layers"][0] == {
        "name": "features.0.weight",
        "shape": [16, 1, 3, 3],
        "sparsity": document["layers"][0]["sparsity"],
    }
    assert document["history"] == "method omp"
