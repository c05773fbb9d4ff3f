"""What networks return: entries at any depth, forms of values, and errors that name the option."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from sparsescope.classifier import Classifier
from sparsescope.errors import InputError
from sparsescope.outputs import FORMS

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0], [1.0, 1.5, -0.5], [-3.0, 0.0, 4.0]])
Pair = namedtuple("Pair", ["features", "scores"])


@dataclass
class Answer:
    loss: Tensor | None
    logits: Tensor
    heads: tuple[Tensor, ...] = ()


class Returns(nn.Module):
    def __init__(self, answer: Callable[[], object]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> object:
        return self.answer()


def asked(answer: Callable[[], object], output: str | int = "logits") -> Tensor:
    return Classifier(Returns(answer), output=output, name="net")(torch.zeros(4, 3, 2, 2))


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (lambda: Pair(torch.zeros(4, 9), LOGITS), "scores"),
        (lambda: Pair(torch.zeros(4, 9), LOGITS), 1),
        (lambda: Pair(torch.zeros(4, 9), LOGITS), -1),
        (lambda: Answer(None, LOGITS), "logits"),
        (lambda: Answer(None, torch.zeros(4, 2), (torch.zeros(4, 2), LOGITS)), "heads.1"),
        (lambda: {"a": [torch.zeros(4, 2), {"b": LOGITS}]}, "a.1.b"),
        (lambda: {"a.b": LOGITS}, "a.b"),
        (lambda: (LOGITS, (torch.zeros(4, 2),)), 0),
        (lambda: LOGITS[:, :, None, None], "squeezed"),
        (lambda: LOGITS[:, None], "squeezed"),
        (lambda: {"map": LOGITS[..., None]}, "map:squeezed"),
    ],
)
def test_the_logits_are_found(answer: Callable[[], object], output: str | int) -> None:
    assert torch.equal(asked(answer, output), LOGITS)


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (lambda: LOGITS.softmax(1), "probabilities"),
        (lambda: {"probabilities": LOGITS.softmax(1)}, "probabilities"),
        (lambda: (None, LOGITS.softmax(1)[..., None, None]), "1:squeezed:probabilities"),
        (lambda: LOGITS.sigmoid(), "sigmoids"),
        (lambda: LOGITS.log_softmax(1), "logits"),
    ],
)
def test_forms_give_the_softmax_of_the_logits(answer: Callable[[], object], output: str) -> None:
    torch.testing.assert_close(asked(answer, output).softmax(1), LOGITS.softmax(1))


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_score_for_two_classes(shape: tuple[int, ...]) -> None:
    z = torch.tensor([-2.0, 0.0, 3.0, 80.0])
    expected = torch.stack([torch.sigmoid(-z), torch.sigmoid(z)], 1)
    torch.testing.assert_close(asked(lambda: z.reshape(shape), "binary").softmax(1), expected)
    sure = asked(lambda: z.sigmoid().reshape(shape), "binary-probabilities")
    torch.testing.assert_close(sure.softmax(1), expected)
    assert bool(sure.isfinite().all())
    one = Classifier(Returns(lambda: z[2]), output="binary")(torch.zeros(1, 3, 2, 2))  # (N, 1), squeezed, of one image
    torch.testing.assert_close(one.softmax(1), expected[2:3])


@pytest.mark.parametrize(
    ("answer", "output", "text"),
    [
        (lambda: LOGITS[:, 0], "logits", r"shape \(4,\)\. If this is the logit of .*--model-output binary\.$"),
        (lambda: LOGITS[:, :1].sigmoid(), "logits", r"\(4, 1\).*--model-output binary-probabilities\.$"),
        (lambda: LOGITS[..., None, None], "logits", r"\(4, 3, 1, 1\)\. Give --model-output squeezed "),
        (lambda: LOGITS[:, :, None, None].expand(4, 3, 5, 5), "logits", "not scores of many places"),
        (lambda: LOGITS.argmax(1), "logits", "a tensor of shape .* and type int64. .* not the numbers of classes"),
        (lambda: LOGITS[0, 0], "squeezed", "One row of class scores is needed for each image"),
        (lambda: LOGITS[:2], "logits", "One row of class scores is needed for each image"),
        (lambda: LOGITS, "binary", r"one value for an image, \(4,\) or \(4, 1\), as --model-output binary says"),
        (
            lambda: Answer(LOGITS, LOGITS, (LOGITS, LOGITS[:, :2])),
            "x",
            r"a Answer: it has no entry 'x'\. .*: loss for shape \(4, 3\), logits .*, heads\.0 .*, heads\.1 for .* 2\)",
        ),
        (lambda: (LOGITS, [LOGITS]), "logits", r"--model-output: 0 for shape \(4, 3\), 1\.0 for shape \(4, 3\)\.$"),
        (lambda: (LOGITS, LOGITS), "count", "no entry 'count'"),
        (lambda: LOGITS, "probs:probabilities", "leave --model-output probs:probabilities out"),
    ],
)
def test_what_is_refused_names_the_option(answer: Callable[[], object], output: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        asked(answer, output)


def test_every_form_can_be_loaded_and_says_what_it_is() -> None:
    for form in FORMS.values():
        assert callable(form.load().adapt) and form.help
