"""Which architecture a set of weights belongs to, by the names and shapes of its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from sparsescope.architectures.architecture import Architecture
from sparsescope.architectures.catalogue import BUILT_IN, LIBRARIES
from sparsescope.architectures.libraries import torchvision_names
from sparsescope.architectures.spec import resolve
from sparsescope.errors import ArtefactError
from sparsescope.mask import head_weight, weight_tensors
from sparsescope.specs import listed

__all__ = ["Comparison", "Shapes", "fitting_options", "match"]

Shapes = Mapping[str, tuple[int, ...]]

_SHOWN = 8


@dataclass(frozen=True)
class Comparison:
    """The tensors of a file beside those of a network, by name and shape.

    Args:
        file: shapes in the file.
        network: shapes in the network; a missing `num_batches_tracked` is no difference, because it has no effect.
    """

    file: Shapes
    network: Shapes

    @property
    def missing(self) -> list[str]:
        """Names that the network has and the file has not."""
        return [name for name in self.network if name not in self.file and not name.endswith("num_batches_tracked")]

    @property
    def unexpected(self) -> list[str]:
        """Names that the file has and the network has not."""
        return [name for name in self.file if name not in self.network]

    @property
    def reshaped(self) -> list[str]:
        """Names that both have, with different shapes."""
        return [name for name, shape in self.network.items() if self.file.get(name, shape) != shape]

    @property
    def common(self) -> int:
        """Number of tensors of the file that the network has with the same name and shape."""
        return sum(self.network.get(name) == shape for name, shape in self.file.items())

    @property
    def fits(self) -> bool:
        """Whether the file's tensors can be loaded into the network."""
        return not (self.missing or self.unexpected or self.reshaped)

    def differences(self) -> str:
        """Return the differences for the user, one paragraph per kind, at most eight names each."""
        kinds = {
            "missing in the file": [f"{name} {self.network[name]}" for name in self.missing],
            "only in the file": [f"{name} {self.file[name]}" for name in self.unexpected],
            "of another shape": [
                f"{name}: file {self.file[name]}, network {self.network[name]}" for name in self.reshaped
            ],
        }
        return "\n".join(
            f"  {len(entries)} {kind}: {'; '.join(entries[:_SHOWN])}{'; …' if len(entries) > _SHOWN else ''}"
            for kind, entries in kinds.items()
            if entries
        )

    def first_difference(self) -> str:
        """Return the first difference in the network's order, in one clause."""
        missing, reshaped = set(self.missing), set(self.reshaped)
        for name, shape in self.network.items():
            if name in missing:
                return f"{name} {shape} is missing"
            if name in reshaped:
                return f"{name} is {shape} there and {self.file[name]} in the file"
        return f"{self.unexpected[0]} {self.file[self.unexpected[0]]} is only in the file"


def fitting_options(architecture: Architecture, module: nn.Module, shapes: Shapes) -> dict[str, int]:
    """Return the options that make `architecture` fit `shapes`, where it takes them: classes, channels, further heads.

    They are read from the first axis of the head's weight and the second of the first layer's; `module` is the
    architecture with its default options and says which these are.
    """
    weights = list(weight_tensors(module))
    head, first = shapes.get(head_weight(module) or "", ()), shapes.get(weights[0] if weights else "", ())
    options = {}
    if architecture.accepts("num_classes") and len(head) >= 2:
        options["num_classes"] = head[0]
    if architecture.accepts("in_channels") and len(first) >= 2:
        options["in_channels"] = first[1]
    if architecture.accepts("aux_logits") and not any(name.lower().startswith("aux") for name in shapes):
        options["aux_logits"] = False  # the heads that serve training alone, which torchvision drops after it
    return options


def match(shapes: Shapes, source: str = "the file") -> str:
    """Return the specification of the one built-in or torchvision architecture with these names and shapes.

    Built-in ones come first: torchvision is asked only where none of them fits. Of torchvision's, whole families are
    passed over whose first member has another stem or head.

    Args:
        shapes: shape by name of every tensor of the state dict; `num_batches_tracked` may be absent.
        source: how the error names the weights.

    Raises:
        ArtefactError: no architecture fits, or more than one; the text lists them with what differs.
    """
    compared: dict[str, Comparison] = {}
    for candidates in (_built_in_candidates, _torchvision_candidates):
        compared |= {spec: _compare(spec, shapes) for spec in candidates(shapes)}
        fitting = [spec for spec, comparison in compared.items() if comparison.fits]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ArtefactError(f"{source} fits more than one architecture: {', '.join(fitting)}. Choose with --arch.")
    raise ArtefactError(_no_match(shapes, source, compared))


def _built_in_candidates(shapes: Shapes) -> list[str]:
    return list(BUILT_IN)


def _torchvision_candidates(shapes: Shapes) -> list[str]:
    from torchvision import models

    families: dict[str, list[str]] = {}
    for name in torchvision_names():
        families.setdefault(models.get_model_builder(name).__module__, []).append(f"torchvision:{name}")
    candidates = []
    for members in families.values():
        names = [name for name in _outline(members[0]) if not name.endswith("num_batches_tracked")]
        candidates += members if names[0] in shapes and names[-1] in shapes else members[:1]
    return candidates


def _compare(spec: str, shapes: Shapes) -> Comparison:
    comparison = Comparison(shapes, _outline(spec))
    if comparison.missing or comparison.unexpected:
        return comparison
    return _compare_fitted(spec, shapes)


def _compare_fitted(spec: str, shapes: Shapes) -> Comparison:
    return Comparison(shapes, _outline(spec, **fitting_options(resolve(spec), _empty(spec), shapes)))


@cache
def _outline(spec: str, **options: int) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in _empty(spec, **options).state_dict().items()}


def _empty(spec: str, **options: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]), _ParametersOnMeta():
        return resolve(spec).build(**options)


class _ParametersOnMeta(TorchFunctionMode):
    """Builds networks without memory for their weights: 0.1 s instead of seconds for a large one.

    Only `torch.empty`, from which layers take their weights, goes to the meta device. `torch.device("meta")` would also
    catch the small tensors that some networks (RegNet) read numbers from while they are built.
    """

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_) and args[0].is_meta:
            return args[0]  # on the meta device these do nothing, slowly
        return func(*args, **kwargs)


def _no_match(shapes: Shapes, source: str, compared: Mapping[str, Comparison]) -> str:
    nearest = sorted(compared, key=lambda spec: compared[spec].common, reverse=True)[:3]
    fitted = {spec: _compare_fitted(spec, shapes) for spec in nearest if compared[spec].common}
    lines = [
        f"  {spec}: {comparison.common} of {len(shapes)} tensors in common; {comparison.first_difference()}"
        for spec, comparison in fitted.items()
    ]
    first = [f"{name} {shape}" for name, shape in list(shapes.items())[:3]]
    return (
        f"{source} has the names and shapes of no built-in or torchvision architecture "
        f"({len(shapes)} tensors: {', '.join(first)}{', …' if len(shapes) > len(first) else ''}).\n"
        + ("Nearest:\n" + "\n".join(lines) + "\n" if lines else "")
        + f"Name the architecture with --arch: a built-in name, {listed(LIBRARIES.forms())}."
    )
