"""A run that was interrupted goes on to the same bits, and never goes on as another run."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparsescope.benchmark import ArrayImages
from sparsescope.checkpoints import load_classifier
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, InputError, OptionError
from sparsescope.mask import Mask, prunable_weights
from sparsescope.training import Epoch, Progress, Recipe, RunFolder, train

Make = Callable[..., Classifier]
RECIPE = Recipe(epochs=4, batch_size=2, learning_rate=0.05, shift=1, flip=True, rewind_epoch=2)


class Killed(BaseException):
    pass


def state_of(path: Path) -> Any:
    return torch.load(path, weights_only=True)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for key in value if key != "seconds" for leaf in leaves(value[key])]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list | tuple) else [value]


def assert_same_files(one: Path, other: Path) -> None:
    """Weights, momentum, scaler, learning rates, losses: everything but the seconds."""
    first, second = leaves(state_of(one)), leaves(state_of(other))
    assert len(first) == len(second) and len(first) > 15
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b) if isinstance(a, Tensor) else a == b


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("where", ["border", "middle", "first epoch"])
def test_the_same_bits_as_an_uninterrupted_run(
    tmp_path: Path, make_classifier: Make, tiny_images: ArrayImages, tiny_test: ArrayImages, where: str, precision: Any
) -> None:
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    expected = train(
        make_classifier(0.5), tiny_images, RECIPE, folder=whole, test=tiny_test, seed=7, precision=precision
    )

    def at_border(epoch: Epoch) -> None:
        if where == "border" and epoch.number == 2:
            raise Killed

    def within(progress: Progress) -> None:
        stop = {"middle": (3, 1.0), "first epoch": (1, 1.0)}.get(where)
        if stop is not None and progress.epoch == stop[0] and progress.fraction < stop[1]:
            raise Killed

    torch.manual_seed(1)
    options = {"folder": parts, "test": tiny_test, "seed": 7, "precision": precision}
    with pytest.raises(Killed):
        train(
            make_classifier(0.5),
            tiny_images,
            RECIPE,
            on_epoch=at_border,
            on_progress=within,
            **options,
        )
    assert parts.checkpoint.exists() == (where != "first epoch")
    torch.manual_seed(2)
    told: list[Epoch] = []
    resumed = make_classifier(0.5)
    history = train(resumed, tiny_images, RECIPE, on_epoch=told.append, **options)
    assert [e.number for e in told] == [1, 2, 3, 4] and told == history
    assert [(e.loss, e.test_loss) for e in history] == [(e.loss, e.test_loss) for e in expected]
    for name in ("checkpoint.pt", "epoch-0.pt", "epoch-2.pt"):
        assert_same_files(whole.path / name, parts.path / name)
    assert sorted(item.name for item in parts.path.iterdir()) == ["checkpoint.pt", "epoch-0.pt", "epoch-2.pt"]


def test_a_recipe_in_two_parts(tmp_path: Path, make_classifier: Make, tiny_images: ArrayImages) -> None:
    # Without momentum to forget, two runs (0, 2) and (2, end) are one: what a rewound ticket needs.
    recipe = RECIPE.changed(momentum=0)
    whole, parts = make_classifier(0.5), make_classifier(0.5)
    expected = train(whole, tiny_images, recipe)
    first = train(parts, tiny_images, recipe, stop=2)
    folder = RunFolder(tmp_path / "run")
    second = train(parts, tiny_images, recipe, first=2, folder=folder)
    assert [(e.number, e.loss, e.learning_rate) for e in [*first, *second]] == [
        (e.number, e.loss, e.learning_rate) for e in expected
    ]
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, parts.module.state_dict()[name])
    assert sorted(item.name for item in folder.path.iterdir()) == ["checkpoint.pt", "epoch-2.pt"]
    again = make_classifier(0.5)
    again.module.load_state_dict(state_of(folder.kept(2))["state_dict"])
    assert train(again, tiny_images, recipe, first=2, folder=folder) == second
    for arguments in ({"first": 4}, {"first": -1}, {"stop": 5}, {"first": 2, "stop": 2}):
        with pytest.raises(OptionError, match="Expected 0 <= first < stop <= 4 epochs, but got first="):
            train(again, tiny_images, recipe, **arguments)


class Moving:
    """A toy dynamic method with a step in the optimiser's place: every 5th step drops one weight and grows another."""

    def start(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self.weight, self.optimiser, self.steps = module[4].weight, optimiser, 0
        self.kept = torch.arange(self.weight.numel()).view(self.weight.shape) % 2 == 0
        self.after_step(module, optimiser, 0)  # spoils the weights, as far as they were another mask's

    @property
    def mask(self) -> Mask:
        return Mask({"4.weight": self.kept})

    def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
        assert step == self.steps
        self.steps += 1
        if self.steps % 5:
            self.optimiser.step()
            return False
        gradient = self.weight.grad.abs().masked_fill(self.kept, -1)
        size = self.weight.detach().abs().masked_fill(~self.kept, torch.inf)
        self.kept.view(-1)[[int(gradient.argmax()), int(size.argmin())]] = torch.tensor([True, False])
        return False

    def after_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
        with torch.no_grad():
            self.weight.masked_fill_(~self.kept, 0)

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self.kept, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.kept, self.steps = state["kept"], state["steps"]


def test_a_moving_mask_goes_on_too(tmp_path: Path, make_classifier: Make, tiny_images: ArrayImages) -> None:
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    moved = make_classifier()
    train(moved, tiny_images, RECIPE, folder=whole, hook=Moving())

    def at_border(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise Killed

    with pytest.raises(Killed):
        train(make_classifier(), tiny_images, RECIPE, folder=parts, hook=Moving(), on_epoch=at_border)
    train(make_classifier(), tiny_images, RECIPE, folder=parts, hook=Moving())
    assert_same_files(whole.checkpoint, parts.checkpoint)
    first, last = state_of(whole.kept(0))["mask"]["4.weight"], state_of(whole.checkpoint)["mask"]["4.weight"]
    assert first.sum() == last.sum() and (first != last).any()
    assert torch.equal(moved.mask["4.weight"], last)


SCRIPT = """
import sys, numpy as np, torch
from torch import nn
from pathlib import Path
from sparsescope.benchmark import ArrayImages
from sparsescope.classifier import Classifier
from sparsescope.training import Recipe, RunFolder, train

torch.manual_seed(0)
rng = np.random.default_rng(0)
images = ArrayImages(rng.integers(0, 256, (64, 8, 8, 3), dtype=np.uint8), rng.integers(0, 3, 64))
module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
recipe = Recipe(epochs=int(sys.argv[2]), batch_size=2, learning_rate=1e-6, schedule="step")
train(Classifier(module), images, recipe, folder=RunFolder(Path(sys.argv[1])))
"""


def test_a_terminated_process_leaves_whole_files(tmp_path: Path) -> None:
    script, folder = tmp_path / "script.py", RunFolder(tmp_path / "run")
    script.write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, str(script), str(folder.path), "100000"])
    deadline = time.monotonic() + 60
    while not folder.checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM
    assert len(state_of(folder.checkpoint)["history"]) >= 1


