"""What a run tells of itself: one Epoch after each, and its Progress in between."""

from dataclasses import dataclass

__all__ = ["Epoch", "Progress"]


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    Args:
        number: counted from 1.
        loss: mean cross-entropy over the training images, augmented, while the weights change.
        accuracy: fraction right, likewise.
        learning_rate: of the last step.
        sparsity: fraction removed of the prunable weights.
        seconds: wall time, without the checkpoint.
        test_loss: mean cross-entropy over the test images after the epoch; None where they were not looked at.
        test_accuracy: fraction right, likewise.
    """

    number: int
    loss: float
    accuracy: float
    learning_rate: float
    sparsity: float
    seconds: float
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True)
class Progress:
    """Where a run stands, told several times within every epoch.

    Args:
        epoch: the running epoch, counted from 1.
        epochs: all epochs.
        fraction: of the running epoch done.
        loss: mean cross-entropy so far in this epoch.
        accuracy: fraction right so far in this epoch.
        sparsity: fraction removed of the prunable weights.
        seconds_left: at the speed of the running epoch.
    """

    epoch: int
    epochs: int
    fraction: float
    loss: float
    accuracy: float
    sparsity: float
    seconds_left: float

    @property
    def done(self) -> float:
        """Epochs done, out of `epochs`."""
        return self.epoch - 1 + self.fraction

    @property
    def text(self) -> str:
        """Return one line without the time, such as `epoch 3/182, loss 1.234, accuracy 45.1%, sparsity 48.8%`."""
        line = f"epoch {self.epoch}/{self.epochs}, loss {self.loss:.3f}, accuracy {self.accuracy:.1%}"
        return line + (f", sparsity {self.sparsity:.1%}" if self.sparsity > 0 else "")
