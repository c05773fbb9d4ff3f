"""One optimiser step, and everything that a step needs: network, optimiser, precision, hook and processes."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sparsescope.benchmark import ImageSet
from sparsescope.classifier import Classifier
from sparsescope.devices import Precision
from sparsescope.errors import DataError, InputError, SparsescopeWarning
from sparsescope.mask import Mask, account
from sparsescope.outputs.forms import are_probabilities
from sparsescope.passes import Passes
from sparsescope.training.batches import Batch
from sparsescope.training.distributed import Ranks
from sparsescope.training.hooks import StepHook
from sparsescope.training.recipe import Recipe

__all__ = ["Engine", "Precision"]


class Engine:
    """Makes steps on a classifier's network in place.

    Args:
        classifier: the network with its normalisation, on its device.
        recipe: momentum, weight decay and label smoothing.
        hook: acts around every step; it is started here.
        precision: of the forward pass.
        ranks: processes that train together.
    """

    def __init__(
        self, classifier: Classifier, recipe: Recipe, hook: StepHook, precision: Precision, ranks: Ranks
    ) -> None:
        self.classifier, self.module, self.hook, self.ranks = classifier, classifier.module, hook, ranks
        self.device = classifier.device
        if not any(parameter.requires_grad for parameter in self.module.parameters()):
            raise InputError(
                f"Expected {classifier.name} to have parameters to train, but all are frozen. Call requires_grad_() on "
                "the module, or on the layers that are to be trained."
            )
        self.optimiser = torch.optim.SGD(
            self.module.parameters(),
            lr=0.0,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
        )
        self._precision, self._smoothing = precision, recipe.label_smoothing
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self._forward = classifier
        hook.start(self.module, self.optimiser)

    def start(self, shape: tuple[int, int, int]) -> None:
        """Get ready for the first step, after weights and states are what they shall be.

        Args:
            shape: (C, H, W) of the images.
        """
        parallel = self.module
        if self.ranks.size > 1:
            parallel = self.ranks.parallel(self.module, unused=self._has_unused(shape))
        whole = self.classifier
        if parallel is not self.module:  # its parameters have other names, which no mask fits
            self._forward = Classifier(self.module, whole.mean, whole.std, Mask({}), whole.output, whole.name)
            # Set afterwards: a classifier takes such a wrapper off, and the mean of the gradients with it.
            self._forward.module = parallel

    def _has_unused(self, shape: tuple[int, int, int]) -> bool:
        """Return whether the logits in training do not depend on some parameters; the network stays as it is."""
        parameters = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        buffers = [(buffer, buffer.clone()) for buffer in self.module.buffers()]
        devices = [self.device] if self.device.type == "cuda" else []
        self.module.train()
        with torch.random.fork_rng(devices=devices):
            logits = self.classifier(torch.full((2, *shape), 0.5))
            gradients = torch.autograd.grad(logits.sum(), parameters, allow_unused=True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        self.classifier.passes -= Passes(forward=2, tracked=2)
        return any(gradient is None for gradient in gradients)

    def step(self, batch: Batch, step: int, learning_rate: float) -> Tensor:
        """Make one step; return [summed loss, number right, number of images] of this process's batch (3,)."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        labels = batch.labels.to(self.device)
        with torch.autocast(self.device.type, getattr(torch, self._precision), enabled=self._precision != "float32"):
            logits = self._logits(batch.images)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self._smoothing)
        self.optimiser.zero_grad()
        self._scaler.scale(loss * batch.factor).backward()  # type: ignore[no-untyped-call]
        self.classifier.passes.weight_gradients += batch.count
        if self._may_step(step):
            self._scaler.step(self.optimiser)
        self._scaler.update()
        self.hook.after_step(self.module, self.optimiser, step)
        return self.totals(logits, labels, loss) * (1.0 if batch.count else 0.0)

    def _logits(self, images: Tensor) -> Tensor:
        try:
            return self._forward(images)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise InputError(
                f"BatchNorm has no use for one value per channel, but a step of {self.classifier.name} is shown "
                f"{len(images)} image{'s' * (len(images) != 1)} of shape {tuple(images.shape[1:])}. Raise batch_size."
            ) from error

    def _may_step(self, step: int) -> bool:
        if self._scaler.is_enabled():
            self._scaler.unscale_(self.optimiser)
            gradients = [p.grad for p in self.module.parameters() if p.grad is not None]
            if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
                return True  # the scaler sees it too: it leaves this step out and scales less
        return self.hook.before_step(self.module, self.optimiser, step)

    def totals(self, logits: Tensor, labels: Tensor, loss: Tensor) -> Tensor:
        """Return [summed loss, number right, number of images] (3,) on the device."""
        right = (logits.argmax(1) == labels).sum()
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        values = [loss.detach() * len(labels), right, torch.tensor(len(labels), device=self.device)]
        return torch.stack([value.to(dtype) for value in values])

    @torch.no_grad()
    def check_labels(self, images: ImageSet, kind: str) -> None:
        """Raise DataError unless the network takes the images, `kind` of them, and has an output for every label."""
        self.module.eval()
        try:
            rows = self.classifier(images.read(np.zeros(1, dtype=np.int64)))
            outputs = rows.shape[1]
        except (InputError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, TypeError, ValueError) as error:  # what a network raises on images that are not for it
            cause = str(error).partition("\n")[0]
            raise DataError(
                f"The network cannot take the {kind} images of shape {images.shape} (C, H, W): {cause}. Check the "
                "architecture, and channels and size of the images."
            ) from error
        if are_probabilities(rows):
            warnings.warn(
                f"{self.classifier.name} seems to return probabilities: the cross-entropy is taken of their softmax, "
                "and cannot get small. Read them as they are: --model-output probabilities (output='probabilities').",
                SparsescopeWarning,
                stacklevel=2,
            )
        largest = images.required_labels().max()
        if largest >= outputs:
            raise DataError(
                f"Expected labels 0–{outputs - 1} (the network has {outputs} outputs), but the {kind} images have the "
                f"label {largest}. Build the network with more classes (num_classes)."
            )

    @property
    def sparsity(self) -> float:
        """Fraction removed of the prunable weights."""
        return account(self.module, self.mask).prunable

    @property
    def mask(self) -> Mask | None:
        """The hook's mask, else the classifier's."""
        return self.hook.mask if self.hook.mask is not None else self.classifier.mask

    def snapshot(self) -> Classifier:
        """Return the classifier under the present mask; it shares the weights."""
        return replace(self.classifier, mask=self.mask)

    def state_dict(self) -> dict[str, Any]:
        """Return what, beside the weights, the next step depends on."""
        return {
            "optimiser": self.optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "hook": self.hook.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Take up a stored state and the weights that go with it."""
        self.module.load_state_dict(weights)
        self.optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        self.hook.load_state_dict(state["hook"])
