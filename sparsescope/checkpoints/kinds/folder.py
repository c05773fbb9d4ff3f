"""What folders of hubs have in common: `config.json` beside the weights, and libraries that talk while they read."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from sparsescope.checkpoints.folders import PUBLISHED, weight_file
from sparsescope.checkpoints.folding import fill
from sparsescope.checkpoints.layout import Artefact, open_artefact, readings
from sparsescope.checkpoints.network import compared
from sparsescope.checkpoints.tied import untied
from sparsescope.checkpoints.values import conversion_warnings, value_problems
from sparsescope.errors import ArtefactError
from sparsescope.files import read_json

__all__ = ["config_of", "filled", "quiet", "warnings_of", "weights_of"]


def config_of(folder: Path) -> dict[str, Any] | None:
    """Return what `config.json` says; {} where there is none that could be of a hub, None where it is damaged."""
    if not (folder / "config.json").is_file():
        return {}
    try:
        document = read_json(folder / "config.json")
    except ValueError:
        return None
    return document if isinstance(document, dict) else {}


def weights_of(place: Path) -> Artefact:
    """Return the weights in a folder, or in a file; raises ArtefactError where they are missing, damaged or masks."""
    artefact = open_artefact(weight_file(place, PUBLISHED) if place.is_dir() else place)
    if artefact.kind == "mask":
        raise ArtefactError(f"{artefact.path} is a mask. Expected the weights of the network.")
    problems = value_problems(artefact.tensors, None)
    if problems:
        raise ArtefactError(f"{artefact.path}: {problems[0]}")
    return artefact


def filled(module: nn.Module, artefact: Artefact, architecture: str) -> Artefact:
    """Fill a network with weights; return that reading of them which fits.

    Raises:
        ArtefactError: none fits; the text lists the differences.
    """
    comparisons = [(compared(module, reading), reading) for reading in readings(artefact)]
    for comparison, reading in comparisons:
        if comparison.fits:
            fill(module, untied(module, reading).tensors)
            return reading
    nearest = max((comparison for comparison, _ in comparisons), key=lambda comparison: comparison.common)
    raise ArtefactError(
        f"{artefact.path} does not fit {architecture}, which config.json names:\n{nearest.differences()}"
    )


def warnings_of(artefact: Artefact) -> tuple[str, ...]:
    """Return what the user should know of the weights that were read."""
    return (*artefact.warnings, *conversion_warnings(artefact.tensors))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries of hubs from printing, warning, and asking the network, inside of the block."""
    import huggingface_hub.constants as hub

    disabled, offline = logging.root.manager.disable, hub.HF_HUB_OFFLINE
    logging.disable(logging.WARNING)
    hub.HF_HUB_OFFLINE = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        hub.HF_HUB_OFFLINE = offline
