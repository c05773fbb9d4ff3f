"""Subject: the private copy of a network that a pruning method scores, with the batches it may look at."""

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, OptionError, SparsescopeError, SparsescopeWarning
from sparsescope.mask import (
    fold_computed_weights,
    head_weights,
    prunable_weights,
    refuse_computed_weights,
    weight_tensors,
)
from sparsescope.modules import differentiable
from sparsescope.outputs.forms import are_probabilities
from sparsescope.values import is_number

__all__ = ["Batch", "BatchNorm", "Scores", "Subject", "candidates"]

Batch = tuple[Tensor, Tensor]
Scores = dict[str, Tensor]
BatchNorm = Literal["batch", "running"]

_SHORT = (torch.float16, torch.bfloat16)


def candidates(module: nn.Module, *, prune_head: bool = False, skip_first: bool = False) -> dict[str, nn.Parameter]:
    """Return the weights that may be removed, by name, in the network's order.

    They are those of all convolutions, linear layers and attention projections; tied weights count once. Weights that
    their layer standardizes in the forward pass are among them only where there are no others.

    Args:
        module: the network.
        prune_head: also the classification heads.
        skip_first: not the first of them registered.

    Raises:
        InputError: there are none.
        ArtefactError: weights are computed from others in the forward pass.
    """
    refuse_computed_weights(module)
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in module.parameters()):
        raise InputError("Expected a network with weights, but some layers are lazy: show it a batch of images first.")
    every = weight_tensors(module)
    chosen = {*prunable_weights(module), *(head_weights(module) if prune_head else ())}
    known = dict(module.named_parameters())  # names a tied weight only once
    first = next(iter(every), None)
    kept = {name: weight for name, weight in every.items() if name in chosen and name in known}
    if skip_first and first is not None:
        kept.pop(first, None)
    if not kept:
        raise InputError(
            "Expected a network with convolutions or linear layers to prune, but there are none"
            + (" beside its first layer and its head." if skip_first else " beside its head.")
        )
    return kept


