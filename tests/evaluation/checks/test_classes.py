"""Numbers and names of classes that differ between data and outputs, and outputs in another order."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.checkpoints import load_classifier, save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.datasets.imagenet import class_names, synsets
from sparsescope.errors import DataError, OptionError
from sparsescope.evaluation import evaluate, open_task
from sparsescope.evaluation.checks.labels import _better_order
from sparsescope.evaluation.classes import refuse_other_classes

NAMES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GERMAN = ("Flugzeug", "Auto", "Vogel", "Katze", "Reh", "Hund", "Frosch", "Pferd", "Schiff", "Laster")
OPTIONS: dict[str, Any] = {"metrics": ["accuracy"], "cache": False, "device": "cpu", "replicates": 100}


class GreyLevel(nn.Module):
    """Says output k for an image of grey level 20 k + 10."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        self.levels = nn.Parameter((20 * torch.arange(float(outputs)) + 10) / 255)

    def forward(self, images: Tensor) -> Tensor:
        return -((images.mean((1, 2, 3))[:, None] - self.levels) ** 2) * 2000


def benchmark(classes: Sequence[str] = (), outputs: Sequence[int] = range(10), each: int = 20) -> Benchmark:
    """Images of the outputs given, labeled 0, 1, 2, …."""
    levels = np.repeat(20 * np.array(outputs) + 10, each)
    stripes = np.broadcast_to(np.array([-2, 2, -2, 2])[:, None], (4, 4, 3))  # something to see, of mean 0
    images = (levels[:, None, None, None] + stripes).astype(np.uint8)
    return Benchmark("levels", ArrayImages(images, np.repeat(np.arange(len(outputs)), each), "levels"), classes=classes)


def said(model: Classifier | nn.Module, data: Benchmark) -> tuple[float | None, str]:
    evaluation = evaluate(model, model, data, **OPTIONS)
    return evaluation["accuracy"].values["dense"].value, " ".join(evaluation.dense.warnings)


def test_a_class_folder_is_missing(tmp_path: Path) -> None:
    for place, name in enumerate(NAMES):
        (tmp_path / f"{place}_{name}").mkdir()
        for number in range(3):
            level = np.full((4, 4, 3), 20 * place + 10, np.uint8)
            Image.fromarray(level).save(tmp_path / f"{place}_{name}" / f"{number}.png")
    complete = evaluate(GreyLevel(), GreyLevel(), f"folder:{tmp_path}", **OPTIONS)
    assert not any("classes" in text for text in complete.dense.warnings)
    for file in (tmp_path / "4_deer").iterdir():
        file.unlink()
    with pytest.warns(UserWarning, match="the label stays reserved"):
        reserved = evaluate(GreyLevel(), GreyLevel(), f"folder:{tmp_path}", **OPTIONS)
    assert reserved["accuracy"].values["dense"].value == 1
    (tmp_path / "4_deer").rmdir()
    evaluation = evaluate(GreyLevel(), GreyLevel(), f"folder:{tmp_path}", **OPTIONS)
    assert evaluation["accuracy"].values["dense"].value == pytest.approx(4 / 9)
    assert f"has 10 outputs, but folder:{tmp_path} has 9 classes (0_plane, 1_car, " in evaluation.dense.warnings[0]
    named = Classifier(GreyLevel(), classes=NAMES)  # numbered folders have the names that the outputs have
    known = evaluate(named, named, f"folder:{tmp_path}", **OPTIONS)
    assert known["accuracy"].values["dense"].value == 1


@pytest.mark.parametrize(
    ("classes", "outputs", "each", "warned"),
    [
        (NAMES[:8], range(8), 20, True),
        ((), range(8), 20, True),
        ((), range(10), 20, False),
        ((), range(9), 1, False),  # so few images that the last class may be missing by chance
        (NAMES, range(8), 20, False),  # the data says that it has ten classes
    ],
)
def test_fewer_classes_than_outputs(classes: Sequence[str], outputs: Sequence[int], each: int, warned: bool) -> None:
    _, text = said(GreyLevel(), benchmark(tuple(classes), outputs, each))
    assert ("has 10 outputs, but" in text) == warned


def test_a_task_of_some_outputs_is_by_design() -> None:
    data = replace(benchmark(NAMES[2:6], range(2, 6)), outputs=(2, 3, 4, 5))
    assert said(GreyLevel(), data) == (1, "")


