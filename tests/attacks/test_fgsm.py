import captum.robust
import numpy as np
import pytest
import reference_attacks as iterated
import reference_curvature as reference
import torch
from torch import nn
from torch.nn import functional

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.attacks import fgsm, gradient_signs
from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated, OptionError
from sparsescope.randomness import generator

EPSILON = 8 / 255


@pytest.fixture
def batch():
    draws = torch.Generator().manual_seed(1)
    return torch.rand(12, 3, 8, 8, generator=draws), torch.randint(0, 4, (12,), generator=draws)


class Scaled(nn.Module):
    def __init__(self, inner, factor):
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, images):
        return self.factor * self.inner(images)


def test_linear_softmax_by_hand():
    # Two classes, z = Wx: the gradient is (1 - p_y)(w_other - w_y), so its sign is that of the weight difference.
    linear = nn.Linear(3, 2, bias=False)
    linear.weight.data = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 2.0]])
    classifier = Classifier(nn.Sequential(nn.Flatten(), linear))
    images = torch.tensor([[0.5, 0.5, 0.5], [0.05, 0.98, 1.0]]).reshape(2, 1, 1, 3)
    with classifier.prepared():
        attacked = fgsm(classifier, images, torch.tensor([0, 0]), 0.1)
    expected = torch.tensor([[0.4, 0.6, 0.5], [0.0, 1.0, 1.0]]).reshape(2, 1, 1, 3)
    torch.testing.assert_close(attacked, expected)


def test_against_the_literal_formula(small_classifier, batch):
    images, labels = batch
    with small_classifier.prepared():
        attacked = fgsm(small_classifier, images, labels, EPSILON)
    torch.testing.assert_close(attacked.double(), reference.fgsm(small_classifier, images, labels, EPSILON))


def test_against_captum_given_the_cross_entropy(small_classifier, batch):
    images, labels = batch
    with small_classifier.prepared():
        attacked = fgsm(small_classifier, images, labels, EPSILON)
        loss = nn.CrossEntropyLoss(reduction="none")
        other = captum.robust.FGSM(small_classifier, loss_func=loss, lower_bound=0.0, upper_bound=1.0)
        torch.testing.assert_close(attacked, other.perturb(images.clone().requires_grad_(), EPSILON, labels).detach())


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_stays_within_epsilon_and_the_pixel_range(small_classifier, batch, loss):
    images, labels = batch
    images[:2] = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    with small_classifier.prepared():
        attacked = fgsm(small_classifier, images, labels, EPSILON, loss=loss)
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    moved = (attacked.double() - images.double()).abs()
    assert moved.max() <= EPSILON + 2**-24  # half a unit in the last place of a float32 pixel
    inside = (images > EPSILON) & (images < 1 - EPSILON)
    assert ((moved[inside] - EPSILON).abs() <= 2**-24).float().mean() > 0.9


def test_epsilon_zero_changes_nothing(small_classifier, batch):
    images, labels = batch
    with small_classifier.prepared():
        assert torch.equal(fgsm(small_classifier, images, labels, 0.0), images)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_does_not_depend_on_the_batch_size(small_classifier, batch, loss):
    images, labels = batch
    with small_classifier.prepared():
        results = [fgsm(small_classifier, images, labels, EPSILON, loss=loss, batch_size=size) for size in (1, 5, 200)]
    for other in results[1:]:
        assert (other != results[0]).float().mean() < 1e-3  # a sign may flip where a gradient is zero but for rounding


def test_each_step_raises_its_own_loss(small_classifier, batch):
    images, labels = batch

    def margins(x):
        logits = small_classifier(x)
        wrong = logits.scatter(1, labels.unsqueeze(1), -torch.inf).amax(1)
        return wrong - logits.gather(1, labels.unsqueeze(1)).squeeze(1)

    with small_classifier.prepared(), torch.no_grad():
        by_margin = fgsm(small_classifier, images, labels, 1e-3, loss="margin")
        by_entropy = fgsm(small_classifier, images, labels, 1e-3)
        assert (margins(by_margin) > margins(images)).all()
        entropy = [
            functional.cross_entropy(small_classifier(x), labels, reduction="none") for x in (by_entropy, images)
        ]
        assert (entropy[0] > entropy[1]).all()
        assert not torch.equal(by_margin, by_entropy)


