"""What SNIP and GraSP cannot differentiate or normalize is put right or refused in words: attention, single images."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import sparsescope as ss
from sparsescope.errors import InputError
from sparsescope.pruning import score

Batches = list[tuple[Tensor, Tensor]]


class Attention(nn.Module):
    """One block of attention over the rows of an image; `by_hand` without torch's fused function."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.by_hand = by_hand
        self.qkv, self.out, self.head = nn.Linear(18, 24), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x.transpose(1, 2).flatten(2)).unflatten(2, (3, 8)).unbind(2)
        mixed = (
            (q @ k.mT / 8**0.5).softmax(-1) @ v
            if self.by_hand
            else functional.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        )
        return self.head(functional.gelu(self.out(mixed)).mean(1))


def test_grasp_differentiates_attention_twice(make_batches: Callable[..., Batches]) -> None:
    fused = Attention(by_hand=False)
    by_hand = copy.deepcopy(fused)
    by_hand.by_hand = True
    batches = make_batches(dtype=torch.float32)
    expected = score("grasp", by_hand, batches)
    for name, values in score("grasp", fused, batches).items():
        torch.testing.assert_close(values, expected[name], rtol=1e-3, atol=1e-4 * float(values.abs().max()))
    layer = nn.TransformerEncoderLayer(18, 2, 16, batch_first=True)
    network = nn.Sequential(nn.Flatten(2), nn.Linear(36, 18), layer, nn.Flatten(), nn.Linear(54, 4))
    assert ss.prune("grasp", network, batches, 0.5).sparsity == pytest.approx(0.5, abs=1e-3)


class _Twice(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise RuntimeError("derivative for aten::twice_backward is not implemented")
        return gradient * 2


class Kernel(nn.Module):
    """A kernel of one's own, without second derivative."""

    def forward(self, x: Tensor) -> Tensor:
        return _Twice.apply(x)  # type: ignore[no-any-return]


def test_what_has_no_second_derivative_is_refused_by_grasp_alone(
    tiny: nn.Module, make_batches: Callable[..., Batches]
) -> None:
    network = nn.Sequential(tiny[:3], Kernel(), tiny[3:])
    for model in (network, ss.Classifier(network, name="mine")):
        with pytest.raises(
            InputError, match=r"GraSP differentiates twice, but .*twice_backward.*\. Choose another method"
        ):
            ss.prune("grasp", model, make_batches(), 0.5)
    ss.prune("snip", network, make_batches(), 0.5)


def flat_norm(classes: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(108, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, classes)
    ).double()


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_a_last_batch_of_one_image_joins_the_one_before(make_batches: Callable[..., Batches], method: str) -> None:
    network = flat_norm()
    ((images, labels),) = make_batches(n=9)
    parts = list(zip(images.split([4, 4, 1]), labels.split([4, 4, 1]), strict=True))
    joined = list(zip(images.split([4, 5]), labels.split([4, 5]), strict=True))
    expected = score(method, network, joined)
    assert all(torch.equal(values, expected[name]) for name, values in score(method, network, parts).items())
    assert all(torch.equal(values, expected[name]) for name, values in score(method, network, iter(parts)).items())


@pytest.mark.parametrize("method", ["snip", "grasp"])
@pytest.mark.parametrize("sizes", [[1], [1, 4]])
def test_other_single_images_have_no_statistics(
    make_batches: Callable[..., Batches], method: str, sizes: list[int]
) -> None:
    ((images, labels),) = make_batches(n=sum(sizes))
    batches = list(zip(images.split(sizes), labels.split(sizes), strict=True))
    text = r"Expected more than 1 value per channel.* Give batches of at least 2 images, or batch_norm='running'"
    with pytest.raises(InputError, match=text):
        ss.prune(method, flat_norm(), batches, 0.5)
    ss.prune(method, flat_norm(), batches, 0.9, batch_norm="running")


def test_errors_of_the_network_become_ours(make_batches: Callable[..., Batches]) -> None:
    class Sized(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[-1] == 7, "wrong size"
            return super().forward(x.flatten(1))

    with pytest.raises(InputError, match=r"The network cannot take images of shape \(8, 3, 6, 6\) .*: wrong size"):
        ss.prune("snip", nn.Sequential(Sized(108, 8), nn.Linear(8, 4)), make_batches(dtype=torch.float32), 0.5)
