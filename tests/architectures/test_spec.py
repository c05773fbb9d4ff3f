"""From a specification to a network: names, torchvision, the user's own code, and every way to get it wrong."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sparsescope.architectures import BUILT_IN, IMAGENET, resolve
from sparsescope.errors import InputError, OptionError

USER_FILE = """
from torch import nn
from sparsescope.architectures import Preprocessing

PREPROCESSING = Preprocessing((0.1,), (0.2,), 8)

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(4, classes)

    def forward(self, images):
        return self.head(images.flatten(1))

def net(num_classes=3):
    return Net(num_classes)

def greedy(**options):
    return Net(**{"classes": options["num_classes"]})

def broken():
    return Net(classes="many")

def wrong():
    return {}

number = 4
"""


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE)
    return path


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_architectures_take_classes_and_channels(name: str) -> None:
    architecture = resolve(name)
    assert architecture.accepts("num_classes") and architecture.accepts("in_channels")
    module = architecture.build(num_classes=7, in_channels=2).eval()
    with torch.no_grad():
        assert module(torch.zeros(2, 2, 32, 32)).shape == (2, 7)
    size = 224 if name == "resnet50_small" else 32
    assert architecture.preprocessing is not None and architecture.preprocessing.size == size


def test_importing_the_catalogue_imports_no_torch() -> None:
    code = "import sys, sparsescope.architectures as a; a.resolve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_torchvision() -> None:
    architecture = resolve("torchvision:squeezenet1_1")
    assert architecture.preprocessing == IMAGENET
    assert not architecture.accepts("in_channels")
    assert architecture.build(num_classes=3).classifier[1].weight.shape[0] == 3
    assert resolve("torchvision:squeezenet1_1").build().classifier[1].weight.shape[0] == 1000


def test_torchvision_networks_that_ask_how_to_initialise_stay_quiet() -> None:
    assert isinstance(resolve("torchvision:googlenet").build(num_classes=2), nn.Module)


def test_user_file_is_built_with_what_its_function_takes(user_file: Path) -> None:
    architecture = resolve(f"{user_file}:net")
    assert architecture.preprocessing is not None and architecture.preprocessing.mean == (0.1,)
    assert architecture.accepts("num_classes") and not architecture.accepts("in_channels")
    module = architecture.build(num_classes=5)
    assert module.head.weight.shape == (5, 4)
    again = pickle.loads(pickle.dumps(module))
    assert type(again) is type(module)


def test_a_function_of_any_keyword_is_given_the_number_of_classes(user_file: Path) -> None:
    architecture = resolve(f"{user_file}:greedy")
    assert architecture.accepts("num_classes") and not architecture.accepts("in_channels")
    assert architecture.build(num_classes=6).head.weight.shape == (6, 4)


def test_installed_module() -> None:
    assert isinstance(resolve("torch.nn:Identity").build(), nn.Identity)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("resnet20", r"no architecture 'resnet20'. Did you mean resnet20s .*Built in: resnet20s, resnet32s"),
        ("resnet18", r"Did you mean torchvision:resnet18"),
        ("torchvision:resnet19", r"torchvision has no .*'resnet19'. Did you mean torchvision:resnet1"),
        ("net.py", r"Expected FILE.py:function, but got 'net.py'"),
        (
            "torchvison:resnet18",
            r"Unknown architecture .* Did you mean torchvision:NAME\? Expected one of: torchvision:NA",
        ),
        ("timm:", r"Expected timm:NAME, but got 'timm:'"),
        ("no_such_package.module:f", r"no_such_package"),
        ("torch:version", r"Expected torch:version to be a function that returns a network"),
    ],
)
def test_unknown_names(spec: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        resolve(spec)


def test_errors_in_the_users_code_name_file_line_and_cause(user_file: Path) -> None:
    with pytest.raises(OptionError, match=r"(?s)mine\.py:broken could not be built: TypeError: .*\(line 10\)"):
        resolve(f"{user_file}:broken").build()
    with pytest.raises(OptionError, match=r"mine\.py:wrong to return an nn\.Module, but got a dict"):
        resolve(f"{user_file}:wrong").build()
    with pytest.raises(OptionError, match=r"mine\.py:net does not take the option 'in_channels'"):
        resolve(f"{user_file}:net").build(in_channels=1)
    user_file.write_text("x = 1\nraise RuntimeError('no GPU here')\n")
    with pytest.raises(InputError, match=r"mine\.py could not be .*RuntimeError: no GPU here \(line 2\)"):
        resolve(f"{user_file}:net")
