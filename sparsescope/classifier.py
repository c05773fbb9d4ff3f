"""Classifier: a frozen network from images in [0, 1] to logits. It owns its normalisation and output adaptation."""

import contextlib
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from sparsescope.errors import InputError, NotEvaluated, OptionError
from sparsescope.identity import Fingerprint, Identity
from sparsescope.integers import INTEGERS, integer_network
from sparsescope.mask import (
    Mask,
    Sparsity,
    account,
    fold_computed_weights,
    removable_weights,
    standardization_notes,
)
from sparsescope.memory import keep_freed_memory
from sparsescope.modules import RuntimeModule, bare, differentiable, refuse_without_values, uncompiled
from sparsescope.outputs import FORMS
from sparsescope.outputs.reading import OutputReader, described
from sparsescope.passes import Passes
from sparsescope.prepacked import PrepackedNetwork
from sparsescope.preprocessing import Preprocessing
from sparsescope.snapshot import Snapshot
from sparsescope.sources import known_as
from sparsescope.userfiles import file_digests, without_place
from sparsescope.values import is_number, is_whole, per_channel

__all__ = ["Capability", "Classifier", "Origin", "Passes"]

Capability = Literal["gradients", "second derivatives", "activations"]
"""What can be done with a network beside asking for its answers; without gradients there are no second derivatives."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Origin:
    """Where a classifier came from; None for what is unknown, as it all is of a network made in Python.

    Args:
        path: the file.
        sha256: of the file's bytes.
        architecture: its specification.
        guessed: whether the architecture is known by nothing but the names and shapes of the weights.
        normalization: what mean and std come from, in words.
        stated: how the publisher of the weights prepares images, where that is known.
        publisher: who states it, in words.
        bytes: size of the files that hold it.
    """

    path: str | None = None
    sha256: str | None = None
    architecture: str | None = None
    guessed: bool = False
    normalization: str | None = None
    stated: Preprocessing | None = None
    publisher: str | None = None
    bytes: int | None = None


@dataclass
class Classifier:
    """A network as every measurement sees it: float32 images (N, C, H, W) in [0, 1] -> logits (N, K).

    Args:
        module: the network, on any device; it takes normalised images. Of one that is wrapped, by torch.compile or
            for several GPUs, the network inside; what is compiled within it runs as it was written.
            Where weights are computed from others (`torch.nn.utils.prune`, weight norm, masks in a layer's forward
            pass) a copy takes its place, with the computed weights as plain ones; a warning says so.
        mean: per-channel mean, in [0, 1] units; length C.
        std: per-channel standard deviation, > 0; length C.
        mask: which weights are parameters; None means the non-zero entries of the weights.
        output: what `module` returns: a form of `sparsescope.outputs`, such as `"logits"` or `"probabilities"` (of
            which the logarithm is taken); the index, key or field of the logits in what it returns, such as
            `"heads.0"`; or both: `"heads.0:probabilities"`.
        name: how results call it.
        origin: file and architecture, for the report.
        warnings: what was noticed while reading it.
        passes: how many images went through it; counted by itself.
        outputs: the outputs that are kept, in this order, for a task of some of the classes; None means all.
        classes: names of all outputs of `module`, in their order; empty where unknown.
        changes_itself: whether the forward pass changes parameters, so that `prepared` keeps copies of them; found out
            by `evaluation.checks`.
        facts: what has been found out about the network as it is now, for the time of an evaluation; None, as it is
            outside of one: nothing is kept. See `curvature.facts`.
        lacks: what cannot be done with the network, and why, in words that follow "not evaluated:".
        counted: its sparsity, where its weights are no parameters of `module`, as those that another runtime has.

    Raises:
        OptionError: mean and std differ in length, std is not positive, or they are not in [0, 1] units.
        ArtefactError: the mask does not fit, or the weights have no values: lazy, or on `meta`.

    Example:
        >>> import torch
        >>> from sparsescope import Classifier
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10))
        >>> classifier = Classifier(network, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
        >>> classifier(torch.rand(2, 3, 8, 8)).shape
        torch.Size([2, 10])
    """

    module: nn.Module
    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)
    mask: Mask | None = None
    output: str | int = "logits"
    name: str = "model"
    origin: Origin = field(default_factory=Origin)
    warnings: tuple[str, ...] = ()
    passes: Passes = field(default_factory=Passes)
    outputs: tuple[int, ...] | None = None
    classes: tuple[str, ...] = ()
    changes_itself: bool = False
    facts: dict[str, bool | str] | None = None
    _answering: PrepackedNetwork | None = field(default=None, init=False, repr=False, compare=False)
    lacks: Mapping[Capability, str] = field(default_factory=dict)
    counted: Sparsity | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            raise OptionError(f"Expected module to be an nn.Module, but got a {type(self.module).__name__}.")
        self.module, wrapper = bare(self.module)
        refuse_without_values(self.module)
        if (integers := integer_network(self.module)) is not None:
            self.module, self.counted = integers.module, integers.sparsity
            self.lacks = {"gradients": INTEGERS, "activations": INTEGERS, **self.lacks}
        self.mean, self.std = per_channel(self.mean), per_channel(self.std)
        fitting = all(is_number(value) and abs(value) <= 1 for value in (*self.mean, *self.std))
        if len(self.mean) != len(self.std) or not self.mean or not fitting or min(self.std) <= 0:
            raise OptionError(
                "Expected mean and std of one length in [0, 1] units, std > 0, but got "
                f"mean={list(self.mean)}, std={list(self.std)}. Divide by 255 what is meant for levels 0 to 255."
            )
        if not (isinstance(self.output, str) or is_whole(self.output)):
            raise OptionError(
                f"Expected output to be one of {', '.join(FORMS)}, or the index, key or field of the logits, but got "
                f"{self.output!r}."
            )
        kept = self.outputs
        if kept is not None and not (len(set(kept)) == len(kept) >= 2 and all(is_whole(n) and n >= 0 for n in kept)):
            raise OptionError(f"Expected outputs to be two or more different indices, but got {kept!r}.")
        self.module, notes = fold_computed_weights(self.module)
        if self.mask is None:
            self.mask = Mask.from_zeros(removable_weights(self.module))
        elif wrapper:
            known = dict(self.module.named_parameters())
            spelled = {name: name if name in known else name.removeprefix(wrapper) for name in self.mask}
            self.mask = Mask({spelled[name]: tensor for name, tensor in self.mask.items()}, method=self.mask.method)
        self.mask.check(self.module)
        notes += standardization_notes(self.module)
        self.warnings += tuple(note for note in notes if note not in self.warnings)

    @property
    def device(self) -> torch.device:
        """The device of the network's parameters."""
        for parameter in self.module.parameters():
            return parameter.device
        return torch.device("cpu")

    @property
    def channels(self) -> int | None:
        """Channels of the images it takes: those it normalizes, or of its first convolution; None where unknown."""
        if len(self.mean) > 1:
            return len(self.mean)
        convolutions = (child for child in self.module.modules() if isinstance(child, nn.Conv2d))
        return next((child.in_channels for child in convolutions), None)

    @property
    def sparsity(self) -> Sparsity:
        """Sparsity accounting under the mask."""
        return account(self.module, self.mask) if self.counted is None else self.counted

    def require(self, *capabilities: Capability) -> None:
        """Raise NotEvaluated, with the reason, where something that is needed cannot be done with the network."""
        for capability in capabilities:
            if (reason := self.lacks.get(capability)) is not None:
                raise NotEvaluated(reason)

    def __call__(self, images: Tensor) -> Tensor:
        """Return logits (N, K) on the classifier's device; differentiable in images and weights."""
        return self.logits(self.values(images), len(images))

    def values(self, images: Tensor) -> Tensor:
        """Return what the network says of images (N, C, H, W), before logits are read from it: (N, ...)."""
        return self.looked_at(images, self._values)

    def _values(self, module: nn.Module, inputs: Tensor) -> Tensor:
        """Return the values that are read of the output for normalised inputs: of the network, or what answers for it.

        Only where no gradient is asked for.
        """
        network = None if torch.is_grad_enabled() else self._answering
        values = None if network is None else network(inputs)
        return self.reader.values(module(inputs), len(inputs)) if values is None else values

    @contextlib.contextmanager
    def answering(self, network: PrepackedNetwork | None) -> Iterator[None]:
        """Let a prepacked network answer in the network's place where no gradient is asked for; None: nothing does."""
        before, self._answering = self._answering, network
        try:
            yield
        finally:
            self._answering = before

    def looked_at(self, images: Tensor, look: Callable[[nn.Module, Tensor], Found]) -> Found:
        """Return what `look` makes of the network and of images (N, C, H, W) as it takes them; counts N passes."""
        images = images.to(self.device)
        if len(self.mean) not in (1, images.shape[1]):
            raise InputError(
                f"{self.name} normalizes {len(self.mean)} channels, but the images have {images.shape[1]} "
                f"(shape {tuple(images.shape)}). Give the data with {len(self.mean)} channels, or fitting --mean/--std."
            )
        mean = torch.as_tensor(self.mean, dtype=images.dtype, device=images.device).view(1, -1, 1, 1)
        std = torch.as_tensor(self.std, dtype=images.dtype, device=images.device).view(1, -1, 1, 1)
        self.passes.forward += len(images)
        self.passes.tracked += len(images) if torch.is_grad_enabled() else 0
        with uncompiled(), differentiable(len(images)):
            return look(self.module, (images - mean) / std)

    @property
    def reader(self) -> OutputReader:
        """What reads logits from the network's output."""
        return OutputReader(self.output, self.name)

    def logits(self, values: Tensor, images: int) -> Tensor:
        """Return the logits (N, K) in what `values` returned for N images, cut to the task's outputs."""
        output = self.reader.logits(values, images)
        if output.dtype in (torch.float16, torch.bfloat16):  # as after autocast
            output = output.float()
        if self.outputs is None:
            return output
        if max(self.outputs) >= output.shape[1]:
            raise InputError(
                f"Expected {self.name} to have outputs 0–{max(self.outputs)}, as the data is about some of them, but "
                f"it returns {described(output)}. Is this the data's model?"
            )
        return output[:, list(self.outputs)]

    @contextlib.contextmanager
    def prepared(self, device: torch.device | str | None = None) -> Iterator["Classifier"]:
        """Put the network in eval mode, frozen, on `device`; leave it as it was, whatever happens.

        Restores the training mode of every submodule, `requires_grad` and `grad` of every parameter, the device, and
        the tensors that the forward pass itself changes: buffers, and parameters where it is known to change them.
        From then on the process keeps freed memory, as `keep_freed_memory` says.
        """
        keep_freed_memory()
        module, home = self.module, self.device
        before = Snapshot(module, parameters=self.changes_itself)
        modes = {child: child.training for child in module.modules()}
        kept = [p for p in module.parameters() if not p.is_inference()]  # those take no gradients, and no changes
        parameters = {p: (p.requires_grad, p.grad) for p in kept}
        try:
            with contextlib.suppress(NotImplementedError):  # of torch.export, whose modules keep the mode they had
                module.eval()
            for parameter in parameters:
                parameter.requires_grad_(False)
                parameter.grad = None
            if device is not None:
                module.to(device)
            yield self
        finally:
            if device is not None:
                module.to(home)
            before.restore()
            for child, mode in modes.items():
                child.training = mode
            for parameter, (requires_grad, grad) in parameters.items():
                parameter.requires_grad_(requires_grad)
                parameter.grad = grad

    def fingerprint(self, *, with_place: bool = False) -> str:
        """Return a SHA-256 over weights, mask, normalisation, options and the classes' code: where a training began.

        It stays as it is, so that trainings begun by earlier versions can be resumed; caches are keyed by `identity`.

        Args:
            with_place: whether the place of a user's file counts, as it did in earlier versions, beside its content.
        """
        spec = self.origin.architecture
        if spec is not None and not with_place:
            spec = without_place(spec)
        digest = hashlib.sha256()
        for name, tensor in self.module.state_dict().items():
            values = tensor.detach().cpu().contiguous()
            digest.update(f"{name}|{values.dtype}|{tuple(values.shape)}|".encode())
            digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b"")
        for name, kept in (self.mask or {}).items():
            digest.update(f"mask {name}|".encode() + kept.numpy().tobytes())
        digest.update(repr((tuple(self.mean), tuple(self.std), self.output, self.outputs, repr(self.module))).encode())
        digest.update(repr((spec, file_digests())).encode())
        for child in self.module.modules():
            attributes = {name: value for name, value in vars(child).items() if name[0] != "_" and name != "training"}
            plain = [(name, attributes[name]) for name in sorted(attributes) if _is_plain(attributes[name])]
            digest.update(repr(plain).encode())
        for kind in sorted({type(child) for child in self.module.modules()}, key=lambda kind: kind.__qualname__):
            module = kind.__module__ if with_place else known_as(kind.__module__)
            digest.update(f"{module}.{kind.__qualname__}".encode())
            if not kind.__module__.startswith("torch."):
                with contextlib.suppress(OSError, TypeError):
                    digest.update(inspect.getsource(kind).encode())
        return digest.hexdigest()

    def identity(self) -> Identity:
        """Return what decides the answers: weights, mask, normalisation, options and the network's code.

        The code is that of the network's classes, of its hooks and of the functions among its attributes, with all
        that the user's files among them import, and every file imported by `FILE.py:function`; installed packages are
        taken as fixed.
        """
        module, found = self.module, Fingerprint()
        held = (dict(sorted(tensors)) for tensors in (module.state_dict().items(), module.named_buffers()))
        found.add(*held, dict(self.mask or {}))
        found.add(tuple(self.mean), tuple(self.std), self.output, self.outputs, repr(module))
        found.add(without_place(self.origin.architecture or ""), file_digests())
        for child in module.modules():
            found.add(type(child), _attributes(child), [list(getattr(child, name).values()) for name in _HOOKS])
        return found.identity

    def is_same_function(self, other: "Classifier") -> bool:
        """Return whether weights, as they act, preprocessing and code are those of another classifier, bit for bit.

        Masks and files may differ: a mask that removes nothing changes nothing. False where it cannot be told.
        """
        own, others = self.module.state_dict(), other.module.state_dict()
        if own.keys() != others.keys() or any(own[name].shape != others[name].shape for name in own):
            return False
        if any(not torch.equal(own[name].cpu(), others[name].cpu()) for name in own if own[name].is_floating_point()):
            return False
        mine, its = (replace(each, mask=None, origin=Origin()).identity() for each in (self, other))
        return mine == its and not mine.unread


_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_INTERNAL = frozenset(vars(nn.Module()))  # training among them: networks are measured in eval mode


def _attributes(module: nn.Module) -> dict[str, object]:
    """Return what a module holds beside parameters, buffers and children; of torch's own modules what is public.

    Compiled and traced modules have their code as an attribute.
    """
    torchs = type(module).__module__.startswith("torch.")
    held = {
        name: value
        for name, value in sorted(vars(module).items())
        if name not in _INTERNAL and not (torchs and name.startswith("_"))
    }
    if isinstance(module, torch.jit.ScriptModule | torch.fx.GraphModule):
        return {"code": module.code}
    if type(module).__module__ == "torch.export.unflatten":
        return {"graph": str(getattr(module, "graph", ""))}
    if isinstance(module, RuntimeModule):
        return {"digest": module.digest}
    return held


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool | None)
