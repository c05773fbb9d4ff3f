"""What a kind of artefact is: how it is recognized, what it needs, and what comes of opening it."""

import abc
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import nn

from sparsescope.classifier import Capability
from sparsescope.errors import ArtefactError, OptionError
from sparsescope.files import digest_of
from sparsescope.mask import Sparsity
from sparsescope.preprocessing import Preprocessing
from sparsescope.specs import listed

__all__ = ["Kind", "Opened", "Request", "digest_of"]


@dataclass(frozen=True)
class Request:
    """What the user says of a model beside its path.

    Args:
        place: the path, or what follows the kind's prefix.
        trust_pickle: whether code that the file names may run.
    """

    place: str
    trust_pickle: bool = False

    @property
    def path(self) -> Path:
        """The place as a path."""
        return Path(self.place)


@dataclass(frozen=True)
class Opened:
    """A network of an artefact that says itself how it is built.

    Args:
        module: the network; it takes normalized images.
        architecture: what it is, for people.
        sha256: of the files that decide its answers.
        preprocessing: how images are prepared, where the artefact says it.
        publisher: who says it, in words.
        classes: names of the outputs; empty where the artefact does not say them.
        output: what the network returns (see `Classifier.output`).
        lacks: what cannot be done with the network, and why.
        sparsity: how much of it is removed, where the layers in `module` do not tell.
        bytes: size of the files that hold it; None: of what was given.
        warnings: what the user should know.
    """

    module: nn.Module
    architecture: str
    sha256: str
    preprocessing: Preprocessing | None = None
    publisher: str = "the file"
    classes: tuple[str, ...] = ()
    output: str | int = "logits"
    lacks: Mapping[Capability, str] = field(default_factory=dict)
    sparsity: Sparsity | None = None
    bytes: int | None = None
    warnings: tuple[str, ...] = ()


class Kind(abc.ABC):
    """A kind of artefact that holds a network, not only weights. To add one: a file here, and a line in `KINDS`.

    The class attributes are its row in the documentation.
    """

    name: ClassVar[str]
    """What it is called, such as `"ONNX"`."""
    how: ClassVar[str]
    """How it comes about, in a few words; Markdown."""
    packages: ClassVar[tuple[str, ...]] = ()
    """The packages that read it, beside those that are always there."""
    extra: ClassVar[str] = ""
    """The extra of sparsescope that installs them."""
    prefix: ClassVar[str] = ""
    """What may stand before a place that cannot be recognized, such as `"timm:"`."""

    measured: ClassVar[str] = "all"
    """What can be measured of it."""
    trusted_only: ClassVar[bool] = False
    """Whether it is read only where the user trusts the file."""

    prunable: ClassVar[bool] = False
    """Whether its network can be pruned and trained here; the ticket's weights then go with the artefact."""

    @abc.abstractmethod
    def recognizes(self, path: Path) -> bool:
        """Return whether a file or folder is of this kind; must be quick, and raise nothing but OSError."""

    @abc.abstractmethod
    def read(self, request: Request) -> Opened:
        """Return the network; raises ArtefactError, or whatever the package that reads it raises."""

    def open(self, request: Request) -> Opened:
        """Return the network that is asked for.

        Raises:
            OptionError: the package that reads it is not installed.
            ArtefactError: the artefact cannot be used; the text says what kind it was taken for.
        """
        missing = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise OptionError(
                f"{request.place} is read with {listed(missing, 'and')}. Install it first: "
                f"pip install 'sparsescope[{self.extra}]'."
            )
        try:
            return self.read(request)
        except (ArtefactError, OptionError):
            raise
        except Exception as error:  # whatever a foreign reader raises on a damaged or foreign file
            cause = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
            raise ArtefactError(
                f"{request.place} could not be read as {self.name} ({type(error).__name__}: {cause[:200]}). Is it "
                "whole, and of a version that is installed?"
            ) from error
