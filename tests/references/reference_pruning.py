"""Literal, slow rewrites of pruning papers: one weight at a time where that is feasible."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def keep_top(scores: dict[str, Tensor], kept: int) -> dict[str, Tensor]:
    """The `kept` highest scores over all layers; of equal ones those that come later in the network."""
    entries = [
        (float(value), place, name)
        for name, score in scores.items()
        for place, value in enumerate(score.flatten().tolist())
    ]
    order = sorted(range(len(entries)), key=lambda i: (entries[i][0], i))
    masks = {name: torch.zeros(score.numel(), dtype=torch.bool) for name, score in scores.items()}
    for i in order[len(order) - kept :] if kept else []:
        _, place, name = entries[i]
        masks[name][place] = True
    return {name: masks[name].view(score.shape) for name, score in scores.items()}


def prunable(network: nn.Module) -> list[str]:
    """Names of all convolution and linear weights without the last one."""
    names = [f"{name}.weight" for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return names[:-1]


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Lee et al. 2019: |dL/dc| at c = 1 with every weight replaced by c * w, in training mode."""
    network = copy.deepcopy(network).train()
    weights = dict(network.named_parameters())
    factors = {name: torch.ones_like(weights[name], requires_grad=True) for name in prunable(network)}
    state = {**weights, **{name: factors[name] * weights[name].detach() for name in factors}}
    logits = torch.func.functional_call(network, state, (images,))
    functional.cross_entropy(logits, labels).backward()
    return {name: factor.grad.abs() for name, factor in factors.items()}


def grasp(
    network: nn.Module, images: Tensor, labels: Tensor, temperature: float = 200.0, head: bool = True
) -> dict[str, Tensor]:
    """Wang et al. 2020, algorithm 2: -theta * Hg, with H by a full row of double differentiation per weight."""
    network = copy.deepcopy(network).train()
    weights = dict(network.named_parameters())
    last = [f"{n}.weight" for n, m in network.named_modules() if isinstance(m, nn.Linear)][-1]
    names = [*prunable(network), *([last] if head else [])]
    loss = functional.cross_entropy(network(images) / temperature, labels)
    gradients = torch.autograd.grad(loss, [weights[name] for name in names], create_graph=True)
    fixed = torch.cat([gradient.detach().flatten() for gradient in gradients])
    moving = torch.cat([gradient.flatten() for gradient in gradients])
    product = torch.zeros_like(fixed)
    for j in range(len(moving)):  # H g = sum over j of g_j times row j of H
        row = torch.autograd.grad(moving[j], [weights[name] for name in names], retain_graph=True)
        product += fixed[j] * torch.cat([part.flatten() for part in row])
    pieces = torch.split(product, [weights[name].numel() for name in names])
    return {
        name: -weights[name].detach() * piece.view(weights[name].shape)
        for name, piece in zip(names, pieces, strict=True)
        if name in prunable(network)
    }


def synflow(network: nn.Module, shape: tuple[int, ...], sparsity: float, steps: int = 100) -> dict[str, Tensor]:
    """Tanaka et al. 2020, algorithm 1, in float64."""
    network = copy.deepcopy(network).eval().double()
    names = prunable(network)
    masks = {name: torch.ones_like(dict(network.named_parameters())[name]) for name in names}
    total = sum(mask.numel() for mask in masks.values())
    for tensor in network.state_dict().values():
        tensor.abs_()
    original = copy.deepcopy(network.state_dict())
    for k in range(1, steps + 1):
        for name in names:
            network.state_dict()[name].copy_(original[name] * masks[name])
        network.zero_grad()
        network(torch.ones(1, *shape, dtype=torch.float64)).sum().backward()
        weights = dict(network.named_parameters())
        scores = {name: (weights[name].grad * weights[name].detach()).abs() for name in names}
        for name in names:  # what is removed stays removed, also beside weights without any flow
            scores[name][masks[name] == 0] = -1
        density = (1 - sparsity) ** (k / steps)
        kept = keep_top(scores, total - round((1 - density) * total))
        masks = {name: mask.double() for name, mask in kept.items()}
    return {name: mask.bool() for name, mask in masks.items()}


def erk_densities(shapes: list[tuple[int, ...]], sparsity: float) -> list[float]:
    """Evci et al. 2020 as in the authors' loop: make the layers of the largest density dense until none exceeds 1."""
    dense: set[int] = set()
    while True:
        divisor = right = 0.0
        raw = {}
        for layer, shape in enumerate(shapes):
            size = math.prod(shape)
            if layer in dense:
                right -= sparsity * size
            else:
                right += (1 - sparsity) * size
                raw[layer] = sum(shape) / size
                divisor += raw[layer] * size
        epsilon = right / divisor
        largest = max(raw.values())
        if largest * epsilon <= 1:
            return [1.0 if layer in dense else epsilon * raw[layer] for layer in range(len(shapes))]
        dense |= {layer for layer, value in raw.items() if value == largest}


def n_m(weight: Tensor, n: int, m: int) -> Tensor:
    """Of every m consecutive inputs the n largest, one group at a time."""
    kept = torch.zeros_like(weight, dtype=torch.bool)
    flat = weight.reshape(weight.shape[0], weight.shape[1], -1)
    out = kept.view(flat.shape)
    for o in range(flat.shape[0]):
        for place in range(flat.shape[2]):
            for start in range(0, flat.shape[1], m):
                group = flat[o, start : start + m, place].abs().tolist()
                for i in sorted(range(m), key=lambda i: group[i])[m - n :]:
                    out[o, start + i, place] = True
    return kept


def rigl_update(
    weight: list[float], gradient: list[float], mask: list[bool], fraction: float
) -> tuple[list[float], list[bool]]:
    """Evci et al. 2020, one layer, one update: weights and mask afterwards."""
    active = [i for i in range(len(weight)) if mask[i]]
    count = int(fraction * len(active))
    dropped = sorted(active, key=lambda i: abs(weight[i]))[:count]
    left = [i for i in active if i not in dropped]
    grown = sorted((i for i in range(len(weight)) if i not in left), key=lambda i: -abs(gradient[i]))[:count]
    new = [i in left or i in grown for i in range(len(weight))]
    return [weight[i] if new[i] and mask[i] else 0.0 for i in range(len(weight))], new


def lamp(weight: Tensor) -> Tensor:
    """Lee et al. 2021, equation 4, one weight after the other: w^2 over the sum of all squares at least as large."""
    squares = [value**2 for value in weight.flatten().tolist()]
    scores = [square / sum(other for other in squares if other >= square) for square in squares]
    return torch.tensor(scores, dtype=torch.float64).view(weight.shape)
