"""Workshop: the dense network of one seed and everything its tickets share: data, recipe, folders, device."""

import copy
import dataclasses
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from sparsescope.architectures import resolve
from sparsescope.benchmark import ImageSet
from sparsescope.checkpoints import load_classifier, save_checkpoint
from sparsescope.checkpoints.read import read
from sparsescope.classifier import Classifier, Origin
from sparsescope.errors import DataError, InputError, OptionError, SparsescopeWarning
from sparsescope.mask import Mask
from sparsescope.pruning import Method
from sparsescope.training import Precision, Recipe, RunFolder, StepHook, train

__all__ = ["Rewind", "Workshop"]

Rewind = Literal["weights", "learning_rate"]


@dataclass(frozen=True)
class Workshop:
    """Trains the dense network of one seed, once, and whatever else is trained alike; every run has its own folder.

        folder/dense/           checkpoint.pt, epoch-0.pt (initial weights) and epoch-K.pt, K the recipe's rewind_epoch
        folder/small/           the small dense twin
        folder/METHOD-0.488/    a ticket; of LTH, a round; ticket.json says how it was pruned

    An interrupted run goes on after its last whole epoch, a finished one is not touched.

    Args:
        folder: where the runs are kept; it is made.
        architecture: specification of the network; with a parent it may be empty.
        images: labelled training images.
        recipe: how everything is trained.
        seed: of initialisation, order, augmentation and random masks.
        data: specification of the data, kept in checkpoints.
        resize: pixels of the shorter side to which its images were resized, kept likewise.
        crop: side of their centre crop, kept likewise.
        classes: class names; none: counted from the labels.
        mean: of the normalisation; default: the architecture's.
        std: likewise.
        output: how logits are read from what the network returns, see `Classifier`; default: as the parent's
            checkpoint says, else logits.
        parent: checkpoint of a dense network that is trained already; if our training wrote it, the weights kept
            beside it serve for rewinding.
        parent_weights: which of several state dicts in that file, as `load_classifier` takes it.
        rewind: what goes back to epoch K where trained weights are pruned: the `"weights"`, and the schedule with them,
            or the `"learning_rate"` schedule alone. Default: the weights, where they were kept.
        scope: which weights compete; default: that of the method.
        prune_head: prune the classification head too.
        skip_first: leave the first layer alone.
        options: keywords of the methods' own, by the methods' names.
        recipes: how tickets are trained by methods with a recipe of their own, by the methods' names: methods that
            start from the initial weights.
        score_images: training images that scores look at, a stratified sample; default 10 per class.
        test: labelled images to look at after every epoch; nothing depends on them.
        device: where to compute.
        precision: of the training's forward pass.
        workers: threads that prepare batches.
        told: called with (name of a run, fraction of its training done, one line).
    """

    folder: Path
    architecture: str
    images: ImageSet
    recipe: Recipe
    seed: int = 0
    data: str | None = None
    resize: int | None = None
    crop: int | None = None
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    output: str | int | None = None
    parent: Path | None = None
    parent_weights: str | None = None
    rewind: Rewind | None = None
    scope: str | None = None
    prune_head: bool = False
    skip_first: bool = False
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    score_images: int | None = None
    test: ImageSet | None = None
    device: str = "cpu"
    precision: Precision = "float32"
    workers: int = 1
    told: Callable[[str, float, str], None] | None = None

    def dense(self) -> Classifier:
        """Return the dense network as it is after training, which takes place now if it has not yet."""
        if self.parent is not None:
            arch = self.architecture or None
            weights, output = self.parent_weights, self.output
            return load_classifier(self.parent, arch=arch, mean=self.mean, std=self.std, output=output, weights=weights)
        return self.stored(self.train("dense", self.initial(), recipe=self.recipe))

    @property
    def dense_checkpoint(self) -> Path:
        """Where the dense network is, once it is trained."""
        return self.parent or self.run("dense").checkpoint

    def small(self, architecture: str) -> Path:
        """Train the small dense twin as the dense network; return its checkpoint."""
        twin = dataclasses.replace(self, architecture=architecture, parent=None)
        return twin.train("small", twin.initial())

    def initial(self) -> Classifier:
        """Return a copy of the network as training begins with it; of a parent without kept weights, its own."""
        return _copied(self._initial)

    def rewound(self) -> Classifier:
        """Return the dense network as it was after epoch K of its training; InputError if it was not kept."""
        kept = self._kept(self.recipe.rewind_epoch)
        if kept is None or not kept.exists():
            raise InputError(
                f"Expected epoch-{self.recipe.rewind_epoch}.pt beside {self.dense_checkpoint}, the checkpoint.pt of a "
                "training run: the weights to rewind to. Keep the trained weights (rewind 'learning_rate'), choose "
                "another rewind epoch, or let the dense network be trained here."
            )
        return self.stored(kept)

    @property
    def rewinds_weights(self) -> bool:
        """Whether weights go back to epoch K, or the schedule alone."""
        return self._kept(self.recipe.rewind_epoch) is not None if self.rewind is None else self.rewind == "weights"

    def for_method(self, method: Method) -> "Workshop":
        """Return this workshop with the recipe that trains the method's tickets as the recipe."""
        own = self.recipes.get(method.name)
        return self if own is None else dataclasses.replace(self, recipe=own)

    def options_of(self, method: Method) -> dict[str, Any]:
        """Return the keywords of a method's own that were asked for."""
        return dict(self.options.get(method.name, {}))

    def stored(self, path: Path) -> Classifier:
        """Return the network with the weights and mask of a run's file."""
        document: Any = read(path).value
        classifier = self.initial()
        classifier.module.load_state_dict(document["state_dict"])
        return dataclasses.replace(classifier, mask=Mask(document.get("mask", {})))

    def history(self, checkpoint: Path) -> list[dict[str, Any]]:
        """Return what a run's checkpoint says of its epochs."""
        document: Any = read(checkpoint).value
        epochs: list[dict[str, Any]] = document["history"]
        return epochs

    def write(self, path: Path, classifier: Classifier, history: list[dict[str, Any]]) -> None:
        """Write a network as a checkpoint to use, without the state that training goes on from."""
        run = self.run("")
        save_checkpoint(path, classifier, architecture=run.architecture, size=run.size, task=run.task, history=history)

    def run(self, name: str) -> RunFolder:
        """Return the folder of a run."""
        origin = self._initial.origin.architecture
        sizes = {name: size for name, size in (("resize", self.resize), ("crop", self.crop)) if size is not None}
        task = {"data": self.data, "classes": list(self.classes), **sizes} if self.data is not None else {}
        return RunFolder(self.folder / name, architecture=origin or "", size=self.images.shape[1], task=task)

    def train(
        self,
        name: str,
        classifier: Classifier,
        *,
        first: int = 0,
        hook: StepHook | None = None,
        recipe: Recipe | None = None,
    ) -> Path:
        """Train from the start of epoch `first`, or go on with the run of that name; return its checkpoint."""
        told = self.told
        self.folder.mkdir(parents=True, exist_ok=True)
        run = self.run(name)
        train(
            classifier,
            self.images,
            recipe or self.recipe.changed(rewind_epoch=0),  # nothing is rewound to a ticket: no more files
            first=first,
            seed=self.seed,
            test=self.test,
            hook=hook,
            folder=run,
            device=self.device,
            precision=self.precision,
            workers=self.workers,
            on_progress=None
            if told is None
            else lambda progress: told(name, progress.done / progress.epochs, progress.text),
        )
        return run.checkpoint

    @cached_property
    def _initial(self) -> Classifier:
        if self.parent is None:
            return self._new()
        classifier = self.dense()
        kept = self._kept(0)
        if kept is not None:
            document: Any = read(kept).value
            classifier.module.load_state_dict(document["state_dict"])
        return classifier

    def _kept(self, epoch: int) -> Path | None:
        """Where the dense run keeps its weights after an epoch; None for a parent that is not of our training."""
        if self.parent is None:
            return self.run("dense").kept(epoch)
        path = self.parent.with_name(f"epoch-{epoch}.pt")
        return path if self.parent.name == "checkpoint.pt" and path.exists() else None

    def _new(self) -> Classifier:
        """Return a network initialised by the seed that takes the images."""
        architecture = resolve(self.architecture)
        channels, height, width = self.images.shape
        classes = len(self.classes) or int(self.images.required_labels().max()) + 1
        wanted = {"num_classes": classes, "in_channels": channels}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            module = architecture.build(**{name: n for name, n in wanted.items() if architecture.accepts(name)})
        mean, std, usual = self.mean, self.std, architecture.preprocessing
        if (mean is None) != (std is None):
            raise OptionError("Expected mean and std together, but got only one of them.")
        if mean is None or std is None:
            fits = usual is not None and len(usual.mean) in (1, channels)
            if usual is not None and not fits:
                warnings.warn(
                    f"{self.architecture} normalizes {len(usual.mean)} channels, but the images have {channels}: "
                    "pixels in [0, 1] are used as they are. Give --mean and --std to normalize them.",
                    SparsescopeWarning,
                    stacklevel=2,
                )
            mean, std = (usual.mean, usual.std) if usual is not None and fits else ((0.0,), (1.0,))
        classifier = Classifier(
            module,
            mean,
            std,
            mask=Mask({}),
            output="logits" if self.output is None else self.output,
            name="dense",
            origin=Origin(architecture=self.architecture),
        )
        try:
            with classifier.prepared(), torch.no_grad():
                classifier(torch.full((1, channels, height, width), 0.5))
        except InputError:
            raise
        except Exception as error:  # whatever a foreign network raises on images that are not for it
            cause = str(error).partition("\n")[0] or type(error).__name__
            raise DataError(
                f"{self.architecture} cannot take images of shape {self.images.shape} (C, H, W): {cause}. Check the "
                "architecture, the channels of the data, and its size."
            ) from error
        return classifier


def _copied(classifier: Classifier) -> Classifier:
    return dataclasses.replace(classifier, module=copy.deepcopy(classifier.module), passes=type(classifier.passes)())
