"""The network that an artefact's tensors belong to."""

import contextlib
import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from sparsescope.architectures import (
    IMAGENET,
    Comparison,
    Preprocessing,
    Published,
    fitting_options,
    is_known_code,
    match,
    published,
    record_of,
    resolve,
)
from sparsescope.architectures.catalogue import BUILT_IN
from sparsescope.architectures.lookalikes import LOOK_ALIKES, untold
from sparsescope.architectures.narrow import narrow
from sparsescope.checkpoints.layout import Artefact, readings
from sparsescope.checkpoints.names import like_networks
from sparsescope.checkpoints.tied import absent_names, untied
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.mask import head_weight

__all__ = ["Network", "compared", "copied", "find_network", "fits"]


_SHOWN = 4
_FLAT = ("_flat_param", "flat_param")
_ORDINARY = replace(IMAGENET, resize=256, interpolation="bilinear")


@dataclass(frozen=True)
class Network:
    """A network in float32 on the CPU.

    Args:
        module: the network.
        spec: its architecture's specification; None where it was made in Python.
        preprocessing: the architecture's normalisation; None where unknown.
        narrowed: layers with fewer channels than the architecture's.
        guessed: whether the architecture is known by nothing but the names and shapes of the weights.
        record: what a library says of these weights, where it published them.
    """

    module: nn.Module
    spec: str | None
    preprocessing: Preprocessing | None = None
    narrowed: tuple[str, ...] = ()
    guessed: bool = False
    record: Published | None = None

    def open_questions(self, artefact: Artefact, dense: Classifier | None = None) -> tuple[str, ...]:
        """Return warnings of what the file leaves open, but for what has been said of a dense network like it."""
        if dense is not None and dense.origin.architecture == self.spec:
            return ()
        alternatives = () if artefact.details.preprocessing is not None else self._alternatives
        return (*self._guess, *alternatives, *self._transform_input)

    @property
    def _guess(self) -> tuple[str, ...]:
        if not self.guessed or self.spec is None:
            return ()
        others = LOOK_ALIKES.get(self.spec, ())
        alike = f" {' and '.join(others)} have the same." if others else ""
        return (
            f"architecture is a guess from names and shapes: {self.spec}. They do not tell "
            f"{', '.join(untold(self.module))}.{alike} If accuracy is lower than expected, it may be another: give "
            "--arch.",
        )

    @property
    def _alternatives(self) -> tuple[str, ...]:
        """How images are prepared for weights of this architecture, where the file does not say which they are."""
        if self.record is not None or self.spec is None:
            return ()
        head = head_weight(self.module)
        outputs = len(self.module.get_parameter(head)) if head is not None else 0
        ways: dict[str, str] = {}
        for weights in published(self.spec):
            if weights.outputs == outputs:
                words = weights.preprocessing.in_words(beside=self.preprocessing)
                ways.setdefault(words, weights.name.rpartition(" ")[2])
        if ways.keys() <= {_ORDINARY.in_words(beside=IMAGENET)}:
            return ()
        listed = "; ".join(f"{way} ({name})" for way, name in list(ways.items())[:_SHOWN])
        more = "; …" if len(ways) > _SHOWN else ""
        return (
            f"if these are published weights of {self.spec}, they take images with {listed}{more}: give --resize, "
            "--crop.",
        )

    @property
    def _transform_input(self) -> tuple[str, ...]:
        if self.record is not None or not hasattr(self.module, "transform_input"):
            return ()
        return (
            f"the file does not say whether {self.spec} has transform_input, which normalizes images once more: "
            f"{self.module.transform_input} is assumed, as torchvision has it for its published weights. If these were "
            "trained otherwise, build the network in a function of your own: --arch FILE.py:function.",
        )


def copied(dense: Classifier) -> Network:
    """Return a network of its own with the dense one's weights."""
    module = copy.deepcopy(dense.module).cpu().float()
    for parameter in module.parameters():
        parameter.grad = None
    return Network(module, dense.origin.architecture, guessed=dense.origin.guessed)


def find_network(artefact: Artefact, arch: str | None, dense: Classifier | None = None) -> tuple[Network, Artefact]:
    """Return a network, whose weights are still its own, and the artefact with its tensors' names and shapes.

    Its architecture is `arch`; else what our own checkpoint says; else the dense network's, where the weights fit it;
    else the one that matches by names and shapes. A checkpoint may only name architectures whose code is not its
    author's: others are for the user to choose. The weights of our own checkpoint may have fewer channels than the
    architecture, as channel pruning leaves them; the network is then as narrow as they are.

    Raises:
        ArtefactError: the weights do not fit the architecture, or none is found.
        OptionError: `arch` names nothing, or its code raises.
    """
    try:
        network, reading = _found(artefact, arch, dense)
    except ArtefactError as error:
        hint = _hint(artefact)
        raise ArtefactError(f"{error}\n{hint}") if hint else error from error
    return network, untied(network.module, reading)