def test_a_finished_run_is_only_read(tmp_path: Path, make_classifier: Make, tiny_images: ArrayImages) -> None:
    folder = RunFolder(tmp_path / "run")
    history = train(make_classifier(), tiny_images, RECIPE, folder=folder)
    written = folder.checkpoint.stat().st_mtime_ns
    again = make_classifier()
    assert train(again, tiny_images, RECIPE, folder=folder) == history
    assert folder.checkpoint.stat().st_mtime_ns == written
    stored = state_of(folder.checkpoint)["state_dict"]
    assert all(torch.equal(tensor, stored[name]) for name, tensor in again.module.state_dict().items())


def test_kept_weights_are_those_of_their_epoch(tmp_path: Path, make_classifier: Make, tiny_images: ArrayImages) -> None:
    folder, initial = RunFolder(tmp_path / "run"), make_classifier()
    train(make_classifier(), tiny_images, RECIPE, folder=folder)
    first = state_of(folder.kept(0))["state_dict"]
    assert all(torch.equal(tensor, first[name]) for name, tensor in initial.module.state_dict().items())
    short = RunFolder(tmp_path / "short")
    step = RECIPE.changed(schedule="step")  # whose first epochs do not depend on how many follow
    train(make_classifier(), tiny_images, step.changed(epochs=2), folder=short)
    train(make_classifier(), tiny_images, step, folder=RunFolder(tmp_path / "long"))
    second = state_of(tmp_path / "long" / "epoch-2.pt")["state_dict"]
    expected = state_of(short.checkpoint)["state_dict"]
    assert all(torch.equal(tensor, second[name]) for name, tensor in expected.items())


