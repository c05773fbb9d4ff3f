"""What a sweep says of networks that failed: `failures.json` in its folder, where there is one."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sparsescope.errors import InputError

__all__ = ["FailedNetwork", "load_failures"]


class FailedNetwork(BaseModel):
    """A network that could not be made or evaluated.

    Args:
        method: its pruning method; `dense` where the seed has no dense network, and so nothing at all.
        target: sparsity asked for; None for dense networks.
        seed: of training.
        reason: the error.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    method: str
    target: float | None
    seed: int
    reason: str


def load_failures(folder: Path) -> list[FailedNetwork]:
    """Return the failures listed in a sweep's folder; none without a list. Raises InputError for a damaged one."""
    path = folder / "failures.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    try:
        return TypeAdapter(list[FailedNetwork]).validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path} is no list of failures: {first['msg']}. Delete it to report without it.") from error
