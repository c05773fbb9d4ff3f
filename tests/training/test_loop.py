"""The loop: against plain PyTorch, under masks, in mixed precision, and what it says when it cannot go on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from reference_training import train_plainly
from torch import Tensor, nn

from sparsescope.benchmark import ArrayImages
from sparsescope.classifier import Classifier
from sparsescope.errors import DataError, InputError, SparsescopeWarning
from sparsescope.mask import Mask
from sparsescope.training import Epoch, FixedMask, Progress, Recipe, train
from sparsescope.training.batches import epoch_batches
from sparsescope.training.distributed import Ranks
from sparsescope.training.schedule import learning_rate

Make = Callable[..., Classifier]
RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.05, shift=1, flip=True, weight_decay=0.01)


def weights(classifier: Classifier) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in classifier.module.state_dict().items()}


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert list(one) == list(other)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_the_plain_loop_gives_the_same_weights(
    make_classifier: Make, tiny_images: ArrayImages, sparsity: float, nesterov: bool, smoothing: float
) -> None:
    recipe = RECIPE.changed(nesterov=nesterov, schedule="step", milestones=(2,), label_smoothing=smoothing)
    ours, theirs = (make_classifier(sparsity, dropout=False) for _ in range(2))
    theirs.mask.apply(theirs.module)
    train(ours, tiny_images, recipe, seed=4)
    epochs = [
        [
            ((batch.images - 0.4) / 0.25, batch.labels)
            for batch in epoch_batches(tiny_images, recipe, seed=4, epoch=epoch, ranks=Ranks(), workers=0)
        ]
        for epoch in range(3)
    ]
    train_plainly(
        theirs.module,
        epochs,
        lambda step: learning_rate(recipe, step, 4),
        momentum=0.9,
        weight_decay=0.01,
        nesterov=nesterov,
        removed={name: ~kept for name, kept in theirs.mask.items()},
        smoothing=smoothing,
    )
    for name, tensor in weights(theirs).items():
        torch.testing.assert_close(ours.module.state_dict()[name], tensor, rtol=1e-5, atol=1e-7)


def test_removed_weights_are_zero_at_every_step(make_classifier: Make, tiny_images: ArrayImages) -> None:
    classifier = make_classifier(0.5)
    removed = ~classifier.mask["4.weight"]
    largest: list[float] = []

    class Watching(FixedMask):
        def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
            assert module[4].weight.grad[removed].abs().max() > 0  # they would move
            largest.append(module[4].weight[removed].abs().max().item())
            return True

        def after_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
            super().after_step(module, optimiser, step)
            largest.append(module[4].weight[removed].abs().max().item())

    history = train(classifier, tiny_images, RECIPE, hook=Watching(classifier.mask))
    assert largest == [0.0] * 24
    assert history[-1].sparsity == pytest.approx(float(removed.sum()) / (6 * 3 * 9 + 6 * 6 * 9))


def test_a_hook_may_skip_steps_and_move_its_mask(make_classifier: Make, tiny_images: ArrayImages) -> None:
    # A toy dynamic method: at step 1 it makes no step, and exchanges one removed weight for a kept one.
    classifier = make_classifier(0.5, dropout=False)
    before = classifier.mask["4.weight"]

    class Exchanging(FixedMask):
        def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
            if step != 1:
                return True
            self.weights = module[4].weight.detach().clone()
            kept = self.mask["4.weight"].clone().flatten()
            kept[[int(kept.nonzero()[0]), int((~kept).nonzero()[0])]] = torch.tensor([False, True])
            self._mask = Mask({"4.weight": kept.view(before.shape)})
            self.start(module, optimiser)
            return False

        def after_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
            super().after_step(module, optimiser, step)
            if step == 1:
                moved = (module[4].weight != self.weights).sum()
                assert moved == 1  # only the dropped weight: the optimiser made no step

    hook = Exchanging(classifier.mask)
    train(classifier, tiny_images, RECIPE.changed(epochs=1), hook=hook)
    after = classifier.mask["4.weight"]
    assert int((after != before).sum()) == 2 and after.sum() == before.sum()
    assert torch.equal(classifier.module[4].weight != 0, after)


def test_it_learns_and_tells(make_classifier: Make, tiny_images: ArrayImages, tiny_test: ArrayImages) -> None:
    classifier, told, progress = make_classifier(), [], []
    recipe = RECIPE.changed(epochs=12, shift=0)
    history = train(classifier, tiny_images, recipe, test=tiny_test, on_epoch=told.append, on_progress=progress.append)
    assert told == history and [epoch.number for epoch in history] == list(range(1, 13))
    assert history[-1].loss < history[0].loss and history[-1].test_accuracy > 0.9
    assert all(epoch.seconds > 0 and epoch.sparsity == 0 for epoch in history)
    assert history[-1].learning_rate == learning_rate(recipe, 47, 4)
    assert not classifier.module.training
    with torch.no_grad():
        logits = classifier(tiny_test.read(range(20)))
    right = (logits.argmax(1).numpy() == tiny_test.labels).mean()
    assert history[-1].test_accuracy == pytest.approx(right)
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(tiny_test.labels))
    assert history[-1].test_loss == pytest.approx(float(loss), rel=1e-5)
    last: Progress = progress[-1]
    assert (last.done, last.epochs, last.seconds_left) == (12, 12, 0)
    assert last.text.startswith("epoch 12/12, loss 0.") and "sparsity" not in last.text


def test_looking_at_test_images_changes_nothing(
    make_classifier: Make, tiny_images: ArrayImages, tiny_test: ArrayImages
) -> None:
    one, other = make_classifier(0.3), make_classifier(0.3)
    train(one, tiny_images, RECIPE, workers=0)
    train(other, tiny_images, RECIPE, workers=3, test=tiny_test, on_progress=lambda progress: None)
    assert_same_bits(weights(one), weights(other))


def test_seeds_and_global_random_numbers(make_classifier: Make, tiny_images: ArrayImages) -> None:
    results = []
    for seed, state in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(state)
        expected = torch.get_rng_state()
        classifier = make_classifier()
        train(classifier, tiny_images, RECIPE, seed=seed)
        assert torch.equal(torch.get_rng_state(), expected)  # dropout drew, and left no trace
        results.append(weights(classifier))
    assert_same_bits(results[0], results[1])
    assert not torch.equal(results[0]["7.weight"], results[2]["7.weight"])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_stays_near_float32(make_classifier: Make, tiny_images: ArrayImages, precision: Any) -> None:
    full, mixed = make_classifier(0.4, dropout=False), make_classifier(0.4, dropout=False)
    first, second = (
        train(classifier, tiny_images, RECIPE, precision=kind)[-1]
        for classifier, kind in ((full, "float32"), (mixed, precision))
    )
    assert first.loss != second.loss and first.loss == pytest.approx(second.loss, abs=0.05)
    assert mixed.module[0].weight.dtype == torch.float32
    assert not mixed.module[4].weight[~mixed.mask["4.weight"]].any()


def test_gradients_that_overflow_are_no_step_and_no_hooks_business(
    make_classifier: Make, tiny_images: ArrayImages
) -> None:
    seen: list[bool] = []

    class Watching(FixedMask):
        def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
            seen.append(all(bool(torch.isfinite(p.grad).all()) for p in module.parameters()))
            return True

    classifier = make_classifier(dropout=False, normalised=False)
    with torch.no_grad():
        classifier.module[7].weight *= 30  # with the initial loss scale of 65536 the first gradients are infinite
    history = train(classifier, tiny_images, RECIPE, precision="float16", hook=Watching(classifier.mask))
    assert all(seen) and 0 < len(seen) < 12
    assert np.isfinite(history[-1].loss)


def test_a_loss_that_is_not_finite_ends_the_run(make_classifier: Make, tiny_images: ArrayImages) -> None:
    told: list[Epoch] = []
    with pytest.raises(InputError, match=r"Training diverged: the loss is (nan|inf) in epoch 1 \(learning rate .*kept"):
        train(make_classifier(), tiny_images, RECIPE.changed(learning_rate=1e30), on_epoch=told.append)
    assert told == []


def test_labels_and_images_that_the_network_is_not_for(make_classifier: Make) -> None:
    images = ArrayImages(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 2, 3]))
    with pytest.raises(
        DataError, match=r"Expected labels 0–2 \(the network has 3 outputs\).* have the label 3\. Build"
    ):
        train(make_classifier(), images, RECIPE)
    known = ArrayImages(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 2, 2]))
    told: list[Epoch] = []
    with pytest.raises(DataError, match=r"but the test images have the label 3"):
        train(make_classifier(), known, RECIPE, test=images, on_epoch=told.append)
    assert told == []  # found before anything is trained
    grey = ArrayImages(np.zeros((4, 8, 8), np.uint8), np.array([0, 1, 2, 2]))
    with pytest.raises(DataError, match=r"cannot take the training images of shape \(1, 8, 8\) .* 1 channels"):
        train(make_classifier(), grey, RECIPE)
    with pytest.raises(DataError, match="has no labels"):
        train(make_classifier(), ArrayImages(np.zeros((4, 8, 8, 3), np.uint8)), RECIPE)


def test_maps_of_one_pixel_under_batch_norm_and_one_image_too_many(tiny_images: ArrayImages) -> None:
    module = nn.Sequential(nn.AvgPool2d(8), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 3))
    history = train(Classifier(module, (0.4,), (0.25,)), tiny_images, RECIPE.changed(batch_size=5))  # 26 = 5 * 5 + 1
    assert len(history) == 3 and int(module[1].num_batches_tracked) == 15


def test_a_network_that_is_frozen_altogether(make_classifier: Make, tiny_images: ArrayImages) -> None:
    classifier = make_classifier()
    classifier.module.requires_grad_(False)
    with pytest.raises(InputError, match=r"to have parameters to train, but all are frozen. Call requires_grad_\(\)"):
        train(classifier, tiny_images, RECIPE)


def test_batches_that_batch_normalization_has_no_use_for(tiny_images: ArrayImages) -> None:
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(6), nn.BatchNorm1d(6), nn.Linear(6, 4))
    images = tiny_images.read(range(2))
    network.eval()(images)
    text = r"BatchNorm has no use for one value per channel, but .* is shown 1 image of shape .* Raise batch_size"
    with pytest.raises(InputError, match=text):
        train(Classifier(network), tiny_images, RECIPE.changed(batch_size=1))


def test_a_softmax_inside_is_warned_of_and_read_right_where_it_is_said(
    make_classifier: Make, tiny_images: ArrayImages
) -> None:
    plain, soft, told = (make_classifier(dropout=False) for _ in range(3))
    soft.module, told.module = (nn.Sequential(each.module, nn.Softmax(1)) for each in (soft, told))
    with pytest.warns(SparsescopeWarning, match="seems to return probabilities.*--model-output probabilities"):
        train(soft, tiny_images, RECIPE, seed=4)
    told.output = "probabilities"
    train(told, tiny_images, RECIPE, seed=4)
    train(plain, tiny_images, RECIPE, seed=4)
    for (name, weight), other in zip(weights(plain).items(), weights(told).values(), strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-4, atol=1e-5, msg=name)
    assert any(not torch.allclose(a, b) for a, b in zip(weights(plain).values(), weights(soft).values(), strict=True))
