"""What `sparsescope prune` says of a ticket while it is made and at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsescope.classifier import Classifier
    from sparsescope.sweeps import Workshop

__all__ = ["label", "summary"]


def label(progress: Any) -> Any:
    """Show the progress of the running training; rounds and dense network come one after the other."""
    return lambda run, fraction, line: progress(fraction, 1.0, f"{run}: {line}")


def summary(workshop: "Workshop", method: str, recipe: str, out: Path, ticket: "Classifier", history: list[Any]) -> str:
    """Return one line about the ticket: what was removed, and how it was trained."""
    sparsity = ticket.sparsity
    trained = "not trained"
    if history:
        last = history[-1]
        epochs = f"{len(history)} epoch{'' if len(history) == 1 else 's'}"
        trained = f"trained for {epochs} by the recipe {recipe}, test accuracy {last['test_accuracy']:.1%}"
    parent = workshop.dense_checkpoint
    dense = f"; dense network: {parent}" if parent.exists() else ""
    return (
        f"{out}: {method}, {sparsity.prunable:.2%} of the prunable weights removed, {sparsity.nonzero:,} of "
        f"{sparsity.parameters:,} parameters left, {trained}{dense}"
    )
