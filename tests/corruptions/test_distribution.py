"""Random kinds against the published formulas with independent draws: same residuals, same errors of a real network."""

import numpy as np
import pytest
import reference_corruptions as reference
import torch

from sparsescope.checkpoints import load_classifier
from sparsescope.corruptions import STANDARD, corrupt
from sparsescope.corruptions.tables import CIFAR

# Water spatter is as random as mud, but its literal rewrite is too slow for hundreds of images.
RANDOM = [
    ("gaussian_noise", 5),
    ("shot_noise", 5),
    ("impulse_noise", 5),
    ("speckle_noise", 5),
    ("glass_blur", 3),
    ("motion_blur", 4),
    ("snow", 2),
    ("snow", 5),
    ("frost", 3),
    ("fog", 4),
    ("elastic_transform", 2),
    ("elastic_transform", 5),
    ("spatter", 4),
]


@pytest.fixture(scope="module")
def photographs(shared_data):
    with np.load(shared_data / "cifar10" / "test1000.npz") as stored:
        return stored["images"], stored["labels"]


def published(images, name, severity, seed, folder):
    rng = np.random.RandomState(seed)
    options = {"folder": folder} if name == "frost" else {}
    parameters = CIFAR[name][severity - 1]
    return np.stack([reference.corrupted(name, image, parameters, rng, **options) for image in images])


def residual_statistics(images, corrupted):
    """Return per image: mean and mean square of the residual, and its power in four bands of frequency."""
    residual = (corrupted.astype(float) - images).mean(axis=3)
    power = np.abs(np.fft.fft2(residual)) ** 2 / residual[0].size
    frequency = np.fft.fftfreq(images.shape[1])
    radius = np.hypot(frequency[:, None], frequency)
    edges = ((1e-9, 0.1), (0.1, 0.2), (0.2, 0.35), (0.35, 1))
    bands = [power[:, (radius >= low) & (radius < high)].mean(axis=1) for low, high in edges]
    full = corrupted.astype(float) - images
    return np.stack([residual.mean(axis=(1, 2)), (full**2).mean(axis=(1, 2, 3)), *bands], axis=1)


@pytest.mark.parametrize(("name", "severity"), RANDOM)
def test_residuals_have_the_same_mean_variance_and_spectrum(photographs, shared_data, name, severity):
    images = photographs[0][:150]
    folder = shared_data / "frost"
    ours = residual_statistics(images, corrupt(images, name, severity, seed=8, frost=folder))
    theirs = residual_statistics(images, published(images, name, severity, 1, folder))
    apart = np.log1p(np.abs(ours)) * np.sign(ours) - np.log1p(np.abs(theirs)) * np.sign(theirs)
    score = apart.mean(axis=0) / (apart.std(axis=0, ddof=1) / np.sqrt(len(images)))
    assert np.abs(score).max() < 4.2, score.round(2)
    assert apart.std() > 0  # the draws were independent


def test_a_real_network_makes_the_same_errors(photographs, shared_data):
    images, labels = photographs[0][:200], photographs[1][:200]
    network = load_classifier(
        shared_data / "checkpoints" / "resnet20-12fca82f.th",
        arch="resnet20s",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )

    def wrong(pixels):
        batches = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().contiguous().split(50)
        with network.prepared(), torch.no_grad():
            predicted = torch.cat([network(batch / 255).argmax(dim=1) for batch in batches])
        return predicted.numpy() != labels

    severity, folder, gaps = 4, shared_data / "frost", []
    for name in STANDARD:
        ours = wrong(corrupt(images, name, severity, frost=folder))
        theirs = wrong(published(images, name, severity, 2, folder))
        only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
        gaps.append((only_ours - only_theirs) / max(1, only_ours + only_theirs) ** 0.5)  # McNemar's z
        assert abs(gaps[-1]) < 3.5, f"{name}: {ours.mean():.3f} against {theirs.mean():.3f}"
        assert abs(ours.mean() - theirs.mean()) < 0.1, name
    assert abs(np.mean(gaps)) < 1
