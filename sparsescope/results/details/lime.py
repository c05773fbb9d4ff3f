"""Details of `fidelity` and `stability`."""

from typing import ClassVar

from typing_extensions import override

from sparsescope.results.base import Count
from sparsescope.results.details.base import Details, ScaleFree

__all__ = ["FidelityDetails", "StabilityDetails"]


class _LimeDetails(Details):
    """How many images could not be explained."""

    skipped_images: Count = 0

    @override
    def notes(self) -> list[str]:
        n = self.skipped_images
        return [f"{n} images skipped, because they have fewer than two superpixels"] if n else []


class FidelityDetails(_LimeDetails):
    """Those of `fidelity`."""

    metric: ClassVar[str] = "fidelity"
    scale_free: ClassVar[ScaleFree] = ScaleFree(key="fidelity_r2", label="R² of the explanation", higher_is_better=True)


class StabilityDetails(_LimeDetails):
    """Those of `stability`."""

    metric: ClassVar[str] = "stability"
    scale_free: ClassVar[ScaleFree] = ScaleFree(
        key="stability_relative", label="change relative to the explanation's size", higher_is_better=False
    )
