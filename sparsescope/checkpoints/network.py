"""The network that an artefact's tensors belong to."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from sparsescope.architectures import Comparison, Preprocessing, fitting_options, is_known_code, match, resolve
from sparsescope.architectures.narrow import narrow
from sparsescope.checkpoints.layout import Artefact
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError

__all__ = ["Network", "copied", "find_network"]


@dataclass(frozen=True)
class Network:
    """A network in float32 on the CPU.

    Args:
        module: the network.
        spec: its architecture's specification; None where it was made in Python.
        preprocessing: the architecture's normalisation; None where unknown.
        narrowed: layers with fewer channels than the architecture's.
    """

    module: nn.Module
    spec: str | None
    preprocessing: Preprocessing | None = None
    narrowed: tuple[str, ...] = ()


def copied(dense: Classifier) -> Network:
    """Return a network of its own with the dense one's weights."""
    module = copy.deepcopy(dense.module).cpu().float()
    for parameter in module.parameters():
        parameter.grad = None
    return Network(module, dense.origin.architecture)


def find_network(artefact: Artefact, arch: str | None, dense: Classifier | None = None) -> Network:
    """Return a network whose tensors have the artefact's names and shapes; its weights are still its own.

    Its architecture is `arch`; else what our own checkpoint says; else the dense network's, where the weights fit it;
    else the one that matches by names and shapes. A checkpoint may only name architectures whose code is not its
    author's: others are for the user to choose. The weights of our own checkpoint may have fewer channels than the
    architecture, as channel pruning leaves them; the network is then as narrow as they are.

    Raises:
        ArtefactError: the weights do not fit the architecture, or none is found.
        OptionError: `arch` names nothing, or its code raises.
    """
    stored = artefact.details.architecture
    if arch is not None:
        return _built(arch, artefact)
    if stored is not None and is_known_code(stored):
        return _built(stored, artefact)
    if dense is not None and (network := _alike(dense, artefact)) is not None:
        return network
    if stored is not None:
        raise ArtefactError(
            f"{artefact.path} says that its architecture is {stored}, and code that a file names is not run unasked. "
            f"If you trust it, give --arch {stored}."
        )
    try:
        return _built(match(artefact.shapes, str(artefact.path)), artefact)
    except ArtefactError as error:
        if dense is None:
            raise
        differences = _comparison(dense.module, artefact).differences()
        raise ArtefactError(
            f"{error}\nIt does not fit the dense network {dense.name} either:\n{differences}"
        ) from error


def fits(dense: Classifier, artefact: Artefact) -> bool:
    """Return whether the artefact's weights have the dense network's names and shapes."""
    return _comparison(dense.module, artefact).fits


def _alike(dense: Classifier, artefact: Artefact) -> Network | None:
    """Return a copy of the dense network that the weights fit, narrower where they are; None if they do not."""
    if fits(dense, artefact):
        return copied(dense)
    network = copied(dense)
    narrowed = _narrowed(network.module, artefact)
    return replace(network, narrowed=narrowed) if narrowed else None


def _narrowed(module: nn.Module, artefact: Artefact) -> tuple[str, ...]:
    """Narrow the network to the weights of our own checkpoint: other files do not say what they are meant for."""
    return tuple(narrow(module, artefact.shapes)) if artefact.kind == "sparsescope checkpoint" else ()


def _built(spec: str, artefact: Artefact) -> Network:
    architecture = resolve(spec)
    options = {}
    if spec == artefact.details.architecture and not is_known_code(spec):
        options = {
            name: value for name, value in artefact.details.architecture_options.items() if architecture.accepts(name)
        }
    with torch.random.fork_rng(devices=[]):
        module = architecture.build(**options)
        if not _comparison(module, artefact).fits:
            module = architecture.build(**options | fitting_options(architecture, module, artefact.shapes))
    comparison = _comparison(module, artefact)
    narrowed = () if comparison.fits else _narrowed(module, artefact)
    if not (comparison.fits or narrowed):
        raise ArtefactError(
            f"{artefact.path} does not fit the architecture {spec}:\n{comparison.differences()}\n"
            "Give the architecture that these weights were trained with by --arch."
        )
    return Network(module.cpu().float(), spec, architecture.preprocessing, narrowed)


def _comparison(module: nn.Module, artefact: Artefact) -> Comparison:
    network = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    return Comparison(artefact.shapes, network)