@pytest.mark.parametrize("order", [(9, 8, 7, 6, 5, 4, 3, 2, 1, 0), (0, 1, 2, 3, 5, 6, 7, 9), (8, 2)])
def test_names_decide_which_output_is_which_label(order: tuple[int, ...]) -> None:
    data = benchmark(tuple(NAMES[output].upper() for output in order), order)
    named = Classifier(GreyLevel(), classes=NAMES, name="dense")
    evaluation = evaluate(named, [GreyLevel()], data, **OPTIONS)
    for model in evaluation.models:
        assert evaluation["accuracy"].values[model.name].value == 1
        assert model.warnings[0].startswith("outputs are matched with the classes of levels by name")
    task = open_task(named, [GreyLevel()], data)
    with task.dense.prepared(), torch.no_grad():
        logits = task.dense(data.test.read(range(4)))
    assert logits.shape == (4, 10)  # no output is cut off: the softmax stays as it is
    assert sorted(task.benchmark.classes) == sorted(
        [*data.classes, *(n for n in NAMES if n.upper() not in data.classes)]
    )


def test_each_model_has_an_order_of_its_own() -> None:
    swapped = GreyLevel()
    with torch.no_grad():
        swapped.levels.copy_(swapped.levels.flip(0))
    models = [Classifier(GreyLevel(), classes=NAMES), Classifier(swapped, classes=NAMES[::-1], name="sparse")]
    evaluation = evaluate(models[0], models[1], benchmark(NAMES), **OPTIONS)
    assert {value.value for value in evaluation["accuracy"].values.values()} == {1}


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        (("car", "plane", "bird", "kitten"), "class 0 is 'car' in levels and 'plane' for dense"),
        ((*NAMES[1:], "lorry"), "class 0 is 'car' in levels"),
        ((*NAMES, "cow"), "levels has 11 classes, and dense names 10"),
        (("a", "b", "c"), "class 0 is 'a' in levels"),
        (GERMAN, "class 0 is 'Flugzeug' in levels and 'plane' for dense"),
        ((*NAMES[:7], "ship", "horse", "lorry"), "class 7 is 'ship' in levels and 'horse' for dense"),
        ((*NAMES[:4], *GERMAN[4:]), "class 4 is 'Reh'"),
    ],
)
def test_names_that_cannot_be_matched_are_refused(classes: tuple[str, ...], text: str) -> None:
    with pytest.raises(DataError, match=f"{text}.*matched by name"):
        evaluate(
            Classifier(GreyLevel(), classes=NAMES, name="dense"), GreyLevel(), benchmark(classes, (0, 1)), **OPTIONS
        )


def test_other_words_for_the_same_classes() -> None:
    model = Classifier(GreyLevel(), classes=NAMES)
    mostly = ("airplane", "automobile", *NAMES[2:])
    assert said(model, benchmark(mostly)) == (1, "")
    numbered = evaluate(model, model, benchmark(GERMAN), classes="number", **OPTIONS)
    assert numbered["accuracy"].values["dense"].value == 1 and not numbered.dense.warnings
    with pytest.raises(OptionError, match="classes to be 'name' or 'number'"):
        evaluate(model, model, benchmark(GERMAN), classes="index", **OPTIONS)  # type: ignore[arg-type]


@pytest.mark.parametrize("numbers", ["{}", "class_{}", "n{:04}"])
def test_names_that_are_numbers_on_one_side_say_nothing(numbers: str) -> None:
    names = tuple(numbers.format(number) for number in range(10))
    assert said(Classifier(GreyLevel(), classes=NAMES), benchmark(names)) == (1, "")
    assert said(Classifier(GreyLevel(), classes=names), benchmark(NAMES)) == (1, "")
    turned = Classifier(GreyLevel(), classes=names)  # on both sides they are names like others
    assert said(turned, benchmark(names[::-1], range(10)[::-1]))[0] == 1


def test_models_are_matched_with_each_other_where_the_data_has_no_names() -> None:
    flipped = GreyLevel()
    with torch.no_grad():
        flipped.levels.copy_(flipped.levels.flip(0))
    dense, other = Classifier(GreyLevel(), classes=NAMES), Classifier(flipped, classes=NAMES[::-1], name="sparse")
    evaluation = evaluate(dense, other, benchmark(), **OPTIONS)
    assert {value.value for value in evaluation["accuracy"].values.values()} == {1}
    assert "matched with the classes of dense by name" in evaluation.candidates[0].warnings[0]
    with pytest.raises(DataError, match="The classes of dense are not those of sparse: class 0 is 'plane' in dense"):
        evaluate(dense, Classifier(GreyLevel(), classes=GERMAN, name="sparse"), benchmark(), **OPTIONS)


def test_a_network_to_prune_must_have_the_order_of_the_labels() -> None:
    model = Classifier(GreyLevel(), classes=NAMES, name="dense")
    refuse_other_classes(benchmark(NAMES), model)
    refuse_other_classes(benchmark(), model)
    for names in (NAMES[::-1], GERMAN):
        with pytest.raises(DataError, match=r"class 0 is .*--classes number"):
            refuse_other_classes(benchmark(names), model)


