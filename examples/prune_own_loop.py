"""Prune your own network in your own PyTorch loop, with a fixed mask and with RigL. Nothing else here is ours.

python examples/prune_own_loop.py
"""

import copy

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import sparsescope as ss
from sparsescope.pruning import RigL

SPARSITY, EPOCHS, BATCH = 0.9, 8, 64


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 10)),
    )


def batches(images: torch.Tensor, labels: torch.Tensor, epoch: int):
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(epoch))
    for rows in order.split(BATCH):
        yield images[rows], labels[rows]


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model.eval()(images).argmax(1) == labels).float().mean())


def train_masked(model: nn.Module, mask: ss.Mask, images: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.train()
    for epoch in range(EPOCHS):
        for x, y in batches(images, labels, epoch):
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            mask.apply(model)  # the one line that keeps removed weights at zero


def train_rigl(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> ss.Mask:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    rigl = RigL(model, optimizer, SPARSITY, total_steps=EPOCHS * -(-len(images) // BATCH), every=20)  # line 1
    model.train()
    for epoch in range(EPOCHS):
        for x, y in batches(images, labels, epoch):
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            rigl.step()  # line 2, instead of optimizer.step()
    return rigl.mask  # line 3


def main() -> None:
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    train, test = (images[:1400], labels[:1400]), (images[1400:], labels[1400:])

    initial = network()
    batch = [next(batches(*train, epoch=0))]
    results = {}
    for method in ("random", "snip"):  # pruned before training
        model = copy.deepcopy(initial)
        mask = ss.prune(method, model, batch, sparsity=SPARSITY)
        mask.apply(model)
        train_masked(model, mask, *train)
        results[method] = (accuracy(model, *test), mask, model)
    model = copy.deepcopy(initial)
    mask = train_rigl(model, *train)
    results["rigl"] = (accuracy(model, *test), mask, model)

    for name, (value, mask, model) in results.items():
        print(f"{name:8} {100 * mask.sparsity:.1f} % sparse, accuracy {100 * value:.1f} %")
        zeros = sum(int((weight == 0).sum()) for n, weight in model.named_parameters() if n in mask)
        assert zeros >= sum(int((~kept).sum()) for kept in mask.values())
        assert abs(mask.sparsity - SPARSITY) < 1e-3 and value > 0.7


if __name__ == "__main__":
    main()
