"""The engine: what is shown to the model, how often, in which batches, and what comes out."""

from collections import Counter

import numpy as np
import pytest
import reference_lime
import torch
from lime.lime_image import LimeImageExplainer
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, OptionError
from sparsescope.lime import LimeSettings, Shown, explain_images, segment
from sparsescope.lime import neighbourhood as neighbourhood_module
from sparsescope.lime.neighbourhood import Neighbourhood, forwarded
from sparsescope.lime.perturbations import draw_neighbourhood, draw_pivots

NUMBERS = ("fidelity", "fidelity_r2", "stability", "stability_relative", "probability", "intercept")


def pictures(n: int, channels: int = 3, size: int = 8, cells: int = 3) -> list[Shown]:
    """Random images, each under a random map of `cells` superpixels, all of them used."""
    rng = np.random.default_rng(n)
    shown = []
    for i in range(n):
        segments = rng.permutation(np.arange(size * size) % cells).reshape(size, size)
        shown.append(Shown(torch.from_numpy(rng.random((channels, size, size), dtype=np.float32)), segments, i))
    return shown


def explained(classifier, shown, settings, **keywords):
    with classifier.prepared():
        return list(explain_images(classifier, shown, settings, **keywords))


class Seen(nn.Module):
    """Keeps what it is shown and gives each image a probability that depends on its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(x.clone())
        level = x.mean(dim=(1, 2, 3))
        return torch.stack([level, 1 - level], dim=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_shows_exactly_the_perturbed_images_in_full_batches(channels):
    shown = pictures(3, channels)
    module = Seen()
    classifier = Classifier(module)
    explained(classifier, shown, LimeSettings(samples=10, fill=0.25), batch_size=8, seed=4)
    assert [len(batch) for batch in module.batches] == [8, 8, 8, 6]
    assert classifier.passes.forward == 3 * 10
    expected = [
        reference_lime.perturbed(item.image.numpy(), item.segments, row, 0.25)
        for item in shown
        for row in draw_neighbourhood(10, 3, 4, item.image_id)
    ]
    np.testing.assert_array_equal(torch.cat(module.batches).numpy(), np.stack(expected))


def test_numbers_equal_the_literal_rewrite(small_classifier):
    shown = pictures(4)
    settings = LimeSettings(samples=60, pivots=4, distance="cosine", alpha=0.5, kernel_width=0.4, fill=0.5)
    for item, fitted in zip(shown, explained(small_classifier, shown, settings, seed=2), strict=True):
        z = draw_neighbourhood(60, 3, 2, item.image_id).astype(float)
        images = [reference_lime.perturbed(item.image.numpy(), item.segments, row, 0.5) for row in z]
        with small_classifier.prepared(), torch.no_grad():
            probabilities = small_classifier(torch.from_numpy(np.stack(images))).double().softmax(dim=1).numpy()
        y = probabilities[:, probabilities[0].argmax()]
        pivots = draw_pivots(60, 4, 2, item.image_id)
        assert fitted.target == probabilities[0].argmax()
        assert fitted.probability == pytest.approx(y[0], abs=1e-6)
        assert fitted.fidelity == pytest.approx(reference_lime.fidelity(z, y, "cosine", 0.4, 0.5), rel=1e-3, abs=1e-9)
        stability = reference_lime.stability(z, y, pivots, "cosine", 0.4, 0.5)
        assert fitted.stability == pytest.approx(stability, rel=1e-3, abs=1e-9)
        assert fitted.fidelity_r2 == pytest.approx(reference_lime.fidelity_r2(z, y, "cosine", 0.4, 0.5), abs=1e-3)
        norm = (reference_lime.ridge(z, y, reference_lime.weights_around(z, z[0], "cosine", 0.4), 0.5)[0] ** 2).sum()
        assert fitted.stability_relative == pytest.approx(stability / norm, rel=1e-2)


def test_equals_the_lime_package_end_to_end(small_classifier, monkeypatch):
    """lime perturbs, forwards, weighs and fits by itself; both get the rows of lime's own generator."""
    (item,) = pictures(1, size=8, cells=6)
    rows = np.random.RandomState(5).randint(0, 2, 200 * 6).reshape(200, 6)
    rows[0] = 1
    monkeypatch.setattr(neighbourhood_module, "draw_neighbourhood", lambda *_: rows.astype(bool))

    def predict(images):
        with small_classifier.prepared(), torch.no_grad():
            return small_classifier(torch.from_numpy(images.transpose(0, 3, 1, 2))).softmax(dim=1).numpy()

    explanation = LimeImageExplainer(feature_selection="none", random_state=np.random.RandomState(5)).explain_instance(
        item.image.numpy().transpose(1, 2, 0),
        predict,
        top_labels=1,
        hide_color=0,
        num_samples=200,
        segmentation_fn=lambda _: item.segments,
        random_seed=0,
    )
    (fitted,) = explained(small_classifier, [item], LimeSettings(samples=200, distance="cosine"))
    assert fitted.target == explanation.top_labels[0]
    theirs = [value for _, value in sorted(explanation.local_exp[fitted.target])]
    np.testing.assert_allclose(fitted.coefficients, theirs, atol=1e-6)
    assert fitted.fidelity_r2 == pytest.approx(explanation.score, abs=1e-4)


