import itertools

import numpy as np
import pytest
import reference_attacks as reference
import reference_curvature
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.attacks import Pgd, fgsm, pgd
from sparsescope.attacks.ball import project, uniform_start
from sparsescope.attacks.pgd import Search
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, NotEvaluated, OptionError
from sparsescope.randomness import generator

EPSILON = 8 / 255


@pytest.fixture
def batch(small_classifier):
    """24 images, of which the model has all but the first four right."""
    images = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with small_classifier.prepared(), torch.no_grad():
        labels = small_classifier(images).argmax(1)
    labels[:4] = (labels[:4] + 1) % 4
    return images, labels


def line(weights, bias=0.0):
    """Two classes, z = (w x + b, 0): class 0 where w x + b > 0."""
    linear = nn.Linear(len(weights), 2)
    linear.weight.data = torch.tensor([weights, [0.0] * len(weights)])
    linear.bias.data = torch.tensor([bias, 0.0])
    return Classifier(nn.Sequential(nn.Flatten(), linear))


def right(classifier, images, labels):
    with torch.no_grad():
        return classifier(images).argmax(1) == labels


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
@pytest.mark.parametrize("random_start", [False, True])
def test_linear_model_by_hand(loss, random_start):
    # The margin of class 0 is w x + b, lowest within ε at x - ε sign(w), clipped to [0, 1].
    classifier = line([1.0, -2.0, 3.0, -1.0], bias=10.0)
    image = torch.tensor([0.5, 0.5, 0.05, 0.97]).reshape(1, 1, 1, 4)
    with classifier.prepared():
        attacked = pgd(classifier, image, torch.tensor([0]), 0.1, loss=loss, random_start=random_start)
    torch.testing.assert_close(attacked.flatten(), torch.tensor([0.4, 0.6, 0.0, 1.0]))


def test_an_image_stops_where_it_is_first_wrong_and_wrong_ones_are_left_alone():
    # w x with w = 1, b = -0.5: steps of 0.02 from 0.55 cross the border at 0.49.
    classifier = line([1.0], bias=-0.5)
    images = torch.tensor([0.55, 0.9, 0.3]).reshape(3, 1, 1, 1)
    with classifier.prepared():
        found = Pgd(0.1, steps=5, step_size=0.02, random_start=False).search(classifier, images, torch.zeros(3).long())
    torch.testing.assert_close(found.images.flatten(), torch.tensor([0.49, 0.8, 0.3]))
    assert found.right_before.tolist() == [True, True, False]
    assert found.right_after.tolist() == [False, True, False]
    # The clean pass of all three; then 0.55, 0.53, 0.51, 0.49 of the first and six places of the second.
    assert (classifier.passes.forward, classifier.passes.backward) == (3 + 4 + 6, 4 + 5)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
@pytest.mark.parametrize("random_start", [False, True])
@pytest.mark.parametrize("epsilon", [0.02, 0.1])
def test_against_the_literal_algorithm(small_classifier, batch, loss, random_start, epsilon):
    images, labels = batch
    classifier = reference_curvature.doubled(small_classifier)
    with classifier.prepared():
        attacked = pgd(
            classifier, images.double(), labels, epsilon, steps=6, loss=loss, random_start=random_start, seed=5
        )
    for row in range(4, 24):
        start = images[row]
        if random_start:
            u = 2 * generator(5, "attack/pgd/0", row).random((3, 8, 8), dtype=np.float32).astype(float) - 1
            start = (images[row].double() + epsilon * torch.from_numpy(u)).clamp(0, 1)
        expected = reference.pgd(small_classifier, images[row], labels[row], start, epsilon, 6, 2.5 * epsilon / 6, loss)
        torch.testing.assert_close(attacked[row], expected)
    assert torch.equal(attacked[:4], images[:4].double())


@pytest.mark.parametrize("epsilon", [0.02, 0.1])
def test_against_foolbox_from_the_same_start(small_classifier, batch, epsilon):
    # foolbox never stops: ours must be its first wrong place, in any number of steps, else its last.
    foolbox = pytest.importorskip("foolbox")
    images, labels = batch
    images, labels = images[4:].double(), labels[4:]
    classifier = reference_curvature.doubled(small_classifier)
    expected, running = images.clone(), torch.ones(len(images), dtype=torch.bool)
    with classifier.prepared():
        model = foolbox.PyTorchModel(_AsModule(classifier).eval(), bounds=(0, 1), device="cpu")
        for steps in range(1, 6):
            attack = foolbox.attacks.LinfPGD(abs_stepsize=epsilon / 4, steps=steps, random_start=False)
            places = attack.run(model, images, foolbox.criteria.Misclassification(labels), epsilon=epsilon)
            expected[running] = places[running]
            running &= right(classifier, expected, labels)
        attacked = pgd(classifier, images, labels, epsilon, steps=5, step_size=epsilon / 4, random_start=False)
    torch.testing.assert_close(attacked, expected)
    assert 0 < running.sum() < len(images) or epsilon == 0.1