@dataclass(frozen=True)
class Subject:
    """What a scoring function gets: a copy of the network, in eval mode, that it may change as it likes.

    A network in float16 or bfloat16 is copied to float32, as scores of such few digits underflow or tie.

    Args:
        model: the copy, an nn.Module or a Classifier as the user gave it; all its parameters require gradients.
        weights: the copy's parameters that may be removed, by name.
        data: batches of images and labels; None where the user gave none.
        count_backward: told how many images went backward.
    """

    model: nn.Module | Classifier
    weights: dict[str, nn.Parameter]
    data: Iterable[Batch] | None
    count_backward: Callable[[int], None]
    _said: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def of(
        cls,
        model: nn.Module | Classifier,
        batches: Iterable[Batch] | None = None,
        *,
        prune_head: bool = False,
        skip_first: bool = False,
    ) -> "Subject":
        """Copy `model`, which is left exactly as it is whatever a method does; see `candidates` for the options.

        Raises:
            InputError: neither an nn.Module nor a Classifier, or nothing to prune.
        """
        module = model.module if isinstance(model, Classifier) else model
        if not isinstance(module, nn.Module):
            raise InputError(f"Expected an nn.Module or a Classifier to prune, but got a {type(model).__name__}.")
        if batches is not None and not isinstance(batches, Iterable):
            named = f" Name the sparsity: sparsity={batches}." if is_number(batches) else ""
            raise InputError(f"Expected batches, an iterable of (images, labels) tensors, but got {batches!r}.{named}")
        candidates(module, prune_head=prune_head, skip_first=skip_first)  # refuses before the copy is made
        working = fold_computed_weights(copy.deepcopy(module).eval())[0]  # masks of the layers' own are applied
        if any(parameter.dtype in _SHORT for parameter in working.parameters()):
            working = working.float()
        for parameter in working.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        weights = candidates(working, prune_head=prune_head, skip_first=skip_first)
        if isinstance(model, Classifier):
            return cls(replace(model, module=working), weights, batches, _counter(model))
        return cls(working, weights, batches, lambda n: None)

    @property
    def module(self) -> nn.Module:
        """The copied network."""
        return self.model.module if isinstance(self.model, Classifier) else self.model

    @property
    def gives_probabilities(self) -> bool:
        """Whether the network is said to return probabilities."""
        return isinstance(self.model, Classifier) and self.model.output == "probabilities"

    @property
    def device(self) -> torch.device:
        """The device of the network's weights."""
        return next(iter(self.weights.values())).device

    @cached_property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, (C, H, W), as the first batch has it; raises InputError without batches."""
        return tuple(next(self.batches())[0].shape[1:])

    def batches(self) -> Iterator[Batch]:
        """Yield (images, labels) on the network's device.

        While normalisation uses the statistics of batches, a last batch of one image joins the one before it, as in
        training.

        Raises:
            InputError: no batches were given, or one is not a pair of images and one whole-number label each.
        """
        if self.data is None:
            raise InputError("This method looks at data: give batches, an iterable of (images, labels) tensors.")
        placed = map(self._placed, self.data)
        empty = True
        for batch in _joined(placed) if self._normalizes_by_batch else placed:
            empty = False
            yield batch
        if empty:
            raise InputError("Expected at least one batch of (images, labels), but the iterable is empty.")

    def _placed(self, batch: object) -> Batch:
        images, labels = _checked(batch)
        images = images.float() if images.dtype in _SHORT else images
        return images.to(self.device), labels.to(self.device).long()

    @property
    def _normalizes_by_batch(self) -> bool:
        children = self.module.modules()
        return any(child.training for child in children if isinstance(child, nn.modules.batchnorm._BatchNorm))

    def inputs(self) -> Iterator[Batch]:
        """Yield (inputs, labels) as `batches`, but as `module` takes them: a Classifier's pixels are normalised."""
        for images, labels in self.batches():
            if isinstance(self.model, Classifier):
                constants = (self.model.mean, self.model.std)
                mean, std = (images.new_tensor(values).view(1, -1, 1, 1) for values in constants)
                images = (images - mean) / std
            yield images, labels

    def logits(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for images as the model takes them.

        Raises:
            InputError: it cannot take them, or returns anything else.
        """
        return _checked_logits(_answered(self.model, images), len(images))

    def summed_loss(self, batch: Batch, temperature: float = 1.0) -> Tensor:
        """Return the cross-entropy of logits / temperature, summed over the images of a batch.

        Raises:
            InputError: as `logits`, the network has no output for a label, or it returns probabilities.
        """
        images, labels = batch
        try:
            logits = self.logits(images)
        except InputError as error:
            if len(images) > 1 or not self._normalizes_by_batch:
                raise
            raise InputError(f"{error} Give batches of at least 2 images, or batch_norm='running'.") from error
        _refuse_probabilities(logits.detach())
        if int(labels.min()) < 0 or int(labels.max()) >= logits.shape[1]:
            raise InputError(
                f"Expected labels 0–{logits.shape[1] - 1} (the network has {logits.shape[1]} outputs), but they are "
                f"{int(labels.min())}–{int(labels.max())}."
            )
        return functional.cross_entropy(logits / temperature, labels, reduction="sum")

    def outputs(self, inputs: Tensor, module: nn.Module) -> Tensor:
        """Return the outputs (N, K) of a changed copy of the network for inputs that no normalisation touches.

        They are as the copy returns them, also where those of the network are probabilities.
        """
        if isinstance(self.model, Classifier):
            output = "logits" if self.gives_probabilities else self.model.output
            changed = replace(self.model, module=module, mean=(0.0,), std=(1.0,), output=output)
            answered: Tensor = _answered(changed, inputs)
            return answered
        return _checked_logits(_answered(module, inputs), len(inputs))

    def warn(self, text: str) -> None:
        """Warn (SparsescopeWarning) once, however often scores are computed."""
        if text not in self._said:
            self._said.add(text)
            warnings.warn(text, SparsescopeWarning, stacklevel=5)

    def use_batch_norm(self, statistics: BatchNorm) -> None:
        """Let normalisation use the statistics of the `batch`, as in training, or its `running` ones.

        Everything else stays in eval mode, so that dropout draws nothing.
        """
        if statistics not in ("batch", "running"):
            raise OptionError(f"Expected batch_norm to be 'batch' or 'running', but got {statistics!r}.")
        for child in self.module.modules():
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                child.train(statistics == "batch")


def _counter(classifier: Classifier) -> Callable[[int], None]:
    def count(images: int) -> None:
        classifier.passes.weight_gradients += images

    return count


def _answered(model: Callable[[Tensor], Any], images: Tensor) -> Any:
    try:
        with differentiable(len(images)):
            return model(images)
    except (torch.OutOfMemoryError, SparsescopeError):
        raise
    except (
        RuntimeError,
        TypeError,
        ValueError,
        AssertionError,
    ) as error:  # what a network raises on images that are not for it
        cause = str(error).partition("\n")[0]
        kind = str(images.dtype).removeprefix("torch.")
        raise InputError(
            f"The network cannot take images of shape {tuple(images.shape)} and type {kind}: {cause}."
        ) from error


def _joined(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the batches, a last one of a single image with the one before it."""
    held: list[Batch] = []
    for batch in batches:
        if len(held) == 2:
            yield held.pop(0)
        held.append(batch)
    if len(held) == 2 and len(held[1][1]) == 1:
        (images, labels), (image, label) = held
        held = [(torch.cat([images, image]), torch.cat([labels, label]))]
    yield from held


def _checked_logits(output: object, n: int) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != n:
        shape = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise InputError(
            f"Expected the network to return logits of shape ({n}, K), but it returns {shape}. "
            "Wrap it in a Classifier with output=... (an index, a key or 'probabilities')."
        )
    return output


def _refuse_probabilities(outputs: Tensor) -> None:
    if are_probabilities(outputs):
        raise InputError(
            "Expected the network to return logits, but each row lies in [0, 1] and sums to 1: they are probabilities. "
            "Wrap it in a Classifier with output='probabilities' (--model-output probabilities)."
        )


def _checked(batch: object) -> Batch:
    if not (isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch)):
        raise InputError(
            "Expected every batch to be a pair of tensors (images, labels), but got "
            f"a {type(batch).__name__}. A single batch is given as a list: [(images, labels)]."
        )
    images, labels = batch
    if labels.is_floating_point() or labels.shape != images.shape[:1] or not len(images):
        raise InputError(
            "Expected one whole-number label per image, but got images of shape "
            f"{tuple(images.shape)} and labels of shape {tuple(labels.shape)} ({labels.dtype})."
        )
    return images, labels
