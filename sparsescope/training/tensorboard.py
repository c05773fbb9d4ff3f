"""Writing the history for TensorBoard, which is an optional dependency."""

from pathlib import Path

from sparsescope.errors import OptionError
from sparsescope.training.history import Epoch

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes every epoch as scalars; give it to `train` as `on_epoch`, and close it at the end.

    Args:
        directory: where the event files go.

    Raises:
        OptionError: TensorBoard is not installed.
    """

    def __init__(self, directory: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise OptionError(
                f"TensorBoard is not installed ({error}). Install it with: pip install 'sparsescope[tensorboard]'."
            ) from error
        self._writer = SummaryWriter(str(directory))

    def __call__(self, epoch: Epoch) -> None:
        """Write loss, accuracy, learning rate and sparsity of one epoch."""
        scalars = {
            "train/loss": epoch.loss,
            "train/accuracy": epoch.accuracy,
            "test/loss": epoch.test_loss,
            "test/accuracy": epoch.test_accuracy,
            "learning_rate": epoch.learning_rate,
            "sparsity": epoch.sparsity,
        }
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(name, value, epoch.number)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