class SuperpixelMeans(nn.Module):
    """Probability 0.2 + sum_j effect_j * (mean level of superpixel j)."""

    def __init__(self, segments: np.ndarray, effects: np.ndarray) -> None:
        super().__init__()
        onehot = torch.nn.functional.one_hot(torch.from_numpy(segments.reshape(-1))).double()
        self.register_buffer("means", onehot / onehot.sum(dim=0))
        self.register_buffer("effects", torch.from_numpy(effects))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        p = 0.2 + (x.mean(dim=1).flatten(1).double() @ self.means) @ self.effects
        return torch.stack([p, 1 - p], dim=1)


@pytest.mark.parametrize("distance", ["hamming", "cosine"])
def test_a_model_linear_in_superpixels_is_recovered_exactly(distance):
    (item,) = pictures(1, channels=1, cells=5)
    item = Shown(torch.ones_like(item.image), item.segments, 0)
    effects = np.array([0.3, -0.1, 0.2, 0.0, 0.05])
    classifier = Classifier(SuperpixelMeans(item.segments, effects), output="probabilities")
    settings = LimeSettings(samples=300, alpha=1e-9, distance=distance)
    (fitted,) = explained(classifier, [item], settings, targets=[0])
    np.testing.assert_allclose(fitted.coefficients, effects, atol=1e-6)
    assert fitted.intercept == pytest.approx(0.2, abs=1e-6)
    assert fitted.fidelity < 1e-12 and fitted.stability < 1e-12
    assert fitted.fidelity_r2 == pytest.approx(1, abs=1e-9)
    (other,) = explained(classifier, [item], settings, targets=[1])
    np.testing.assert_allclose(other.coefficients, -effects, atol=1e-6)


def test_batch_size_and_order_of_images_change_nothing(small_classifier):
    shown = pictures(5)
    settings = LimeSettings(samples=30)
    base = explained(small_classifier, shown, settings, batch_size=30)
    order = [3, 0, 4, 1, 2]
    runs = [explained(small_classifier, shown, settings, batch_size=size) for size in (1, 7, 200)]
    shuffled = explained(small_classifier, [shown[k] for k in order], settings, batch_size=7)
    runs.append([shuffled[order.index(k)] for k in range(5)])
    for run in runs:
        for a, b in zip(base, run, strict=True):
            assert a.target == b.target
            np.testing.assert_allclose([getattr(a, n) for n in NUMBERS], [getattr(b, n) for n in NUMBERS], rtol=1e-3)
            np.testing.assert_allclose(a.coefficients, b.coefficients, atol=1e-6)


def test_an_image_of_one_superpixel_is_skipped_without_passes(small_classifier):
    shown = pictures(3)
    whole = Shown(shown[1].image, np.zeros((8, 8), np.int64), 1)
    settings = LimeSettings(samples=20)
    base = explained(small_classifier, shown, settings)
    small_classifier.passes.forward = 0
    first, skipped, last = explained(small_classifier, [shown[0], whole, shown[2]], settings)
    assert skipped is None
    assert small_classifier.passes.forward == 40
    assert first.fidelity == pytest.approx(base[0].fidelity, rel=1e-3)
    assert last.fidelity == pytest.approx(base[2].fidelity, rel=1e-3)
    assert explained(small_classifier, [whole, whole], settings) == [None, None]
    assert small_classifier.passes.forward == 40


def test_a_constant_model_is_faithful_stable_and_flagged():
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    nn.init.zeros_(module[1].weight)
    for fitted in explained(Classifier(module), pictures(3), LimeSettings(samples=50)):
        assert fitted.constant
        assert fitted.fidelity < 1e-25 and fitted.stability < 1e-25
        assert fitted.fidelity_r2 == 0 and fitted.stability_relative == 0
        assert np.isfinite(fitted.coefficients).all()


