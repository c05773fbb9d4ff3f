"""What is seen inside a network while it answers."""

import pytest
import torch
from torch import Tensor, nn

from sparsescope.evaluation.checks.trace import squashed, trace


class Standardized(nn.Conv2d):
    """Weight standardization, as it is written by hand."""

    def forward(self, images: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(images, weight, self.bias)


class Gated(nn.Module):
    """A gate on the way, two heads of which one squashes, and a layer that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.spare = nn.Linear(12, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        values = self.first(images.flatten(1))
        return self.second(values * values.sigmoid()), self.second(values).sigmoid_()


def test_kernels_that_are_no_parameters_are_seen() -> None:
    own, plain = nn.Sequential(Standardized(3, 8, 3), nn.Conv2d(8, 8, 3)), nn.Sequential(nn.Conv2d(3, 8, 3))
    assert trace(own, torch.rand(2, 3, 8, 8)).kernels == {"0": (0, 216)}
    assert trace(plain, torch.rand(2, 3, 8, 8)).kernels == {}


@pytest.mark.parametrize("scripted", [False, True])
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_the_last_step_of_each_part_of_the_answer(scripted: bool) -> None:
    seen = squashed(torch.jit.script(Gated()) if scripted else Gated(), torch.rand(2, 3, 2, 2))
    scores, sigmoids = seen.answer
    assert seen.last_step(scores) is None
    assert seen.last_step(sigmoids) == seen.last_step(sigmoids[:, 1:, None, None]) == "sigmoid"
    assert seen.last_step(sigmoids * 2) is None and seen.last_step(torch.ones(2, 4)) is None


@pytest.mark.parametrize("scripted", [False, True])
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_weights_without_a_part_in_the_answer(scripted: bool) -> None:
    module = Gated().requires_grad_(False)
    seen = trace(torch.jit.script(module) if scripted else module, torch.rand(2, 3, 2, 2))
    assert seen.unused == ("spare.weight", "spare.bias")
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_nothing_is_known_of_the_weights_where_nothing_is_differentiable() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    module.register_forward_hook(lambda *args: args[-1].detach())
    assert trace(module, torch.rand(2, 3, 2, 2)).unused == ()
