"""From SPECs to probe sets."""

from sparsescope.benchmark import ProbeSet
from sparsescope.datasets.probes import PROBES
from sparsescope.datasets.source import Shape

__all__ = ["open_probe"]


def open_probe(spec: str, shape: Shape) -> ProbeSet:
    """Return the probe set of a SPEC, its images in the model's input shape.

    Args:
        spec: a form of the catalogue in `sparsescope.datasets.probes`, such as `"shapes"` or `"broden:DIR"`.
        shape: (C, H, W) of the model's input.

    Raises:
        OptionError: an unknown form; the text lists the forms.
        DataError: data that cannot be used; the text names the files.

    Example:
        >>> from sparsescope import open_probe
        >>> probe = open_probe("shapes", (1, 32, 32))
        >>> sorted({concept.category for concept in probe.concepts})
        ['color', 'object', 'part', 'position', 'scene', 'texture']
    """
    entry, argument = PROBES.find(spec)
    probe: ProbeSet = entry.open(argument, shape)
    return probe
