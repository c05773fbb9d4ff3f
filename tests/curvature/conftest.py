"""Networks small enough for their full Hessians."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from sparsescope.classifier import Classifier
from sparsescope.mask import Mask

MEAN, STD = (0.5, 0.4), (0.3, 0.2)


class Functional(nn.Module):
    """A network whose activation is a functional call, invisible in the module types."""

    def __init__(self, activation, width=6):
        super().__init__()
        self.first, self.second, self.activation = nn.Linear(18, width), nn.Linear(width, 4), activation

    def forward(self, images):
        return self.second(self.activation(self.first(images.flatten(1))))


class Tied(nn.Module):
    """A ReLU network that uses one weight twice in a row."""

    def __init__(self):
        super().__init__()
        self.first, self.shared, self.head = nn.Linear(18, 5), nn.Linear(5, 5), nn.Linear(5, 4)

    def forward(self, images):
        hidden = functional.relu(self.first(images.flatten(1)))
        return self.head(functional.relu(self.shared(functional.relu(self.shared(hidden)))))


def convolutional(activation):
    network = nn.Sequential(
        nn.Conv2d(2, 3, 2),
        nn.BatchNorm2d(3),
        activation,
        nn.Conv2d(3, 3, 1),
        activation,
        nn.Flatten(),
        nn.Linear(12, 4),
    )
    network[1].running_mean.uniform_(-0.5, 0.5)
    network[1].running_var.uniform_(0.5, 2)
    return network


def build(make, mask=False):
    """Return the classifier of a seeded network, with half of the weights of its matrices removed where asked."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = make()
        for parameter in network.parameters():
            parameter.data.add_(0.2 * torch.randn_like(parameter)).mul_(1.5)
        kept = {n: torch.rand_like(p) < 0.5 for n, p in network.named_parameters() if p.ndim > 1}
    masks = Mask(kept) if mask else None
    if masks:
        masks.apply(network)
    return Classifier(network, MEAN, STD, masks)


MAKERS = {
    "relu": lambda: convolutional(nn.ReLU()),
    "leaky relu": lambda: convolutional(nn.LeakyReLU(0.2)),
    "max pooling": lambda: nn.Sequential(nn.Conv2d(2, 4, 2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 4)),
    "functional relu": lambda: Functional(functional.relu),
    "gelu": lambda: convolutional(nn.GELU()),
    "functional silu": lambda: Functional(functional.silu),
    "tied": Tied,
}
SMOOTH = {"gelu", "functional silu"}


@pytest.fixture(params=MAKERS)
def kind(request):
    """The name of one of the networks."""
    return request.param


@pytest.fixture
def make():
    """Return a classifier by the name of its network: `make(kind, mask=False)`."""
    return lambda kind, mask=False: build(MAKERS[kind], mask)


@pytest.fixture
def images():
    """Six images of 2 x 3 x 3."""
    return torch.rand(6, 2, 3, 3, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def labels():
    """Their labels, of 4 classes."""
    return torch.tensor([0, 1, 2, 3, 3, 1]).numpy()
