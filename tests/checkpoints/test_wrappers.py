"""What wrappers, averages and trainers put before, into or beside a network's names."""

import copy
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from sparsescope.architectures import resolve
from sparsescope.checkpoints import MissingWeightsError, load_classifier
from sparsescope.errors import ArtefactError

Tensors = dict[str, Tensor]
LIGHTNING: dict[str, Any] = {"pytorch-lightning_version": "2.5", "epoch": 1, "callbacks": {}, "optimizer_states": []}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return resolve("digits_cnn").build()


def prefixed(prefix: str, state: Tensors) -> Tensors:
    return {prefix + name: tensor for name, tensor in state.items()}


def doubled(state: Tensors) -> Tensors:
    return {name: tensor * 2 for name, tensor in state.items()}


def loaded(tmp_path: Path, content: Any, weights: str | None = None) -> tuple[Tensors, tuple[str, ...]]:
    torch.save(content, tmp_path / "file.pt")
    classifier = load_classifier(tmp_path / "file.pt", arch="digits_cnn", weights=weights)
    return classifier.module.state_dict(), tuple(w for w in classifier.warnings if "normalization" not in w)


FILES: dict[str, Callable[[nn.Module], Any]] = {
    "AveragedModel": lambda net: AveragedModel(net).state_dict(),
    "DataParallel in AveragedModel": lambda net: AveragedModel(nn.DataParallel(net)).state_dict(),
    "AveragedModel in DataParallel": lambda net: nn.DataParallel(AveragedModel(net)).state_dict(),
    "FSDP": lambda net: prefixed("_fsdp_wrapped_module.", net.state_dict()),
    "FSDP and checkpoints": lambda net: {
        name.replace(".", "._fsdp_wrapped_module._checkpoint_wrapped_module.", 1): tensor
        for name, tensor in net.state_dict().items()
    },
    "Fabric": lambda net: {"model": prefixed("_forward_module.", net.state_dict())},
    "thop": lambda net: (
        prefixed("model.", net.state_dict()) | {"total_ops": torch.zeros(1), "model.head.total_params": torch.zeros(1)}
    ),
    "five attributes": lambda net: prefixed("a.b.c.d.e.", net.state_dict()),
    "model. and DataParallel": lambda net: prefixed("model.module.", net.state_dict()),
    "DataParallel inside": lambda net: prefixed(
        "model.", {name.replace("features.", "features.module."): t for name, t in net.state_dict().items()}
    ),
    "Lightning": lambda net: LIGHTNING | {"state_dict": prefixed("model.", net.state_dict())},
    "Lightning and a loss": lambda net: (
        LIGHTNING | {"state_dict": prefixed("net.", net.state_dict()) | {"loss.weight": torch.ones(10)}}
    ),
    "Lightning and torch.compile": lambda net: (
        LIGHTNING | {"state_dict": prefixed("model._orig_mod.", net.state_dict())}
    ),
    "a loss": lambda net: prefixed("model.", net.state_dict()) | {"loss.pos_weight": torch.ones(10)},
    "ema": lambda net: {"ema": {"module": net.state_dict()}, "updates": 3},
    "DeepSpeed": lambda net: {"module": net.state_dict(), "buffer_names": [], "ds_version": "0.1"},
    "a defaultdict": lambda net: {"model": net.state_dict(), "log": defaultdict(dict, {"loss": {"a": 0.3}})},
}


@pytest.mark.parametrize("kind", FILES)
def test_the_network_inside_is_found(tmp_path: Path, network: nn.Module, kind: str) -> None:
    found, warnings = loaded(tmp_path, FILES[kind](copy.deepcopy(network)))
    assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())
    assert warnings == ()


def test_matrices_beside_the_network_get_a_word(tmp_path: Path, network: nn.Module) -> None:
    state = prefixed("net.", network.state_dict()) | {"confusion.matrix": torch.zeros(10, 10)}
    for content in (LIGHTNING | {"state_dict": state}, state):
        found, warnings = loaded(tmp_path, content)
        assert torch.equal(found["head.weight"], network.state_dict()["head.weight"])
        assert warnings == ("what lies beside 'net.' left out: confusion.matrix",)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: LIGHTNING | {"state_dict": state}])
def test_one_of_several_networks_is_chosen(tmp_path: Path, network: nn.Module, wrap: Any) -> None:
    state = network.state_dict()
    both = prefixed("online_model.", state) | prefixed("ema_model.", doubled(state)) | {"step": torch.tensor(3)}
    with pytest.raises(ArtefactError, match=r"several networks of the same shapes: .* such as --weights online_model"):
        loaded(tmp_path, wrap(both))
    found, _ = loaded(tmp_path, wrap(both), "ema_model")
    assert torch.equal(found["head.weight"], state["head.weight"] * 2)
    with pytest.raises(MissingWeightsError, match="no weights under 'teacher'"):
        loaded(tmp_path, wrap(both), "teacher")


@pytest.mark.parametrize("ema", ["state_dict_ema", "model_ema", "ema_state_dict"])
def test_averages_beside_the_weights_are_for_the_user_to_choose(tmp_path: Path, network: nn.Module, ema: str) -> None:
    content = {"arch": "digits_cnn", "state_dict": network.state_dict(), ema: doubled(network.state_dict())}
    with pytest.raises(ArtefactError, match=f"several sets of weights.*--weights {ema}"):
        loaded(tmp_path, content)
    for key, factor in (("state_dict", 1), (ema, 2)):
        found, _ = loaded(tmp_path, content, key)
        assert torch.equal(found["head.weight"], network.state_dict()["head.weight"] * factor)


def test_flattened_parameters(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"flattened parameters of FSDP.*save a full state dict"):
        loaded(tmp_path, {"_flat_param": torch.rand(100), "head._flat_param": torch.rand(30)})


def test_a_part_of_a_network_is_never_dropped(tmp_path: Path, network: nn.Module) -> None:
    """What the network needs is missed also where most of its tensors are of one attribute."""
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("head")}
    with pytest.raises(ArtefactError, match=r"missing in the file: head\.weight"):
        loaded(tmp_path, state)