def test_confidence_cannot_hide_a_model(small_network, batch):
    images, labels = batch
    calm, sure = (Classifier(Scaled(small_network, factor)) for factor in (1.0, 1e5))
    with calm.prepared():
        margin = fgsm(calm, images, labels, EPSILON, loss="margin")
        entropy = fgsm(calm, images, labels, EPSILON)
    with sure.prepared():
        # The margin step does not change; the cross-entropy step tends to it, and never stops for want of gradient.
        assert (fgsm(sure, images, labels, EPSILON, loss="margin") == margin).float().mean() > 0.999
        confident = fgsm(sure, images, labels, EPSILON)
        assert (confident == margin).float().mean() > 0.9
        assert not torch.equal(confident, entropy)
        pixels = images.clone().requires_grad_()
        functional.cross_entropy(sure(pixels), small_network(images).argmax(1), reduction="sum").backward()
        vanished = (pixels.grad == 0).flatten(1).all(1)
        assert vanished.any()  # what the plain formula does in float32
        moved = fgsm(sure, images, small_network(images).argmax(1), EPSILON) != images
        assert moved.flatten(1).any(1).all()


def test_leaves_the_model_as_it_was_and_counts_its_passes(small_classifier, batch):
    images, labels = batch
    before = {name: value.clone() for name, value in small_classifier.module.state_dict().items()}
    with small_classifier.prepared():
        fgsm(small_classifier, images, labels, EPSILON)
    assert all(torch.equal(before[name], value) for name, value in small_classifier.module.state_dict().items())
    assert all(parameter.grad is None for parameter in small_classifier.module.parameters())
    assert (small_classifier.passes.forward, small_classifier.passes.backward) == (12, 12)


def start_of(image, epsilon, seed, unit):
    draws = generator(seed, "attack/fgsm", unit).random(tuple(image.shape), dtype=np.float32)
    return (image + epsilon * (2 * torch.from_numpy(draws) - 1)).clamp(0, 1)


def test_random_start_by_hand():
    # z = (x, -x): the margin of class 0 falls with x everywhere, so x' = max(x0 - 1.25 ε, x - ε, 0).
    linear = nn.Linear(1, 2, bias=False)
    linear.weight.data = torch.tensor([[1.0], [-1.0]])
    classifier = Classifier(nn.Sequential(nn.Flatten(), linear))
    images = torch.linspace(0.05, 0.95, 40).reshape(40, 1, 1, 1)
    starts = torch.stack([start_of(image, 0.1, 7, 100 + row) for row, image in enumerate(images)])
    with classifier.prepared():
        attacked = fgsm(
            classifier, images, torch.zeros(40).long(), 0.1, random_start=True, seed=7, ids=np.arange(100, 140)
        )
    expected = torch.maximum(starts - 0.125, images - 0.1).clamp(0, 1)
    torch.testing.assert_close(attacked, expected)
    assert 0 < (expected == (images - 0.1).clamp(0, 1)).float().mean() < 1  # some starts are too far to reach the edge


@pytest.mark.parametrize("step_size", [None, 0.02])
def test_random_start_against_the_literal_algorithm(small_classifier, batch, step_size):
    images, labels = batch
    with small_classifier.prepared():
        attacked = fgsm(small_classifier, images, labels, 0.04, random_start=True, step_size=step_size, seed=2)
    alpha = 0.05 if step_size is None else step_size
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        _, expected = iterated.trajectory(small_classifier, image, label, start_of(image, 0.04, 2, row), 0.04, 1, alpha)
        assert (attacked[row].double() - expected).abs().max() < 1e-6


