"""Networks that papers do not think of: tied weights, lazy layers, short floats, wrappers, transposed convolutions."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import sparsescope as ss
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, InputError, SparsescopeWarning
from sparsescope.mask import account
from sparsescope.pruning import CATALOGUE, RigL, channel_mask, score

Make = Callable[..., list[tuple[Tensor, Tensor]]]

SCORES = [name for name, method in CATALOGUE.items() if method.trains == "afterwards" and not method.structured]


class Tied(nn.Module):
    """Two layers with one weight; with `head`, the head has it too."""

    def __init__(self, head: bool) -> None:
        super().__init__()
        self.first = nn.Linear(12, 4)
        self.second = nn.Linear(4, 4)
        self.third = nn.Linear(4, 4)
        self.third.weight = self.second.weight
        if not head:
            self.last = nn.Linear(4, 4)

    def forward(self, images: Tensor) -> Tensor:
        features = self.third(torch.tanh(self.second(torch.tanh(self.first(images.flatten(1))))))
        return self.last(torch.tanh(features)) if hasattr(self, "last") else features


@pytest.mark.filterwarnings("ignore:SynFlow is made for networks of ReLUs")  # it linearizes tanh
@pytest.mark.parametrize("method", [name for name in SCORES if name != "n_m"])
def test_a_tied_weight_is_one_weight(make_batches: Make, method: str) -> None:
    network = Tied(head=False).double()
    mask = ss.prune(method, network, make_batches(shape=(3, 2, 2)), 0.5)
    assert list(mask) == ["first.weight", "second.weight"] and mask.sparsity == 0.5
    mask.apply(network)
    sparsity = account(network, mask)
    assert sparsity.prunable == 0.5 and [layer.name for layer in sparsity.layers] == list(mask)
    assert account(network) == sparsity  # zeros in place say the same as the mask


def test_a_weight_that_the_head_shares_is_the_heads() -> None:
    network = Tied(head=True)
    assert list(ss.prune("omp", network, sparsity=0.5)) == ["first.weight"]
    assert list(ss.prune("omp", network, sparsity=0.5, prune_head=True)) == ["first.weight", "second.weight"]


def test_grasp_counts_a_tied_weight_once(make_batches: Make) -> None:
    """The product H g by finite differences of the gradient in the tied weight, which appears once in it."""
    torch.manual_seed(0)
    network = Tied(head=False).double()
    ((images, labels),) = batches = make_batches(shape=(3, 2, 2))
    weights = [network.first.weight, network.second.weight, network.last.weight]

    def gradient() -> list[Tensor]:
        loss = nn.functional.cross_entropy(network(images), labels)
        return list(torch.autograd.grad(loss, weights))

    direction, step = gradient(), 1e-5
    sides = []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, d in zip(weights, direction, strict=True):
                weight += sign * step * d
        sides.append(gradient())
        with torch.no_grad():
            for weight, d in zip(weights, direction, strict=True):
                weight -= sign * step * d
    product = (sides[0][1] - sides[1][1]) / (2 * step)
    found = score("grasp", network, batches, temperature=1.0)["second.weight"]
    torch.testing.assert_close(found, weights[1].detach() * product, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("method", SCORES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_are_scored_in_float32(
    tiny: nn.Module, make_batches: Make, method: str, dtype: torch.dtype
) -> None:
    short = copy.deepcopy(tiny).to(dtype)
    batches = [(images.to(dtype), labels) for images, labels in make_batches()]
    longer = [(images.float(), labels) for images, labels in batches]
    scores, expected = score(method, short, batches), score(method, copy.deepcopy(short).float(), longer)
    assert all(torch.equal(scores[name], expected[name]) for name in expected)
    assert next(short.parameters()).dtype == dtype


def test_gradients_that_float16_cannot_hold_collapse_no_layer(
    make_batches: Make, recwarn: pytest.WarningsRecorder
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(32, 4)
        ).half()
    ss.prune("grasp", network, make_batches(dtype=torch.float16), 0.5)
    assert not [warning for warning in recwarn if warning.category is SparsescopeWarning]


def test_lazy_layers_have_no_weights_yet() -> None:
    network = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(4))
    for use in (
        lambda: ss.prune("omp", network, sparsity=0.5),
        lambda: RigL(network, torch.optim.SGD([nn.Parameter()]), 0.5, 9),
    ):
        with pytest.raises(InputError, match="some layers are lazy: show it a batch of images first"):
            use()


def test_computed_weights_have_no_channels() -> None:
    network = nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, 8, 3)), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(4, 2)
    )
    with pytest.raises(ArtefactError, match="The weights of 0 are computed from others"):
        channel_mask(network, 0.5)


@pytest.mark.parametrize("method", SCORES)
def test_transposed_grouped_and_one_dimensional_convolutions(make_batches: Make, method: str) -> None:
    images_as_lines = nn.Flatten(2)
    network = nn.Sequential(
        nn.ConvTranspose2d(3, 8, 2),
        nn.Conv2d(8, 8, 3, groups=2),
        images_as_lines,
        nn.Conv1d(8, 4, 3),
        nn.Flatten(),
        nn.LazyLinear(4),
    )
    batches = make_batches(dtype=torch.float32)
    network(batches[0][0])
    mask = ss.prune(method, network, batches, None if method == "n_m" else 0.4)
    assert list(mask) == ["0.weight", "1.weight", "3.weight"]
    size = 3 * 8 * 4 + 8 * 4 * 9 + 4 * 8 * 3
    removed = size // 2 if method == "n_m" else round(0.4 * size)
    assert sum(int((~kept).sum()) for kept in mask.values()) == removed


@pytest.mark.parametrize("wrapper", [nn.DataParallel, lambda module: torch.compile(module, backend="eager")])
def test_a_wrapper_and_the_network_in_it(
    tiny: nn.Module, make_batches: Make, wrapper: Callable[[nn.Module], nn.Module]
) -> None:
    wrapped = wrapper(tiny)
    mask = ss.prune("snip", wrapped, make_batches(), 0.5)
    mask.apply(wrapped)  # the loop that made it goes on with it
    assert all(
        torch.equal(kept, ss.Mask.from_zeros(dict(wrapped.named_parameters()))[name]) for name, kept in mask.items()
    )
    for made, applied in ((mask, tiny), (ss.prune("omp", tiny, sparsity=0.5), wrapped)):
        with pytest.raises(ArtefactError, match="differ by the prefix of a wrapper alone"):
            made.apply(applied)
    with pytest.raises(
        InputError, match=r"in a wrapper, such as torch\.compile or DataParallel, give the network itself"
    ):
        channel_mask(wrapped, 0.5)


@pytest.mark.parametrize("method", ["snip", "grasp"])
@pytest.mark.parametrize("labels", [[0, 4], [-1, 0]])
def test_labels_that_the_network_has_no_output_for(tiny: nn.Module, method: str, labels: list[int]) -> None:
    images = torch.rand(2, 3, 6, 6, dtype=torch.float64)
    text = rf"Expected labels 0–3 \(the network has 4 outputs\), but they are {labels[0]}–{labels[1]}\."
    with pytest.raises(InputError, match=text):
        ss.prune(method, tiny, [(images, torch.tensor(labels))], 0.5)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (torch.rand(2, 1, 6, 6, dtype=torch.float64), r"shape \(2, 1, 6, 6\) and type float64: .* 1 channels"),
        (torch.zeros(2, 3, 6, 6, dtype=torch.uint8), r"shape \(2, 3, 6, 6\) and type uint8: "),
    ],
)
def test_images_that_the_network_cannot_take(tiny: nn.Module, images: Tensor, text: str) -> None:
    for model in (tiny, Classifier(tiny)):
        with pytest.raises(InputError, match=f"The network cannot take images of {text}"):
            ss.prune("snip", model, [(images, torch.tensor([0, 1]))], 0.5)
