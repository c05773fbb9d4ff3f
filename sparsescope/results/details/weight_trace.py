"""Details of `weight_trace`."""

from typing import ClassVar

from typing_extensions import override

from sparsescope.results.details.base import Details

__all__ = ["WeightTraceDetails"]


class WeightTraceDetails(Details):
    """Layers without effect on the loss."""

    metric: ClassVar[str] = "weight_trace"

    without_effect: tuple[str, ...] = ()

    @override
    def notes(self) -> list[str]:
        return [f"layers without effect on the loss: {', '.join(self.without_effect)}"] if self.without_effect else []
