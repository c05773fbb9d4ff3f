"""Details follow their type, in new evaluations as in files; what does not is named: file, metric, model and field."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_evaluation import MODELS, make_evaluation, make_metric
from written import written

from sparsescope.errors import InputError
from sparsescope.reporting import report
from sparsescope.results import Evaluation, Pairs
from sparsescope.results.details import READABLE, AccuracyDetails, EceDetails, OodDetails
from sparsescope.results.radar import normalise
from sparsescope.verdict import decide


@pytest.mark.parametrize("name", ["demo", "real"])
def test_files_of_version_0_1_load_and_render(name: str, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(written(name)))
    evaluation = Evaluation.load(path)
    kinds = {metric.name for metric in evaluation.metrics for model in evaluation.models if metric.read(model.name)}
    assert kinds == set(READABLE)
    assert evaluation["fidelity"].scale_free is not None and evaluation["accuracy"].scale_free is None
    files = report(evaluation, tmp_path / "out")
    text = files["report.md"].read_text()
    assert "**ECE**: A metric of calibration. Lower is better. Unit: probability. Source: Guo et al. 2017." in text
    for shown in ("raw and scale-free values", "Who changed sides", "Compositional neurons", "Accuracy under attack"):
        assert shown in text
    again = Evaluation.load(files["evaluation.json"])
    assert again == evaluation
    raw = json.loads(files["evaluation.json"].read_text())
    for metric, old in zip(raw["metrics"], written(name)["metrics"], strict=True):
        assert kept(metric, old) == old  # nothing is lost of what was written


def kept(new: Any, old: Any) -> Any:
    """Return of new content what old content has too."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {key: kept(new[key], value) for key, value in old.items()}
    return new


def change_bin(details: dict[str, Any]) -> None:
    details["ece"]["dense"]["reliability"][14]["accuracy"] = None


def change_rows(details: dict[str, Any]) -> None:
    details["accuracy"]["sparse"]["by_class"]["lower"].pop()


def change_class(details: dict[str, Any]) -> None:
    details["accuracy"]["sparse"]["by_class"]["own"][3] = None


def change_cells(details: dict[str, Any]) -> None:
    next(iter(details["corruption_error"]["dense"]["corruptions"].values()))["nll"].append(1.0)


def change_severities(details: dict[str, Any]) -> None:
    details["corruption_error"]["dense"]["severities"][0] = 7


def change_curve(details: dict[str, Any]) -> None:
    details["fgsm_accuracy"]["sparse"]["curve"]["upper"] = []


def change_set(details: dict[str, Any]) -> None:
    del details["ood_auroc"]["dense"]["sets"]["letters"]["fpr95"]


def change_unit(details: dict[str, Any]) -> None:
    details["composition"]["dense"]["units"].reverse()


def change_dead(details: dict[str, Any]) -> None:
    details["composition"]["dense"]["dead"] += 1


def change_scale_free(details: dict[str, Any]) -> None:
    details["fidelity"]["sparse"]["fidelity_r2"] = "high"


def change_layers(details: dict[str, Any]) -> None:
    details["weight_trace"]["sparse"]["without_effect"] = "conv"


def change_skipped(details: dict[str, Any]) -> None:
    details["stability"]["sparse"]["skipped_images"] = -1


@pytest.mark.parametrize(
    ("change", "metric", "model", "text"),
    [
        (change_bin, "ece", "dense", "reliability.14: expected confidence and accuracy of a bin with "),
        (change_rows, "accuracy", "sparse", "by_class: expected lists of one length, but got 10 n, 10 lost,"),
        (change_class, "accuracy", "sparse", "by_class: expected numbers of the classes that have images, but class 3"),
        (change_cells, "corruption_error", "dense", "expected lists of one length, but got"),
        (change_severities, "corruption_error", "dense", "severities.0: Input should be less than or equal to 5"),
        (change_curve, "fgsm_accuracy", "sparse", "curve: expected lists of one length, but got 6 epsilon"),
        (change_set, "ood_auroc", "dense", "sets.letters.fpr95: Field required"),
        (change_unit, "composition", "dense", "expected units 0 to "),
        (change_dead, "composition", "dense", "of the units to be dead"),
        (change_scale_free, "fidelity", "sparse", "fidelity_r2: expected a number, but got 'high'"),
        (change_layers, "weight_trace", "sparse", "without_effect: Input should be a valid tuple"),
        (change_skipped, "stability", "sparse", "skipped_images: Input should be greater than or equal to 0"),
    ],
)
def test_details_that_do_not_follow_their_type(
    change: Callable[[dict[str, Any]], None], metric: str, model: str, text: str, tmp_path: Path
) -> None:
    content = written("demo")
    change({each["name"]: each["details"] for each in content["metrics"]})
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        Evaluation.load(path)
    assert str(error.value).startswith(f"{path} does not follow sparsescope.evaluation/1: metrics.")
    assert f"details of {metric} for {model}: " in str(error.value) and text in str(error.value)


def test_an_evaluation_in_the_making_is_held_against_them_too() -> None:
    with pytest.raises(ValueError, match=r"details of ece for resnet20_dense: reliability.0.lower: Field required"):
        make_metric("ece", details={MODELS[0]: {"reliability": [{"upper": 0.1}]}})
    with pytest.raises(ValueError, match=r"expected plain numbers, texts, lists and dicts, but .* set is not JSON"):
        make_metric("own", details={MODELS[0]: {"seen": {1, 2}}})


def test_other_metrics_may_have_details_of_any_form(tmp_path: Path) -> None:
    details = {MODELS[0]: {"reliability": "high", "sets": 3, "changed": [None]}, MODELS[1]: {"share": 0.25}}
    metric = make_metric("own", details=details)
    assert metric.read(MODELS[0]) is None
    pairs = Pairs.of_one_dense(MODELS[:2])
    verdicts = {MODELS[1]: decide([metric], pairs.of(MODELS[1]), confidence=0.95, complete=False)}
    evaluation = make_evaluation(metrics=(metric,), verdicts=verdicts, radar=normalise([metric], pairs))
    assert "share" in report(evaluation, tmp_path)["report.md"].read_text()


def test_details_are_read_by_model_dense_first() -> None:
    evaluation = make_evaluation()
    assert list(evaluation.details(EceDetails)) == list(MODELS[:2])
    assert list(evaluation.details(AccuracyDetails)) == [MODELS[1]]
    assert evaluation.details(OodDetails)[MODELS[0]].sets["dtd"].n == 600
    assert evaluation.model_copy(update={"metrics": ()}).details(EceDetails) == {}
