"""Which architecture weights belong to, by names and shapes."""

import pytest
import torch
from torch import nn

from sparsescope.architectures import BUILT_IN, Comparison, fitting_options, match, resolve
from sparsescope.errors import ArtefactError

Shapes = dict[str, tuple[int, ...]]


def shapes_of(module: nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("resnet20s", {"num_classes": 10, "in_channels": 3}),
        ("resnet56s", {"num_classes": 100, "in_channels": 1}),
        ("digits_cnn", {"num_classes": 4, "in_channels": 3}),
        ("torchvision:squeezenet1_0", {"num_classes": 7}),  # its head is a convolution
        ("torchvision:mobilenet_v3_small", {"num_classes": 3}),
        ("torchvision:regnet_x_400mf", {"num_classes": 5}),  # reads numbers from tensors while it is built
        ("torchvision:googlenet", {"num_classes": 5}),
    ],
)
def test_every_kind_is_found_with_its_own_number_of_classes(spec: str, options: dict[str, int]) -> None:
    architecture = resolve(spec)
    shapes = shapes_of(architecture.build(**options))
    assert match(shapes) == spec
    assert fitting_options(architecture, architecture.build(), shapes) == options


@pytest.mark.parametrize("name", [*BUILT_IN, "torchvision:resnet18", "torchvision:resnet50", "torchvision:vgg11_bn"])
def test_every_network_is_its_own_match(name: str) -> None:
    with torch.device("meta"):
        module = resolve(name).build(num_classes=12)
    assert match(shapes_of(module)) == name


def test_the_order_of_names_does_not_matter_and_counters_may_be_missing() -> None:
    shapes = shapes_of(resolve("torchvision:resnet18").build())
    without = {name: shape for name, shape in sorted(shapes.items()) if not name.endswith("num_batches_tracked")}
    assert len(without) < len(shapes)
    assert match(without) == "torchvision:resnet18"


def test_matching_draws_no_random_numbers() -> None:
    shapes = shapes_of(resolve("resnet20s").build())
    before = torch.get_rng_state()
    match(shapes)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_match_lists_near_misses_with_their_first_difference() -> None:
    shapes = shapes_of(resolve("resnet20s").build())
    shapes["layer1.0.bn1.weight"] = (17,)
    with pytest.raises(ArtefactError) as caught:
        match(shapes, "odd.pt")
    text = str(caught.value)
    assert "odd.pt has the names and shapes of no built-in or torchvision architecture (116 tensors" in text
    assert "resnet20s: 115 of 116 tensors in common; layer1.0.bn1.weight is (16,) there and (17,) in the file" in text
    assert text.index("resnet20s:") < text.index("resnet32s:")
    assert "--arch" in text


def test_a_near_miss_is_compared_with_the_files_own_number_of_classes() -> None:
    shapes = shapes_of(resolve("resnet20s").build(num_classes=7)) | {"extra.weight": (3, 3)}
    with pytest.raises(ArtefactError, match=r"resnet20s: 116 of 117 .*extra\.weight \(3, 3\) is only in the file"):
        match(shapes)


def test_nothing_in_common() -> None:
    with pytest.raises(ArtefactError, match=r"\(1 tensors: w \(2, 2\)\)\.\nName the architecture"):
        match({"w": (2, 2)})


def test_comparison_by_hand() -> None:
    file = {"a.weight": (2, 3), "b.weight": (4, 4), "c": (1,)}
    network = {"a.weight": (2, 3), "b.weight": (4, 5), "d": (6,), "n.num_batches_tracked": ()}
    comparison = Comparison(file, network)
    assert (comparison.missing, comparison.unexpected, comparison.reshaped) == (["d"], ["c"], ["b.weight"])
    assert comparison.common == 1 and not comparison.fits
    assert comparison.first_difference() == "b.weight is (4, 5) there and (4, 4) in the file"
    assert comparison.differences() == (
        "  1 missing in the file: d (6,)\n"
        "  1 only in the file: c (1,)\n"
        "  1 of another shape: b.weight: file (4, 4), network (4, 5)"
    )
    assert Comparison(network, network).fits and Comparison({"d": (6,)}, {"d": (6,), "num_batches_tracked": ()}).fits


def test_at_most_eight_names_of_a_kind_are_listed() -> None:
    text = Comparison({}, {f"w{i}": (1,) for i in range(20)}).differences()
    assert text.startswith("  20 missing") and "w7 (1,); …" in text and "w8" not in text
