"""The prepacked network answers as the network does, in batches of any size; other networks are refused."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from typing_extensions import override

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.classifier import Classifier
from sparsescope.evaluation.forward_only import agrees, prepacked_networks
from sparsescope.prepacked import NotCapturedError, PrepackedNetwork, is_candidate

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN")


def trained_like(network: nn.Module) -> nn.Module:
    """Give BatchNorm statistics and gains as training leaves them."""
    generator = torch.Generator().manual_seed(0)
    for child in network.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_(0, 0.3, generator=generator)
            child.running_var.uniform_(0.3, 2, generator=generator)
            nn.init.uniform_(child.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(child.bias, 0, 0.2, generator=generator)
    return network.eval()


def images(n: int = 17, side: int = 32) -> Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def prepacked(classifier: Classifier, side: int = 32) -> PrepackedNetwork:
    return PrepackedNetwork(classifier.module, classifier.reader, (3, side, side))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "residual": (resnet20s, 32),
    "depthwise": (lambda: models.mobilenet_v3_small(num_classes=10), 48),
    "grouped": (lambda: models.shufflenet_v2_x0_5(num_classes=10), 48),
    "normalized first": (lambda: models.DenseNet(8, (2, 2), 8, num_classes=10), 48),
    "without BatchNorm": (lambda: models.squeezenet1_1(num_classes=10), 48),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_agree_in_float64_as_well_as_the_networks_own(name: str) -> None:
    make, side = NETWORKS[name]
    torch.manual_seed(0)
    classifier = Classifier(trained_like(make()), mean=(0.5,) * 3, std=(0.25,) * 3)
    network, shown = prepacked(classifier, side), images(17, side)
    assert is_candidate(classifier.module)
    assert agrees(classifier, network, shown)
    exact = Classifier(copy.deepcopy(classifier.module).double(), mean=(0.5,) * 3, std=(0.25,) * 3)
    with torch.inference_mode():
        truth, own = exact(shown.double()), classifier(shown)
        with classifier.answering(network):
            for size in (1, 2, 5, 17):
                answer = torch.cat([classifier(batch) for batch in shown.split(size)])
                assert not torch.equal(answer, own)  # it was another way
                error, usual = ((each - truth).abs().max() for each in (answer, own))
                assert error <= 3 * usual + 1e-6 * truth.abs().max()


def test_only_work_without_gradients_and_only_what_fits_goes_through_it() -> None:
    classifier = Classifier(trained_like(resnet20s()))
    network = prepacked(classifier)
    asked: list[int] = []

    class Counting(PrepackedNetwork):
        @override
        def __call__(self, images: Tensor) -> Tensor | None:
            values = super().__call__(images)
            asked.append(0 if values is None else len(values))
            return values

    counting = Counting(network.module, network.reader, network.shape)
    with classifier.prepared(), classifier.answering(counting):
        pixels = images(2).requires_grad_()
        classifier(pixels).sum().backward()
        assert pixels.grad is not None
        assert asked == []
        with torch.inference_mode():
            classifier(images(2))
            classifier(images(2, side=64))  # another size
            with torch.no_grad():
                classifier.module.conv1.weight.mul_(2)  # other weights
            changed = classifier(images(2))
        assert asked == [2, 0, 0]
    with torch.inference_mode():
        assert torch.equal(classifier(images(2)), changed)


def test_a_hooked_layer_is_called() -> None:
    classifier = Classifier(trained_like(resnet20s()))
    seen: list[int] = []
    with torch.inference_mode(), classifier.answering(prepacked(classifier)):
        classifier(images(2))
        with_hook = classifier.module.conv1.register_forward_hook(lambda *_: seen.append(1))
        classifier(images(2))
        assert seen == [1]
        assert not is_candidate(classifier.module)
        with_hook.remove()


class Odd(nn.Module):
    """Eight convolutions and something that no graph may pass by."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(8)))
        self.register_buffer("calls", torch.zeros(3))

    @override
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))

    def head(self, x: Tensor) -> Tensor:
        return x


class DependsOnValues(Odd):
    @override
    def head(self, x: Tensor) -> Tensor:
        return x if x.mean() > 100 else 2 * x


class DependsOnNumber(Odd):
    @override
    def head(self, x: Tensor) -> Tensor:
        return x if len(x) > 10 else 2 * x


class Counts(Odd):
    @override
    def head(self, x: Tensor) -> Tensor:
        self.calls[1:] += 1
        return x + self.calls[1]


class Random(Odd):
    @override
    def head(self, x: Tensor) -> Tensor:
        return x + 1e-9 * torch.rand(3)


class Drops(Odd):
    @override
    def head(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.5)


class LeavesTorch(Odd):
    @override
    def head(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy())


@pytest.mark.parametrize("kind", [DependsOnValues, DependsOnNumber, Counts, Random, Drops, LeavesTorch])
def test_what_a_graph_would_freeze_is_refused_without_a_word(
    kind: type[Odd], capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    classifier = Classifier(kind().eval())
    with pytest.raises(NotCapturedError):
        prepacked(classifier)(images(2))
    assert not agrees(classifier, prepacked(classifier), images())
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_dropout_in_eval_mode_is_none() -> None:
    network = Odd().eval()
    network.body.append(nn.Dropout(0.5).eval())
    assert agrees(Classifier(network), prepacked(Classifier(network)), images())


def test_one_that_disagrees_is_not_used() -> None:
    classifier = Classifier(trained_like(resnet20s()))
    network = prepacked(classifier)
    assert agrees(classifier, network, images())
    graph, _ = network._built or pytest.fail("not built")
    graph.conv2d_folded_bias.add_(1e-3)
    assert not agrees(classifier, network, images())


def test_which_are_tried_is_a_rule() -> None:
    assert is_candidate(Odd())
    assert not is_candidate(nn.Sequential(*list(Odd().body)[1:]))
    assert not is_candidate(Odd().double())
    with torch.inference_mode():
        assert not is_candidate(Odd())
    changes = Classifier(Odd().eval(), changes_itself=True)
    assert prepacked_networks([changes], [], images(), "cpu") == {}


def test_another_process_builds_it_anew() -> None:
    classifier = Classifier(trained_like(resnet20s()))
    network = prepacked(classifier)
    with torch.inference_mode():
        first = network(images(3))
    again: PrepackedNetwork = pickle.loads(pickle.dumps(network))
    assert again._built is None
    with torch.inference_mode():
        second = again(images(3))
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)
