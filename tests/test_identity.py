"""Identities: equal for equal things, different for different ones, and honest about what cannot be read."""

import argparse
import copy
import enum
import functools
import logging
import sys
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.identity import Fingerprint, Identity


def identity(*values: object) -> Identity:
    found = Fingerprint()
    found.add(*values)
    return found.identity


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Config:
    width: int
    parts: tuple[object, ...] = ()


def multiply(factor):
    def by(x, offset=0):
        return factor * x + offset

    return by


def class_with(constant):
    class Made:
        def value(self):
            return constant

    return Made


VALUES = [
    1, 1.0, True, "1", b"1", None, (), [], {}, (1, 2), [1, 2], (1, (2,)), ((1, 2),), {1: 2}, {2: 1}, {1, 2},
    OrderedDict({1: 2}), Path("1"), torch.float32, torch.device("cpu"), torch.Size([1]), torch.tensor([1.0, 2.0]),
    torch.tensor([1.0, 3.0]), torch.tensor([[1.0, 2.0]]), torch.tensor([1, 2]), np.array([1.0, 2.0]), np.float32(1),
    Color.RED, Color.BLUE, Config(1), Config(2), Config(1, (Config(1),)), multiply, multiply(2), multiply(3),
    torch.relu, torch.tanh, nn.functional.relu, functools.partial(multiply, 2), functools.partial(multiply, factor=2),
    Config, Color, np, torch, class_with(1), class_with(2), SimpleNamespace(a=1), SimpleNamespace(a=2),
    "a" * 5000, "b" * 5000, Config(1).__repr__, range(3), slice(3),
]  # fmt: skip


def test_different_values_have_different_identities_and_all_of_these_can_be_read() -> None:
    found = [identity(value) for value in VALUES]
    assert not [each.unread for each in found if each.unread]
    assert len({each.digest for each in found}) == len(VALUES)
    assert identity(1, 2) != identity((1, 2)) != identity(12)


def test_copies_are_equal() -> None:
    for value in (*VALUES, SimpleNamespace(a=[1, Config(3)])):
        if not isinstance(value, ModuleType):
            assert identity(copy.deepcopy(value)) == identity(value)


def test_what_is_shared_or_holds_itself() -> None:
    part = [1, 2]
    assert identity([part, part]) == identity([[1, 2], [1, 2]])
    ring = SimpleNamespace(a=1)
    ring.self = ring
    other = copy.deepcopy(ring)
    assert identity(ring) == identity(other)
    other.a = 2
    assert identity(ring) != identity(other)
    assert identity(weakref.ref(Color.RED)) != identity(weakref.ref(Color.BLUE))


def test_what_cannot_be_read_is_named() -> None:
    assert identity(iter([1])).unread == ("the content of a list_iterator cannot be read",)
    assert identity(eval("lambda x: x + 1")).unread == ("<lambda> is not defined in a file that can be read",)
    names: dict[str, object] = {"__name__": "typed_in"}
    exec("class Typed:\n    def f(self):\n        return 1", names)
    assert identity(names["Typed"]).unread == (
        "Typed is not defined in a file that can be read",
        "Typed.f is not defined in a file that can be read",
    )


LEVEL, TABLE, LAYER = 1.0, {"a": [1, np.ones(2)]}, nn.Linear(2, 2)
ARGUMENTS = argparse.Namespace(scale=1.0)
LOGGER = logging.getLogger(__name__)


def from_helper():
    return LEVEL


class Reader:
    table: ClassVar[list[int]] = [1]

    def from_table(self):
        return [TABLE for _ in range(2)]

    @property
    def from_layer(self):
        LOGGER.debug("read")
        return LAYER

    def from_arguments(self):
        def inner():
            return ARGUMENTS.scale

        return inner()


def through_helper(x):
    return x * from_helper()


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (sys.modules[__name__], "LEVEL", 2.0),
        (sys.modules[__name__], "TABLE", {"a": [1, np.zeros(2)]}),
        (sys.modules[__name__], "LAYER", nn.Linear(2, 2)),
        (ARGUMENTS, "scale", 2.0),
        (Reader, "table", [2]),
        (Reader, "from_table", through_helper),
    ],
)
def test_what_code_reads_by_name_is_part_of_it(
    monkeypatch: pytest.MonkeyPatch, place: object, name: str, value: object
) -> None:
    """A constant that was set from outside, or an argument of the script: the source stays the same."""
    before = identity(Reader, through_helper)
    assert before == identity(Reader, through_helper) and not before.unread
    monkeypatch.setattr(place, name, value)
    assert identity(Reader, through_helper) != before


def test_what_code_does_not_read_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(through_helper)
    monkeypatch.setattr(sys.modules[__name__], "TABLE", 3)
    assert identity(through_helper) == before


class Net(nn.Module):
    def __init__(self, act=torch.relu, **attributes):
        super().__init__()
        self.head = nn.Linear(12, 3)
        self.act = act
        self.register_buffer("scale", torch.ones(1), persistent=False)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, images):
        return self.act(self.head(images.flatten(1))) * self.scale


def network(**options: object) -> Net:
    torch.manual_seed(0)
    return Net(**options)


def test_networks_of_the_same_weights_that_compute_something_else() -> None:
    """All that a forward pass may read counts: functions, private attributes, hooks and buffers that are not saved."""
    scaled, hooked, hooked_otherwise, hidden = network(), network(), network(), network()
    scaled.scale.fill_(2.0)
    hooked.register_forward_hook(multiply(2))
    hooked_otherwise.register_forward_pre_hook(multiply(2))
    hidden.layers = [nn.Linear(2, 2)]
    networks = [
        network(),
        network(act=torch.tanh),
        network(act=functools.partial(nn.functional.gelu, approximate="tanh")),
        network(act=nn.functional.gelu),
        network(_power=2),
        network(_power=3),
        network(widths=[1, 2]),
        network(widths=[1, 3]),
        network(config=SimpleNamespace(depth=2)),
        scaled,
        hooked,
        hooked_otherwise,
        hidden,
    ]
    found = [Classifier(each).identity() for each in networks]
    assert not [each for each in found if each.unread]
    assert len({each.digest for each in found}) == len(networks)
    again = network()
    again.train(False)
    again.head.weight.requires_grad_(False)
    assert Classifier(again, name="other").identity() == found[0]


def test_a_network_of_a_class_without_source_says_so() -> None:
    names: dict[str, object] = {"__name__": "typed_in", "nn": nn}
    exec("class Typed(nn.ReLU):\n    def forward(self, x):\n        return x", names)
    typed: nn.Module = names["Typed"]()  # type: ignore[operator]
    found = Classifier(nn.Sequential(nn.Linear(3, 2), typed)).identity()
    assert "Typed is not defined in a file that can be read" in found.unread
    hooked = nn.Sequential(nn.Linear(3, 2))
    hooked.register_forward_hook(eval("lambda module, inputs, output: 2 * output"))
    assert Classifier(hooked).identity().unread == ("<lambda> is not defined in a file that can be read",)