def test_random_start_stays_in_the_ball_and_follows_the_ids(small_classifier, batch):
    images, labels = batch
    ids = np.arange(12) + 50
    with small_classifier.prepared():
        whole = fgsm(small_classifier, images, labels, EPSILON, random_start=True, ids=ids)
        part = fgsm(small_classifier, images[5:], labels[5:], EPSILON, random_start=True, ids=ids[5:], batch_size=3)
    assert (part != whole[5:]).float().mean() < 1e-3
    assert whole.min() >= 0 and whole.max() <= 1
    assert (whole.double() - images.double()).abs().max() <= EPSILON + 2**-24


@pytest.mark.parametrize("epsilon", [0.01, EPSILON])
def test_against_foolbox(small_classifier, batch, epsilon):
    foolbox = pytest.importorskip("foolbox")
    images, labels = batch
    classifier = reference.doubled(small_classifier)
    with classifier.prepared():
        model = foolbox.PyTorchModel(_AsModule(classifier).eval(), bounds=(0, 1), device="cpu")
        expected = foolbox.attacks.LinfFastGradientAttack().run(
            model, images.double(), foolbox.criteria.Misclassification(labels), epsilon=epsilon
        )
        torch.testing.assert_close(fgsm(classifier, images.double(), labels, epsilon), expected)


class _AsModule(nn.Module):
    def __init__(self, classifier):
        super().__init__()
        self.inner, self.classifier = classifier.module, classifier

    def forward(self, images):
        return self.classifier(images)


@pytest.mark.parametrize("epsilon", [-0.1, float("nan")])
def test_epsilon_must_not_be_negative(small_classifier, batch, epsilon):
    with pytest.raises(OptionError, match=r"Expected epsilon >= 0, in pixel units such as 8/255, but got"):
        fgsm(small_classifier, *batch, epsilon)


def test_a_model_without_gradient_is_not_evaluated(batch):
    class Rounded(nn.Module):
        def forward(self, images):
            return torch.from_numpy(np.zeros((len(images), 4), dtype=np.float32))

    with pytest.raises(NotEvaluated, match="the logits of model have no gradient in the images"):
        fgsm(Classifier(Rounded()), *batch)


def test_a_gradient_that_is_not_finite_is_no_direction(small_network, batch):
    class Root(nn.Module):
        def forward(self, images):
            odd = torch.arange(len(images)).view(-1, 1, 1, 1) % 2
            return small_network(images + (images * odd).square().sqrt() * 0)  # nan where the root is of 0

    classifier = Classifier(Root())
    images, labels = batch
    with classifier.prepared():
        _, (signs,) = gradient_signs(classifier, images, labels, ["margin"])
        moved = fgsm(classifier, images, labels)
    assert torch.equal(signs[::2], torch.zeros_like(signs[::2])) and torch.equal(moved[::2], images[::2])
    assert bool((signs[1::2] != 0).flatten(1).any(1).all())


def test_real_network_follows_the_exact_gradient(shared_data):
    # In float32 the plain formula loses 1 - p_y to rounding and mis-steers a fifth of these images; float64 does not.
    network = resnet20s()
    weights = torch.load(shared_data / "checkpoints" / "resnet20_jpegft_dense.pt", weights_only=True)
    network.load_state_dict(weights)
    classifier = Classifier(network, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    with np.load(shared_data / "cifar10" / "test1000.npz") as data:
        images = torch.from_numpy(data["images"][:60].transpose(0, 3, 1, 2) / np.float32(255))
        labels = torch.from_numpy(data["labels"][:60]).long()
    with classifier.prepared():
        attacked = fgsm(classifier, images, labels, EPSILON)
        pixels = images.clone().requires_grad_()
        functional.cross_entropy(classifier(pixels), labels, reduction="sum").backward()
    exact = reference.fgsm(classifier, images, labels, EPSILON)
    plain = (images + EPSILON * pixels.grad.sign()).clamp(0, 1)

    def astray(steps):
        return int((((steps - exact).abs() > 1e-6).flatten(1).double().mean(1) > 0.01).sum())

    assert astray(attacked) == 0
    assert astray(plain) >= 6
