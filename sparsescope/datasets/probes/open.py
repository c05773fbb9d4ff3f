"""From SPECs to probe sets."""

from pathlib import Path

from sparsescope.benchmark import ProbeSet
from sparsescope.datasets.probes import PROBES
from sparsescope.datasets.probes.user import open_user_probe
from sparsescope.datasets.source import Shape
from sparsescope.datasets.specs import find_opener

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
    opener, argument = find_opener(spec, PROBES, "probe set", _hint)
    probe: ProbeSet = (opener or open_user_probe)(argument, shape)
    return probe


def _hint(spec: str) -> str:
    path = Path(spec).expanduser()
    if spec and ((path.is_file() and path.suffix.lower() == ".csv") or (path / "label.csv").is_file()):
        return f"Did you mean broden:{spec}? "
    return f"Did you mean probe:{spec}? " if spec and path.is_dir() else ""
