"""What networks return: one list of the forms in which logits can be read from a tensor of theirs.

`Classifier.output` (`--model-output`) names an entry of what a network returns, a form of its values, or both:
`ENTRY:FORM`. An entry is an index, a key, the name of a field, or several with dots between them, such as `"heads.0"`.
To add a form: write an `Adaptation` in `forms`, and add its line here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsescope.specs import load

if TYPE_CHECKING:
    from sparsescope.outputs.forms import Adaptation

__all__ = ["FORMS", "OutputForm", "split_output"]


@dataclass(frozen=True)
class OutputForm:
    """A form of a network's values.

    Args:
        place: `module:name` of its Adaptation, imported when it is first used.
        help: what it is for.
    """

    place: str
    help: str

    def load(self) -> "Adaptation":
        """Return what reads logits from it."""
        adaptation: Adaptation = load(self.place)
        return adaptation


_HERE = "sparsescope.outputs.forms"
FORMS = {
    "logits": OutputForm(f"{_HERE}:LOGITS", "logits (N, K), taken as they are"),
    "probabilities": OutputForm(f"{_HERE}:PROBABILITIES", "probabilities (N, K), of which the logarithm is taken"),
    "sigmoids": OutputForm(f"{_HERE}:SIGMOIDS", "sigmoids (N, K), one for each class, of which the logit is taken"),
    "binary": OutputForm(f"{_HERE}:BINARY", "one logit z of the second of two classes, (N,) or (N, 1): (−z/2, z/2)"),
    "binary-probabilities": OutputForm(
        f"{_HERE}:BINARY_PROBABILITIES",
        "one probability p of the second of two classes, (N,) or (N, 1): (log(1 − p), log p)",
    ),
    "squeezed": OutputForm(f"{_HERE}:SQUEEZED", "(N, K, 1, 1) or (N, 1, K): dimensions of size 1 are dropped"),
}


def split_output(output: str | int) -> tuple[str | int | None, tuple[str, ...]]:
    """Return the entry that an output names (None: the output itself) and the forms that are read from it, in order.

    Example:
        >>> from sparsescope.outputs import split_output
        >>> split_output("heads.0:squeezed:probabilities"), split_output("logits"), split_output(1)
        (('heads.0', ('squeezed', 'probabilities')), (None, ('logits',)), (1, ()))
    """
    if not isinstance(output, str):
        return output, ()
    parts = output.split(":")
    first = len(parts)
    while first > 0 and parts[first - 1] in FORMS:
        first -= 1
    return ":".join(parts[:first]) or None, tuple(parts[first:])