class _AsModule(nn.Module):
    def __init__(self, classifier):
        super().__init__()
        self.inner, self.classifier = classifier.module, classifier

    def forward(self, images):
        return self.classifier(images)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    epsilon=st.floats(0, 0.3), step_size=st.none() | st.floats(0, 1), seed=st.integers(0, 2**32), start=st.booleans()
)
def test_stays_within_epsilon_and_the_pixel_range(small_classifier, batch, epsilon, step_size, seed, start):
    images, labels = batch
    images[4:6] = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    with small_classifier.prepared():
        attacked = pgd(
            small_classifier, images, labels, epsilon, steps=3, step_size=step_size, random_start=start, seed=seed
        )
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert (attacked.double() - images.double()).abs().max() <= epsilon + 2**-24


def test_more_steps_and_restarts_and_a_larger_ball_never_help_the_model(small_classifier, batch):
    images, labels = batch

    def stands(epsilon=0.02, **options):
        search = Pgd(epsilon, **options).search(small_classifier, images, labels)
        assert torch.equal(search.right_after, right(small_classifier, search.images, labels))
        return search.right_after

    with small_classifier.prepared():
        by_steps = [stands(steps=steps, step_size=0.004) for steps in (1, 3, 9)]
        by_restarts = [stands(epsilon=0.05, steps=1, restarts=count) for count in (1, 3)]
        sizes = [int(stands(epsilon).sum()) for epsilon in (0.0, 0.01, 0.03, 0.1, 0.2)]
    for fewer, more in (*itertools.pairwise(by_steps), by_restarts):
        assert not (more & ~fewer).any()
    assert by_steps[0].sum() > by_steps[-1].sum()
    assert by_restarts[0].sum() > by_restarts[1].sum()
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == 20 and sizes[-1] == 0


def test_of_several_restarts_the_worst_is_kept(small_classifier, batch):
    images, labels = (part[4:] for part in batch)

    def margins(x):
        with torch.no_grad():
            return torch.stack([reference.margin(z, y) for z, y in zip(small_classifier(x), labels, strict=True)])

    with small_classifier.prepared():
        one, three = (pgd(small_classifier, images, labels, 0.01, steps=1, restarts=count) for count in (1, 3))
        stood = right(small_classifier, one, labels) & right(small_classifier, three, labels)
        gained = (margins(three) - margins(one))[stood]
    assert gained.min() >= -1e-6 and gained.max() > 1e-4


def test_batches_and_the_company_of_other_images_change_nothing(small_classifier, batch):
    images, labels = batch
    ids = np.arange(100, 124)
    with small_classifier.prepared():
        whole = pgd(small_classifier, images, labels, 0.02, seed=3, ids=ids)
        for size in (1, 5):
            other = pgd(small_classifier, images, labels, 0.02, seed=3, ids=ids, batch_size=size)
            assert (other != whole).float().mean() < 1e-3  # a sign may flip where a gradient is zero but for rounding
        part = pgd(small_classifier, images[7:15], labels[7:15], 0.02, seed=3, ids=ids[7:15])
        assert (part != whole[7:15]).float().mean() < 1e-3
        elsewhere = pgd(small_classifier, images, labels, 0.02, seed=4, ids=ids)
    assert (elsewhere[4:] != whole[4:]).flatten(1).any(1).all()


def test_starts_are_uniform_in_the_ball_and_follow_its_size():
    images = torch.full((200, 1, 8, 8), 0.5)
    ids = np.arange(200)
    small, large = (uniform_start(images, epsilon, ids, 0, "s") - 0.5 for epsilon in (0.1, 0.2))
    torch.testing.assert_close(2 * small, large)
    assert small.abs().max() <= 0.1
    assert float(small.mean()) == pytest.approx(0, abs=4 * 0.1 / np.sqrt(3 * small.numel()))
    assert float(small.std()) == pytest.approx(0.1 / np.sqrt(3), rel=0.02)
    edge = uniform_start(torch.zeros(200, 1, 8, 8), 0.1, ids, 0, "s")
    assert float((edge == 0).float().mean()) == pytest.approx(0.5, abs=0.03)  # clipped, not drawn again