def _hint(artefact: Artefact) -> str:
    """Return what may be done with weights that fit nothing, as their names tell it."""
    if networks := like_networks(artefact.tensors):
        return (
            f"It holds several networks of the same shapes: choose one with --weights, such as --weights {networks[0]}."
        )
    if any(name.rpartition(".")[2] in _FLAT for name in artefact.tensors):
        return "It holds flattened parameters of FSDP, which do not tell their shapes: save a full state dict."
    if any(name.endswith("weight.original") for name in artefact.tensors):
        return (
            "It holds weights as they are before parametrizations, but not what these do. torch.ao's sparsifiers keep "
            "their masks: save sparsifier.state_dict() in the same file, or call sparsifier.squash_mask() first."
        )
    return ""


def _found(artefact: Artefact, arch: str | None, dense: Classifier | None) -> tuple[Network, Artefact]:
    stored = artefact.details.architecture
    if arch is not None:
        return _built(arch, artefact)
    buildable = stored is not None and (":" in stored or stored in BUILT_IN)  # else it names another artefact's network
    if stored is not None and buildable and is_known_code(stored):
        return _built(stored, artefact)
    if dense is not None and (found := _alike(dense, artefact)) is not None:
        return found
    if stored is not None and " " in stored:
        raise ArtefactError(
            f"{artefact.path} says that its network is {stored}, which is no architecture that could be built. Give it "
            "after the artefact whose network it has (sparsescope evaluate DENSE SPARSE), or give --arch."
        )
    if stored is not None and not buildable:
        return _built(stored, artefact)
    if stored is not None:
        raise ArtefactError(
            f"{artefact.path} says that its architecture is {stored}, and code that a file names is not run unasked. "
            f"If you trust it, give --arch {stored}."
        )
    try:
        return _matched(artefact)
    except ArtefactError as error:
        if dense is None:
            raise
        differences = _nearest(dense.module, artefact).differences()
        raise ArtefactError(
            f"{error}\nIt does not fit the dense network {dense.name} either:\n{differences}"
        ) from error


def fits(dense: Classifier, artefact: Artefact) -> bool:
    """Return whether the artefact's weights have the dense network's names and shapes."""
    return any(compared(dense.module, reading).fits for reading in readings(artefact))


def _matched(artefact: Artefact) -> tuple[Network, Artefact]:
    """Guess the architecture; errors are about the last reading, which is the plainest."""
    *others, last = readings(artefact)
    for reading in others:
        with contextlib.suppress(ArtefactError):
            network, reading = _built(match(reading.shapes, str(artefact.path)), reading)
            return replace(network, guessed=network.record is None), reading
    network, last = _built(match(last.shapes, str(artefact.path)), last)
    return replace(network, guessed=network.record is None), last


def _alike(dense: Classifier, artefact: Artefact) -> tuple[Network, Artefact] | None:
    """Return a copy of the dense network that the weights fit, narrower where they are; None if they do not."""
    network = copied(dense)
    for reading in readings(artefact):
        if compared(network.module, reading).fits:
            return network, reading
    narrowed = _narrowed(network.module, artefact)
    return (replace(network, narrowed=narrowed), artefact) if narrowed else None


def _narrowed(module: nn.Module, artefact: Artefact) -> tuple[str, ...]:
    """Narrow the network to the weights of our own checkpoint: other files do not say what they are meant for."""
    return tuple(narrow(module, artefact.shapes)) if artefact.kind == "sparsescope checkpoint" else ()


def _built(spec: str, artefact: Artefact) -> tuple[Network, Artefact]:
    architecture = resolve(spec)
    options = {}
    if spec == artefact.details.architecture and not is_known_code(spec):
        options = {
            name: value for name, value in artefact.details.architecture_options.items() if architecture.accepts(name)
        }
    for reading in readings(artefact):
        with torch.random.fork_rng(devices=[]):
            module = architecture.build(**options)
            if not compared(module, reading).fits:
                module = architecture.build(**options | fitting_options(architecture, module, reading.shapes))
        if compared(module, reading).fits:
            record = record_of(spec, artefact.sha256)
            return Network(module.cpu().float(), spec, architecture.preprocessing, record=record), reading
    narrowed = _narrowed(module, artefact)
    if not narrowed:
        raise ArtefactError(
            f"{artefact.path} does not fit the architecture {spec}:\n{_nearest(module, artefact).differences()}\n"
            "Give the architecture that these weights were trained with by --arch."
        )
    return Network(module.cpu().float(), spec, architecture.preprocessing, narrowed), artefact


def _nearest(module: nn.Module, artefact: Artefact) -> Comparison:
    """Return the comparison with that reading of the artefact which has most in common with the network."""
    return max((compared(module, reading) for reading in readings(artefact)), key=lambda found: found.common)


def compared(module: nn.Module, artefact: Artefact) -> Comparison:
    """Return the artefact's tensors beside the network's; a parameter of several names needs to be there under one."""
    absent = absent_names(module, artefact)
    network = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items() if name not in absent}
    return Comparison(artefact.shapes, network)
