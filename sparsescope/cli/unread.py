"""Image sets that were asked for, and that no metric reads."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sparsescope.cli.output import echo

if TYPE_CHECKING:
    from sparsescope.benchmark import Benchmark
    from sparsescope.evaluation import Settings

__all__ = ["SETS", "warn_of_unread"]

SETS = ("ood", "corrupted", "train", "probe")


def warn_of_unread(asked: Mapping[str, Any], settings: "Settings", benchmark: "Callable[[], Benchmark]") -> None:
    """Say on stderr which sets were asked for without effect.

    Args:
        asked: how the user names a set, which ends in one of `SETS` -> what was asked for.
        settings: what is measured.
        benchmark: returns the data; not called where nothing was asked for.
    """
    from sparsescope.evaluation.plan import sets_read

    given = [name for name, value in asked.items() if value]
    if given:
        read = sets_read(settings.metrics, benchmark())
        for name in given:
            if not name.endswith(tuple(read)):
                echo(f"Warning: {name} has no effect: none of the metrics measured reads it.", err=True)
