"""Classifier: what it computes, what it refuses, and that it leaves the network as it found it."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, InputError, OptionError
from sparsescope.mask import Mask


class Wrapped(nn.Module):
    """Returns what `wrap` makes of the logits."""

    def __init__(self, network: nn.Module, wrap: object) -> None:
        super().__init__()
        self.network, self.wrap = network, wrap

    def forward(self, images: Tensor) -> object:
        return self.wrap(self.network(images))  # type: ignore[operator]


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_pixels_are_normalised_by_channel(small_network: nn.Module, images: Tensor) -> None:
    classifier = Classifier(small_network.eval(), (0.5, 0.4, 0.3), (0.2, 0.25, 0.5))
    by_hand = torch.stack([(images[:, c] - m) / s for c, (m, s) in enumerate([(0.5, 0.2), (0.4, 0.25), (0.3, 0.5)])], 1)
    with torch.no_grad():
        assert torch.allclose(classifier(images), small_network(by_hand), atol=1e-6)
    assert classifier.passes.forward == 5


def test_one_mean_serves_all_channels(small_network: nn.Module, images: Tensor) -> None:
    network = small_network.eval()
    with torch.no_grad():
        one = Classifier(network, (0.5,), (0.2,))(images)
        assert torch.equal(one, Classifier(network, (0.5,) * 3, (0.2,) * 3)(images))


def test_gradients_reach_images_and_weights(small_classifier: Classifier, images: Tensor) -> None:
    images.requires_grad_()
    small_classifier(images).sum().backward()
    assert images.grad is not None and bool(images.grad.any())
    assert all(parameter.grad is not None for parameter in small_classifier.module.parameters())


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda logits: logits, "logits"),
        (lambda logits: (None, logits), 1),
        (lambda logits: {"logits_map": logits}, "logits_map"),
    ],
)
def test_logits_are_picked_from_what_the_network_returns(
    small_network: nn.Module, images: Tensor, wrap: object, output: str | int
) -> None:
    with torch.no_grad():
        expected = small_network.eval()(images)
        assert torch.equal(Classifier(Wrapped(small_network, wrap).eval(), output=output)(images), expected)


def test_probabilities_become_logarithms_also_at_zero(small_network: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        logits = small_network.eval()(images)
        got = Classifier(Wrapped(small_network, lambda x: x.softmax(1)).eval(), output="probabilities")(images)
        assert torch.allclose(got.softmax(1), logits.softmax(1), atol=1e-6)
        certain = Wrapped(small_network, lambda x: torch.tensor([[1.0, 0.0]]).expand(len(x), 2))
        assert bool(torch.isfinite(Classifier(certain, output="probabilities")(images)).all())


@pytest.mark.parametrize(
    ("wrap", "output", "text"),
    [
        (lambda x: (x, x), "logits", r"to return logits of shape \(5, K\) with K >= 2, but it returns a tuple of 2"),
        (lambda x: {"a": x}, "logits", r"a dict with keys \['a'\].*--model-output"),
        (lambda x: {"a": x}, "b", r"a dict with keys \['a'\]: it has no entry 'b'"),
        (lambda x: (x,), 3, r"a tuple of 1: it has no entry 3"),
        (lambda x: x[:, :1], "logits", r"a tensor of shape \(5, 1\)"),
        (lambda x: x[:2], "logits", r"a tensor of shape \(2, 4\)"),
        (lambda x: None, "logits", r"a NoneType"),
    ],
)
def test_outputs_that_are_no_logits(
    small_network: nn.Module, images: Tensor, wrap: object, output: str | int, text: str
) -> None:
    with pytest.raises(InputError, match=text):
        Classifier(Wrapped(small_network, wrap), output=output, name="odd")(images)


def test_images_with_other_channels(small_classifier: Classifier) -> None:
    with pytest.raises(
        InputError, match=r"small normalizes 3 channels, but the images have 1 \(shape \(2, 1, 8, 8\)\)"
    ):
        small_classifier(torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.5, 0.5), (0.5,)),
        ((), ()),
        ((0.5,), (0.0,)),
        ((0.5,), (-1.0,)),
        ((127.0,), (60.0,)),
        ((float("nan"),), (1.0,)),
    ],
)
def test_normalisation_that_cannot_be(
    small_network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    with pytest.raises(
        OptionError, match=r"Expected mean and std of one length in \[0, 1\] units, std > 0, but got mean=\["
    ):
        Classifier(small_network, mean, std)


def test_a_mask_must_fit(small_network: nn.Module) -> None:
    with pytest.raises(ArtefactError, match="absent: the network has no such parameter"):
        Classifier(small_network, mask=Mask({"absent": torch.ones(1)}))


def test_without_a_mask_the_zeros_are_the_mask(small_network: nn.Module) -> None:
    with torch.no_grad():
        small_network[3].weight[:4] = 0
    classifier = Classifier(small_network)
    assert classifier.mask is not None and classifier.mask["3.weight"].float().mean() == 0.5
    assert classifier.sparsity.prunable == pytest.approx(216 / 594)


def mixed(network: nn.Module) -> tuple[dict[str, bool], dict[str, tuple[bool, Tensor | None]], list[int]]:
    """Put a network in a state that no default gives: mixed modes, a frozen layer, gradients and a hook."""
    network.train()
    network[1].eval()
    network[0].weight.requires_grad_(False)
    network[3].bias.grad = torch.full_like(network[3].bias, 7.0)
    calls: list[int] = []
    network[3].register_forward_hook(lambda *_: calls.append(1))
    modes = {name: child.training for name, child in network.named_modules()}
    return modes, {name: (p.requires_grad, p.grad) for name, p in network.named_parameters()}, calls


@pytest.mark.parametrize("raises", [False, True])
def test_the_network_is_left_as_it_was_found(small_network: nn.Module, images: Tensor, raises: bool) -> None:
    modes, gradients, calls = mixed(small_network)
    state = copy.deepcopy(small_network.state_dict())
    hooks = dict(small_network[3]._forward_hooks)
    classifier = Classifier(small_network)
    try:
        with classifier.prepared("cpu"):
            assert not any(child.training for child in small_network.modules())
            assert not any(p.requires_grad for p in small_network.parameters())
            images.requires_grad_()
            classifier(images).sum().backward()
            assert all(p.grad is None for p in small_network.parameters()) and images.grad is not None
            if raises:
                small_network[5].train()
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert raises
    assert {name: child.training for name, child in small_network.named_modules()} == modes
    for name, parameter in small_network.named_parameters():
        requires_grad, gradient = gradients[name]
        assert parameter.requires_grad is requires_grad and parameter.grad is gradient
    assert bool((small_network[3].bias.grad == 7).all())
    assert dict(small_network[3]._forward_hooks) == hooks and calls == [1]
    assert all(torch.equal(state[name], tensor) for name, tensor in small_network.state_dict().items())


def test_running_statistics_do_not_move_while_prepared(small_classifier: Classifier, images: Tensor) -> None:
    small_classifier.module.train()
    before = small_classifier.module[1].running_mean.clone()
    with small_classifier.prepared(), torch.no_grad():
        small_classifier(images)
    assert torch.equal(small_classifier.module[1].running_mean, before)
    small_classifier(images)
    assert not torch.equal(small_classifier.module[1].running_mean, before)


def test_fingerprint_knows_everything_that_decides_the_outcome(small_network: nn.Module) -> None:
    def fingerprint(network: nn.Module, **options: object) -> str:
        return Classifier(network, **options).fingerprint()  # type: ignore[arg-type]

    first = fingerprint(small_network)
    assert fingerprint(copy.deepcopy(small_network)) == first
    assert fingerprint(copy.deepcopy(small_network), name="other") == first
    changed = copy.deepcopy(small_network)
    with torch.no_grad():
        changed[7].bias[0] += 1e-3
    kept = {"0.weight": torch.zeros(6, 3, 3, 3)}
    others = [
        fingerprint(changed),
        fingerprint(small_network, mean=(0.1,)),
        fingerprint(small_network, std=(0.5,)),
        fingerprint(small_network, output="probabilities"),
        fingerprint(small_network, mask=Mask(kept)),
        fingerprint(nn.Sequential(*small_network[:2], nn.GELU(), *small_network[3:])),
    ]
    assert len({first, *others}) == len(others) + 1


def test_outputs_can_be_cut_to_some_classes(small_classifier):
    images = torch.rand(2, 3, 8, 8)
    with small_classifier.prepared():
        every = small_classifier(images)
    cut = replace(small_classifier, outputs=(3, 1))
    with cut.prepared():
        assert torch.equal(cut(images), every[:, [3, 1]])
    assert cut.fingerprint() != small_classifier.fingerprint()
    lacking = replace(small_classifier, outputs=(0, 7))
    with (
        lacking.prepared(),
        pytest.raises(InputError, match=r"Expected small to have outputs 0–7, .* returns a tensor"),
    ):
        lacking(images)
