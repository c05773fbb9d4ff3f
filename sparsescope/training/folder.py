"""The folder of one training run: a checkpoint after every epoch, and the weights that rewinding goes back to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sparsescope.checkpoints import save_checkpoint
from sparsescope.checkpoints.read import read
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, InputError, OptionError
from sparsescope.training.history import Epoch

__all__ = ["RunFolder", "Stored"]


@dataclass(frozen=True)
class Stored:
    """What a run goes on from.

    Args:
        weights: state dict after the last whole epoch.
        state: of optimiser, scaler and hook.
        history: one entry per epoch done.
    """

    weights: Mapping[str, Any]
    state: Mapping[str, Any]
    history: list[Epoch]


@dataclass(frozen=True)
class RunFolder:
    """Where a run is kept. Its files are checkpoints of ours, which `sparsescope evaluate` reads.

    `checkpoint.pt` is the state after the last whole epoch; `epoch-0.pt` holds the weights that the run began with (if
    it began with another epoch of its recipe, that one's number stands there) and `epoch-K.pt` those after the recipe's
    `rewind_epoch`.

    Args:
        path: the folder; it is made if its parent exists. Processes on several machines need a shared one.
        architecture: specification that builds the network, such as `"resnet20s"`; empty for a network from Python.
        architecture_options: keywords given to the function of user code.
        size: height and width of the images in pixels.
        task: JSON-able: the data specification under `data`, the class names under `classes`.
    """

    path: Path
    architecture: str = ""
    architecture_options: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None
    task: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))  # a str does too

    @property
    def checkpoint(self) -> Path:
        """The state after the last whole epoch."""
        return self.path / "checkpoint.pt"

    def kept(self, epoch: int) -> Path:
        """The weights after an epoch that is kept; 0 for the initial ones of a whole run."""
        return self.path / f"epoch-{epoch}.pt"

    def prepare(self) -> None:
        """Make the folder, and remove what a killed run may have left half-written in it."""
        try:
            self.path.mkdir(exist_ok=True)
            for partial in self.path.glob("*.pt.*.partial"):
                partial.unlink()
        except OSError as error:
            raise InputError(f"Cannot use the folder {self.path}: {error.strerror}.") from error

    def save(
        self,
        path: Path,
        classifier: Classifier,
        history: Sequence[Epoch],
        training: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint: complete, or not at all."""
        save_checkpoint(
            path,
            classifier,
            architecture=self.architecture,
            architecture_options=self.architecture_options,
            size=self.size,
            task=self.task,
            history=[asdict(epoch) for epoch in history],
            training=training,
        )

    def load(self, identity: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Stored | None:
        """Return what the run goes on from; None where it has not finished an epoch.

        Args:
            identity: what decides the run's numbers, by name: it must be what the run began with.
            earlier: what earlier versions noted instead, of some of these names.

        Raises:
            OptionError: another run is kept here; the text names what differs.
            ArtefactError: the file is damaged, or no checkpoint of a training run.
        """
        if not self.checkpoint.exists():
            return None
        value = read(self.checkpoint).value
        training = value.get("training") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(training, dict) or not {"identity", "state"} <= set(training):
            raise ArtefactError(f"{self.checkpoint} is no checkpoint of a training run. Give another folder.")
        theirs = training["identity"]
        differing = [
            f"{name} is {_shown(theirs.get(name))} there and {_shown(identity.get(name))} here"
            for name in dict.fromkeys([*theirs, *identity])
            if theirs.get(name) not in (identity.get(name), (earlier or {}).get(name, identity.get(name)))
        ]
        if differing:
            raise OptionError(
                f"{self.path} holds another training run: {'; '.join(differing)}. Give another folder, or the same "
                "settings and initial weights to go on with that run."
            )
        return Stored(value["state_dict"], training["state"], [Epoch(**entry) for entry in value["history"]])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 24 else f"{text[:12]}…"
