import errno
import json
import math
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from fake_evaluation import MODELS, make_evaluation, make_metric

from sparsescope.errors import InputError
from sparsescope.results import Evaluation, MetricValue, Pairs, Radar, json_schema, plain
from sparsescope.verdict import decide


@pytest.mark.parametrize("models", [MODELS[:2], MODELS])
def test_json_round_trip(models: tuple[str, ...], tmp_path: Path) -> None:
    evaluation = make_evaluation(models)
    evaluation.save(tmp_path / "evaluation.json")
    assert Evaluation.load(tmp_path / "evaluation.json") == evaluation
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.json"]


@pytest.mark.parametrize("models", [MODELS[:2], MODELS])
def test_saved_json_follows_the_published_schema(models: tuple[str, ...], tmp_path: Path) -> None:
    make_evaluation(models).save(tmp_path / "evaluation.json")
    content = json.loads((tmp_path / "evaluation.json").read_text())
    validator = jsonschema.Draft202012Validator(json_schema())
    jsonschema.Draft202012Validator.check_schema(json_schema())
    validator.validate(content)
    assert content["schema"] == "sparsescope.evaluation/1"
    content["metrics"][0]["dimension"] = "beauty"
    assert not validator.is_valid(content)


def test_nan_and_infinity_become_null_and_load_as_equal(tmp_path: Path) -> None:
    metric = make_metric(
        details={"resnet20_dense": {"spread": math.nan, "table": [1.0, math.inf], "array": np.array([1.0, np.nan])}}
    )
    value = MetricValue(status="measured", value=math.nan, interval=(math.nan, 1.0), standard_error=math.inf, n=1)
    assert (value.value, value.interval, value.standard_error) == (None, None, None)
    metric = metric.model_copy(update={"values": {**metric.values, MODELS[1]: value}})
    radar = Radar(normalisation="ratio", axes=("accuracy",), values=dict.fromkeys(MODELS[:2], (math.nan,)))
    pairs = Pairs.of_one_dense(MODELS[:2])
    verdicts = {MODELS[1]: decide([metric], pairs.of(MODELS[1]), confidence=0.95, complete=False)}
    evaluation = make_evaluation(metrics=(metric,), radar=radar, verdicts=verdicts)
    evaluation.save(tmp_path / "evaluation.json")
    text = (tmp_path / "evaluation.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    loaded = Evaluation.load(tmp_path / "evaluation.json")
    assert loaded == evaluation
    assert loaded["accuracy"].details["resnet20_dense"] == {"spread": None, "table": [1.0, None], "array": [1.0, None]}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("place", [r'("value": )[0-9.]+', r'("margin": )[0-9.]+', r'("total": )[0-9.]+'])
def test_numbers_that_are_not_finite_are_refused(place: str, number: str, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    make_evaluation().save(path)
    text, changed = re.subn(place, rf"\g<1>{number}", path.read_text(), count=1)
    assert changed
    path.write_text(text)
    message = rf"evaluation\.json is not JSON \(it holds {number}, where JSON has null .*\)\. Expected an evaluation"
    with pytest.raises(InputError, match=message):
        Evaluation.load(path)


def test_plain_turns_numpy_into_python() -> None:
    found = plain({"a": np.float64(1.5), 2: np.arange(3), "c": (np.int64(1), np.nan, True)})
    assert found == {"a": 1.5, "2": [0, 1, 2], "c": [1, None, True]}
    assert type(found["a"]) is float


def test_access_by_name() -> None:
    evaluation = make_evaluation()
    assert evaluation.dense.name == MODELS[0]
    assert [model.name for model in evaluation.candidates] == [MODELS[1]]
    difference = evaluation["ece"].difference(MODELS[1])
    assert difference.value == pytest.approx(-0.0048)
    assert (difference.n, difference.replicates) == (10000, 2000)
    assert evaluation["ece"].value(MODELS[0]).value == 0.0389
    with pytest.raises(InputError, match=r"Expected one of \['accuracy', .*but got 'beauty'"):
        evaluation["beauty"]
    with pytest.raises(InputError, match="but got 'nobody'"):
        evaluation["ece"].value("nobody")
    with pytest.raises(InputError, match=f"but got '{MODELS[0]}'"):
        evaluation.verdict(MODELS[0])
    with pytest.raises(InputError, match="composition was not evaluated: no probe set"):
        evaluation["composition"].difference(MODELS[1])


def damaged(tmp_path: Path, change: Any) -> Path:
    path = tmp_path / "evaluation.json"
    make_evaluation().save(path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    make_evaluation().save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"evaluation\.json is not JSON .*was it cut off"):
        Evaluation.load(path)


@pytest.mark.parametrize("text", ['{"accuracy": 0.9}', "[1, 2]", "3", '{"schema": "sparsescope.evaluation/9"}'])
def test_foreign_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(
        InputError, match=r'Expected .*other\.json to have "schema": "sparsescope.evaluation/1", but got'
    ):
        Evaluation.load(path)


def test_binary_absent_and_folder(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(InputError, match="is not JSON"):
        Evaluation.load(tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"Cannot read .*absent\.json: No such file"):
        Evaluation.load(tmp_path / "absent.json")
    with pytest.raises(InputError, match="Cannot read"):
        Evaluation.load(tmp_path)


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    path = damaged(tmp_path, lambda content: content["metrics"][3].pop("unit"))
    with pytest.raises(InputError, match=r"does not follow sparsescope.evaluation/1: metrics\.3\.unit: Field required"):
        Evaluation.load(path)


def swap_roles(content: dict[str, Any]) -> None:
    content["models"].reverse()


def drop_verdicts(content: dict[str, Any]) -> None:
    content["verdicts"] = {}


def rename_model(content: dict[str, Any]) -> None:
    content["models"][1]["name"] = "another"


def rename_value(content: dict[str, Any]) -> None:
    values = content["metrics"][0]["values"]
    values["another"] = values.popitem()[1]


def double_name(content: dict[str, Any]) -> None:
    content["models"][1]["name"] = content["models"][0]["name"]


def double_metric(content: dict[str, Any]) -> None:
    content["metrics"].append(content["metrics"][0])


def judge_another(content: dict[str, Any]) -> None:
    content["verdicts"][MODELS[1]]["metrics"]["beauty"] = content["verdicts"][MODELS[1]]["metrics"]["ece"]


def judge_another_as_the_paper(content: dict[str, Any]) -> None:
    content["verdicts"][MODELS[1]]["paper"]["metrics"]["beauty"] = "pass"


def add_axis(content: dict[str, Any]) -> None:
    content["radar"]["axes"].append("generalization_gap")


def rename_axis(content: dict[str, Any]) -> None:
    content["radar"]["axes"][0] = "beauty"


def rename_row(content: dict[str, Any]) -> None:
    content["radar"]["values"]["nobody"] = content["radar"]["values"].pop(MODELS[1])


def detail_nobody(content: dict[str, Any]) -> None:
    content["metrics"][0]["details"]["nobody"] = {}


def turn_interval(content: dict[str, Any]) -> None:
    content["metrics"][0]["values"][MODELS[0]]["interval"].reverse()


def remove_value(content: dict[str, Any]) -> None:
    content["metrics"][0]["values"][MODELS[0]]["status"] = "not evaluated"


def add_weights(content: dict[str, Any]) -> None:
    content["models"][1]["nonzero"] = content["models"][1]["parameters"] + 1


def negative_count(content: dict[str, Any]) -> None:
    content["metrics"][0]["values"][MODELS[0]]["n"] = -1


def huge_value(content: dict[str, Any]) -> None:
    content["metrics"][0]["values"][MODELS[0]]["value"] = 1e200


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (double_metric, "expected different metrics, but got "),
        (judge_another, f"expected the verdict of {MODELS[1]} to name some of .*, but got .'beauty'"),
        (
            judge_another_as_the_paper,
            f"the paper's verdict of {MODELS[1]} to name some of .*, but got .'beauty",
        ),
        (add_axis, "radar: expected 12 values of .*, one on each axis, but got 11"),
        (rename_axis, "expected the radar to name some of .*, but got .'beauty'"),
        (rename_row, "expected values, and bands if any, of the radar for "),
        (detail_nobody, "expected details of accuracy to name some of .*, but got .'nobody'"),
        (turn_interval, "interval: expected the lower end of an interval first, but got "),
        (remove_value, "expected no value where the status is not evaluated, but got 0.919"),
        (add_weights, "expected nonzero <= parameters, but got "),
        (negative_count, "values.resnet20_dense.n: Input should be greater than or equal to 0"),
        (huge_value, r"values.resnet20_dense.value: expected a number within .*1e.100, but got 1e.200"),
        (swap_roles, "expected the dense models first, at least one, then the candidates"),
        (drop_verdicts, "expected verdicts for"),
        (rename_model, "expected every candidate paired with"),
        (rename_value, "expected values of accuracy for"),
        (double_name, "expected different names"),
    ],
)
def test_parts_that_do_not_belong_together(change: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=text):
        Evaluation.load(damaged(tmp_path, change))


def test_full_disk_keeps_the_older_file_and_leaves_no_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evaluation.json"
    make_evaluation().save(path)
    before = path.read_bytes()
    write = Path.write_bytes

    def full_disk(self: Path, content: bytes) -> int:
        write(self, content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match=r"Cannot write .*evaluation\.json: No space left on device"):
        make_evaluation(seed=1).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["evaluation.json"]


def test_a_folder_that_does_not_exist_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot write .*evaluation\.json: No such file or directory"):
        make_evaluation().save(tmp_path / "absent" / "evaluation.json")


def test_fields_that_a_later_version_added_are_passed_over(tmp_path: Path) -> None:
    evaluation = make_evaluation()
    path = tmp_path / "evaluation.json"
    evaluation.save(path)
    content = json.loads(path.read_text())
    content["carbon"] = {"grams": 3}
    content["models"][0]["seconds"] = 41
    path.write_text(json.dumps(content))
    assert Evaluation.load(path) == evaluation
