"""The plain PyTorch training loop, written out: what `sparsescope.training.train` must do to the bit.

Only where the images come from is shared: the order and the augmentation of an epoch are handed in.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn


def train_plainly(
    module: nn.Module,
    epochs: Sequence[Sequence[tuple[Tensor, Tensor]]],
    rates: Callable[[int], float],
    *,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
    removed: Mapping[str, Tensor],
    smoothing: float = 0.0,
) -> None:
    """Train on batches (normalised images, labels); rates gives the learning rate of a step counted from 0."""
    velocity: dict[str, Tensor] = {}
    step = 0
    module.train()
    for epoch in epochs:
        for images, labels in epoch:
            logs = module(images).log_softmax(1)
            right = logs[torch.arange(len(labels)), labels]  # with smoothing a, the target is (1 - a) y + a / K
            loss = -((1 - smoothing) * right + smoothing * logs.mean(1)).mean()
            module.zero_grad()
            loss.backward()
            for name, parameter in module.named_parameters():
                with torch.no_grad():
                    gradient = parameter.grad + weight_decay * parameter
                    velocity[name] = momentum * velocity[name] + gradient if name in velocity else gradient.clone()
                    direction = gradient + momentum * velocity[name] if nesterov else velocity[name]
                    parameter -= rates(step) * direction
                    if name in removed:
                        parameter[removed[name]] = 0.0
            step += 1
    module.eval()