def test_coefficients_that_vanish_are_flagged_and_divide_nothing(small_classifier):
    (fitted,) = explained(small_classifier, pictures(1), LimeSettings(samples=20, alpha=1e200))
    assert fitted.constant is True and fitted.stability_relative == 0
    assert fitted.fidelity > 0


def test_explains_the_class_asked_for(small_classifier):
    shown = pictures(3)
    settings = LimeSettings(samples=20)
    own = explained(small_classifier, shown, settings)
    with small_classifier.prepared():
        assert [f.target for f in own] == small_classifier(torch.stack([s.image for s in shown])).argmax(1).tolist()
    asked = explained(small_classifier, shown, settings, targets=np.array([3, 0, 1]))
    assert [f.target for f in asked] == [3, 0, 1]
    assert Counter(f.target == o.target for f, o in zip(asked, own, strict=True))[False] >= 2


def test_only_the_images_in_the_current_batch_are_made(small_classifier):
    made = []

    def lazily():
        for item in pictures(6):
            made.append(item.image_id)
            yield Neighbourhood(item, LimeSettings(samples=10), 0, None, torch.device("cpu"))

    with small_classifier.prepared():
        first = next(forwarded(small_classifier, lazily(), 16))
    assert len(first) == 10
    assert made == [0, 1]


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 32), (3, 8), (3, 72)])
def test_every_size_and_number_of_channels(channels, size):
    rng = np.random.default_rng(0)
    blocks = rng.random((channels, 4, 4)).repeat(size // 4, axis=1).repeat(size // 4, axis=2).astype(np.float32)
    for fill in (0.0, "mean", "blur"):
        for method in ("auto", "grid", "slic"):
            item = Shown(torch.from_numpy(blocks), segment(blocks, method), 0)
            (fitted,) = explained(Classifier(Seen()), [item], LimeSettings(samples=12, fill=fill, superpixels=method))
            if item.superpixels >= 2 and fill != "mean":  # each superpixel is its own mean
                assert len(fitted.coefficients) == item.superpixels
                assert np.isfinite([getattr(fitted, name) for name in NUMBERS]).all()
            elif fill != "mean":
                assert fitted is None


def test_filling_with_what_is_there_leaves_nothing_to_explain(small_classifier):
    item = Shown(torch.full((3, 8, 8), 0.5), pictures(1)[0].segments, 0)
    assert explained(small_classifier, [item], LimeSettings(samples=20, fill=0.5)) == [None]
    assert explained(small_classifier, [item], LimeSettings(samples=20, fill="mean")) == [None]
    pixels = Shown(torch.rand(3, 8, 8), np.arange(64).reshape(8, 8), 0)  # superpixels of one pixel
    assert explained(small_classifier, [pixels], LimeSettings(samples=20, fill="mean")) == [None]
    assert explained(small_classifier, [pixels], LimeSettings(samples=20, fill=0.5)) != [None]


def test_errors_name_the_model_and_what_to_do(small_classifier):
    with pytest.raises(InputError, match="explained class to be one of 0–3, the outputs of small, but got 4"):
        explained(small_classifier, pictures(1), LimeSettings(samples=5, pivots=1), targets=[4])
    broken = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), name="broken")
    nn.init.constant_(broken.module[1].weight, float("inf"))
    with pytest.raises(InputError, match="broken returns logits that are not finite for images with superpixels"):
        explained(broken, pictures(1), LimeSettings(samples=5, pivots=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 1}, "Expected samples to be at least 2, but got 1."),
        ({"samples": 5, "pivots": 5}, "Expected pivots to be from 1 to samples - 1 = 4, but got 5."),
        ({"pivots": 0}, "Expected pivots to be from 1 to samples - 1 = 999, but got 0."),
        ({"alpha": -1.0}, "Expected alpha to be a finite number >= 0, but got -1.0."),
        ({"alpha": float("nan")}, "Expected alpha to be a finite number >= 0, but got nan."),
        ({"kernel_width": 0.0}, "Expected kernel_width to be > 0, but got 0.0."),
        ({"distance": "euclid"}, "Expected distance to be one of hamming, cosine, but got 'euclid'."),
        ({"superpixels": "watershed"}, "Expected superpixels to be one of auto, felzenszwalb, quickshift, slic, grid"),
        ({"fill": "black"}, "Expected fill to be a number, a color, mean or blur, but got 'black'."),
        ({"fill": 255.0}, "Expected fill to be colors in [0, 1] (pixels), but got 255.0."),
        ({"fill": ()}, "Expected fill to be colors in [0, 1] (pixels), but got ()."),
    ],
)
def test_settings_outside_their_range(options, message):
    with pytest.raises(OptionError) as caught:
        LimeSettings(**options)
    assert message in str(caught.value)