def test_where_names_come_from(tmp_path: Path) -> None:
    hugging_face = GreyLevel()
    hugging_face.config = SimpleNamespace(id2label=dict(enumerate(NAMES)))  # type: ignore[assignment]
    assert said(hugging_face, benchmark(NAMES[::-1], range(10)[::-1]))[0] == 1
    hugging_face.config.id2label = {k: f"LABEL_{k}" for k in range(10)}  # type: ignore[union-attr]
    assert said(hugging_face, benchmark(NAMES)) == (1, "")
    from sparsescope.architectures.digits_cnn import digits_cnn

    task = {"data": "digits", "classes": list(NAMES)}
    save_checkpoint(tmp_path / "net.pt", Classifier(digits_cnn()), architecture="digits_cnn", task=task)
    assert load_classifier(tmp_path / "net.pt").classes == NAMES


def test_synsets_are_names() -> None:
    from sparsescope.evaluation.classes import match_classes

    chosen = (0, 217, 482, 497, 566)  # as in a folder of a few synsets
    data = benchmark(tuple(synsets()[output] for output in chosen), range(5))
    (model,) = match_classes(data, [Classifier(GreyLevel(1000), classes=class_names())])[1]
    assert model.outputs is None or model.outputs[:5] == chosen


def shuffled(accuracy: float, order: Sequence[int], n: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (n,) of a model of some accuracy whose outputs are in another order, and labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(order), n)
    right = np.array(order)[labels]
    return np.where(rng.random(n) < accuracy, right, rng.integers(0, len(order), n)), labels


def test_another_order_is_found_on_one_half_and_holds_on_the_other() -> None:
    rolled = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)
    found = _better_order(*shuffled(0.9, rolled), 10)
    assert found is not None and found.output_of.tolist() == list(rolled)
    assert found.given < 0.05 and found.better > 0.85
    text = found.warning(NAMES)
    assert "label 0 (plane) is output 1, label 1 (car) is output 2, label 2 (bird) is output 3 and 7 more" in text
    shifted = _better_order(*shuffled(0.9, (0, 1, 2, 3, 4, 5, 6, 8, 9, 7)), 10)
    assert shifted is not None and shifted.given > 0.6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("accuracy", "n", "outputs"), [(0.0, 1000, 10), (0.9, 1000, 10), (0.3, 1000, 10), (0.6, 300, 2)]
)
def test_no_order_is_found_where_there_is_none(accuracy: float, n: int, outputs: int, seed: int) -> None:
    assert _better_order(*shuffled(accuracy, range(outputs), n, seed), outputs) is None


def test_a_constant_answer_on_uneven_classes_is_no_other_order() -> None:
    labels = np.repeat([0, 1, 2, 3], [700, 100, 100, 100])
    assert _better_order(np.full(1000, 2), labels, 4) is None
    assert _better_order(*shuffled(0.9, (1, 0), 100), 2) is None  # too few images


def test_labels_in_another_order_are_warned_of_with_both_accuracies() -> None:
    data = benchmark((), [*range(1, 10), 0], each=30)
    data = replace(data, ood={"others": ArrayImages(np.zeros((9, 4, 4, 3), np.uint8), None, "others")})
    evaluation = evaluate(GreyLevel(), GreyLevel(), data, **OPTIONS | {"metrics": ["accuracy", "ood_auroc"]})
    text = " ".join(evaluation.dense.warnings)
    assert evaluation["accuracy"].values["dense"].value == 0
    assert "accuracy is 0.0%, but 100.0% if classes are renumbered (label 0 is output 1, " in text
    verdict = evaluation.verdict(evaluation.candidates[0].name)
    assert verdict.outcome != "pass" and verdict.metrics["ood_auroc"].outcome != "not evaluated"
    assert verdict.metrics["accuracy"].reason == (
        "dense seems to have its classes in another order than the labels; is no better than chance (0.0% of 10 "
        "classes are right)"
    )


@pytest.mark.parametrize(("each", "judged"), [(30, False), (3, True)])
def test_what_matches_a_model_at_chance_has_lost_nothing(each: int, judged: bool) -> None:
    data, dense = benchmark((), range(10), each), GreyLevel()
    with torch.no_grad():
        dense.levels.fill_(0.5)
        dense.levels[0] = 0.51
    evaluation = evaluate(dense, GreyLevel(), data, **OPTIONS)
    assert any("is at the level of chance for 10 classes" in text for text in evaluation.dense.warnings)
    assert (evaluation.verdict(evaluation.candidates[0].name).metrics["accuracy"].outcome != "not evaluated") == judged