def test_checkpoints_are_read_like_any_other(tmp_path: Path) -> None:
    from sparsescope.architectures import resolve
    from sparsescope.datasets import open_benchmark

    module = resolve("digits_cnn").build()
    mask = Mask({name: weight > 0 for name, weight in prunable_weights(module).items()})
    classifier = Classifier(module, (0.3,), (0.3,), mask=mask)
    folder = RunFolder(tmp_path / "run", architecture="digits_cnn", task={"data": "digits"})
    images = open_benchmark("digits").test
    train(classifier, images, Recipe(epochs=1, batch_size=256), folder=folder)
    again = load_classifier(folder.checkpoint)
    assert again.sparsity == classifier.sparsity and again.warnings == ()
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, again.module.state_dict()[name])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"recipe": RECIPE.changed(batch_size=8)}, r"batch_size is 2 there and 8 here\. Give another folder"),
        ({"seed": 3}, r"seed is 0 there and 3 here"),
        ({"precision": "bfloat16"}, r"precision is 'float32' there and 'bfloat16' here"),
        ({"sparsity": 0.2}, r"fingerprint of the initial network is '.{11}… there and '.{11}… here"),
        ({"images": "test"}, r"fingerprint of the data is"),
    ],
)
def test_another_run_is_refused(
    tmp_path: Path,
    make_classifier: Make,
    tiny_images: ArrayImages,
    tiny_test: ArrayImages,
    change: dict[str, Any],
    text: str,
) -> None:
    folder = RunFolder(tmp_path / "run")
    train(make_classifier(), tiny_images, RECIPE.changed(description="x"), folder=folder)
    images = tiny_test if "images" in change else tiny_images
    classifier = make_classifier(change.get("sparsity", 0.0))
    with pytest.raises(OptionError, match=rf"run holds another training run: .*{text}"):
        train(
            classifier,
            images,
            change.get("recipe", RECIPE),
            folder=folder,
            seed=change.get("seed", 0),
            precision=change.get("precision", "float32"),
        )


def test_a_diverged_run_keeps_its_last_whole_epoch(
    tmp_path: Path, make_classifier: Make, tiny_images: ArrayImages
) -> None:
    folder, classifier = RunFolder(tmp_path / "run"), make_classifier()

    def spoil(epoch: Epoch) -> None:
        with torch.no_grad():
            classifier.module[0].weight.fill_(float("nan"))

    with pytest.raises(InputError, match=r"the loss is nan in epoch 2 .*The checkpoint of epoch 1 is kept in .*check"):
        train(classifier, tiny_images, RECIPE, folder=folder, on_epoch=spoil)
    assert torch.isfinite(state_of(folder.checkpoint)["state_dict"]["0.weight"]).all()


def test_folders_that_cannot_be_used(tmp_path: Path, make_classifier: Make, tiny_images: ArrayImages) -> None:
    with pytest.raises(InputError, match=r"Cannot use the folder .*none.run: No such file or directory"):
        train(make_classifier(), tiny_images, RECIPE, folder=RunFolder(tmp_path / "none" / "run"))
    folder = RunFolder(tmp_path)
    torch.save(make_classifier().module.state_dict(), folder.checkpoint)
    with pytest.raises(ArtefactError, match=r"is no checkpoint of a training run"):
        train(make_classifier(), tiny_images, RECIPE, folder=folder)
    folder.checkpoint.write_bytes(folder.checkpoint.read_bytes()[:100])
    with pytest.raises(ArtefactError, match="damaged or truncated"):
        train(make_classifier(), tiny_images, RECIPE, folder=folder)