def test_projection_is_exact():
    x = torch.tensor([0.02, 0.5, 0.99]).view(1, 1, 1, 3)
    torch.testing.assert_close(project(x + 1, x, 0.05).flatten(), torch.tensor([0.07, 0.55, 1.0]))
    torch.testing.assert_close(project(x - 1, x, 0.05).flatten(), torch.tensor([0.0, 0.45, 0.94]))
    assert torch.equal(project(x, x, 0.0), x)


def test_confidence_cannot_hide_a_model(small_network, small_classifier, batch):
    # With logits 1e5 times as large the cross-entropy of every image is 0 in float32, and so is its plain gradient.
    class Sure(nn.Module):
        def forward(self, images):
            return 1e5 * small_network(images)

    images, labels = batch
    calm = Pgd(0.02, loss="margin")
    sure = Classifier(Sure(), mean=small_classifier.mean, std=small_classifier.std)
    with small_classifier.prepared(), sure.prepared():
        expected = calm.search(small_classifier, images, labels).right_after
        assert torch.equal(Pgd(0.02).search(sure, images, labels).right_after, expected)
    assert 0 < expected.sum() < 20


def test_nothing_right_needs_no_gradient(small_classifier, batch):
    images, labels = batch
    before = small_classifier.passes.forward
    with small_classifier.prepared():
        found = Pgd().search(small_classifier, images[:4], labels[:4])
    assert isinstance(found, Search) and torch.equal(found.images, images[:4])
    assert (small_classifier.passes.forward, small_classifier.passes.backward) == (before + 4, 0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"epsilon": -1.0}, "Expected epsilon >= 0, in pixel units such as 8/255, but got -1"),
        ({"epsilon": float("inf")}, "but got inf"),
        ({"step_size": -0.1}, "Expected step_size >= 0, in pixel units such as 2/255, but got -0.1"),
        ({"steps": 0}, "Expected steps >= 1, but got 0"),
        ({"restarts": 0}, "Expected restarts >= 1, but got 0"),
        ({"restarts": 2, "random_start": False}, "Expected restarts = 1 without a random start, but got 2"),
        ({"ids": np.arange(3)}, r"Expected one id for each of the 24 images, but got shape \(3,\)"),
    ],
)
def test_options_outside_their_range(small_classifier, batch, options, text):
    with pytest.raises(OptionError, match=text):
        pgd(small_classifier, *batch, **options)


def test_logits_must_be_finite(small_classifier, batch):
    small_classifier.module[7].bias.data[2] = torch.nan
    with small_classifier.prepared(), pytest.raises(InputError, match="small returns logits that are not finite"):
        pgd(small_classifier, *batch)


def test_a_model_without_gradient_is_not_evaluated():
    class Cut(nn.Module):
        def forward(self, images):
            return images.detach().flatten(1)[:, :4]

    images = torch.zeros(2, 1, 2, 2)
    with pytest.raises(NotEvaluated, match="the logits of model have no gradient in the images"):
        pgd(Classifier(Cut()), images, torch.tensor([0, 0]))


def test_real_network_falls_further_than_under_one_step(shared_data):
    network = resnet20s()
    weights = torch.load(shared_data / "checkpoints" / "resnet20_omp_s0.488.pt", weights_only=True)
    network.load_state_dict(weights)
    classifier = Classifier(network, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    with np.load(shared_data / "cifar10" / "test1000.npz") as data:
        images = torch.from_numpy(data["images"][:60].transpose(0, 3, 1, 2) / np.float32(255)).contiguous()
        labels = torch.from_numpy(data["labels"][:60]).long()
    with classifier.prepared():
        clean = right(classifier, images, labels).sum()
        one_step = right(classifier, fgsm(classifier, images, labels, 1 / 255), labels).sum()
        ten, twenty = (Pgd(1 / 255, steps=steps).search(classifier, images, labels) for steps in (10, 20))
        assert right(classifier, pgd(classifier, images, labels), labels).sum() == 0  # within 8/255
    assert clean > one_step > ten.right_after.sum() >= twenty.right_after.sum() > 0
