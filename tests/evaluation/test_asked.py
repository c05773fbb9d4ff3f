"""What is asked is done or refused: no argument of `evaluate` is passed over in silence."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic.dataclasses import dataclass as options_dataclass
from torch import nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import DataError, InputError, OptionError
from sparsescope.evaluation import Execution, ModelOptions, evaluate, evaluate_task, open_models, open_task, resolve
from sparsescope.metrics.accuracy import Accuracy
from sparsescope.metrics.base import OPTIONS
from sparsescope.metrics.ece import ECE
from sparsescope.metrics.nll import NLL
from sparsescope.results import Evaluation


@options_dataclass(frozen=True, config=OPTIONS)
class OtherAccuracy(Accuracy):
    """A metric of the user's own."""

    name: ClassVar[str] = "other_accuracy"
    label: ClassVar[str] = "Other accuracy"


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"ood": ["noise:uniform"]}, r"leave out ood, or .*dataclasses.replace\(benchmark, ood="),
        ({"ood": "noise:uniform"}, r"leave out ood, or"),
        ({"train": "digits"}, "leave out train"),
        ({"resize": 32}, "leave out resize"),
        ({"resize": 32, "crop": 28}, "leave out resize, crop"),
        ({"arch": "resnet20s"}, "Every model is a Classifier.*: leave out arch"),
        ({"arch": "there_is_no_such_network"}, "Every model is a Classifier.*: leave out arch"),
        ({"mean": (0.5,), "std": (0.2,)}, "leave out mean, std, or set them in Classifier"),
        ({"output": "probabilities"}, "leave out output"),
        ({"mean": (0.5,)}, "mean and std together"),
        ({"metrics": [ECE(), "ece"]}, "Two of the metrics are called 'ece'"),
        ({"metrics": [ECE(), ECE(n_bins=10)]}, "Two of the metrics are called 'ece'"),
        ({"metrics": [ECE()], "options": {"ece": {"n_bins": 10}}}, r"handed over as an object.*set n_bins there, ECE"),
        ({"metrics": [ECE()], "config": {"metrics": {"ece": {"n_bins": 10}}}}, "handed over as an object"),
        ({"metrics": [ECE()], "skip": ["ece"]}, "No metric is left"),
        ({"metrics": [5]}, "names or Metric objects, but got 5"),
        ({"metrics": "acuracy"}, "There is no metric 'acuracy'. Did you mean accuracy"),
        ({"config": {"margins": {"acuracy": 0.1}}}, "There is no metric 'acuracy'"),
        ({"metrics": 3}, "Expected metrics to be names of metrics, but got 3"),
        ({"skip": [ECE()]}, r"Expected skip to be names of metrics, but got ECE\("),
        ({"skip": None}, "Expected skip to be names of metrics, but got None"),
        ({"options": ["ece"]}, r"Expected options such as .* but got \['ece'\]"),
        ({"options": {"accuracy": 0.1}}, "Expected options such as .* but got {'accuracy': 0.1}"),
        ({"options": {"accuracy": {"margin": True}}}, "Expected the margin of accuracy .* but got True"),
        ({"config": {"paper_tolerance": -1}}, "Expected paper_tolerance to be a number >= 0, but got -1"),
        ({"config": {"paper_tolerance": float("nan")}}, "Expected paper_tolerance to be a number >= 0, but got nan"),
        ({"config": [1]}, "In the configuration: Input should be"),
        ({"preset": ""}, "Expected a preset of .* but got ''"),
        ({"confidence": "0.9"}, "Expected a confidence level between 0.5 and 1, such as 0.95, but got '0.9'"),
        ({"replicates": 200.5}, "Expected 100 to 1,000,000 bootstrap replicates, a whole number, but got 200.5"),
        ({"seed": True}, "Expected a whole number 0 <= seed .* but got seed=True"),
        ({"seed": 1.0}, "Expected a whole number 0 <= seed .* but got seed=1.0"),
        ({"workers": 1.5}, "Expected a whole number of workers >= 1, but got workers=1.5"),
        ({"workers": True}, "Expected a whole number of workers >= 1, but got workers=True"),
        ({"batch_size": True}, "Expected a batch size >= 1 or auto, but got True"),
        ({"cache": None}, "Expected cache to be True, False or a folder, but got cache=None"),
        ({"cache": ""}, "Expected cache to be True, False or a folder, but got cache=''"),
        ({"progress": 3}, "Expected progress to be a function, but got progress=3"),
        ({"device": "cpu:3"}, "Expected a device of .*cpu.* but got 'cpu:3'"),
        ({"device": None}, "Expected a device of .* but got 'None'"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, keywords: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        evaluate(dense, sparse, benchmark, **{"metrics": ["accuracy"], "cache": False, **keywords})


@pytest.mark.parametrize("data", [5, Path("data")])
def test_data_that_is_neither_spec_nor_benchmark(dense: Classifier, sparse: Classifier, data: Any) -> None:
    with pytest.raises(OptionError, match="as a SPEC, such as 'cifar10:DIR', or as a Benchmark, but got"):
        evaluate(dense, sparse, data, metrics="accuracy", cache=False)


def test_a_model_that_is_none(dense: Classifier, benchmark: Benchmark) -> None:
    with pytest.raises(OptionError, match=r"sparse to be the path of a model file.*OrderedDict\. Load a state dict"):
        evaluate(dense, dense.module.state_dict(), benchmark, cache=False)


def test_only_a_checkpoint_names_its_data(dense: Classifier, sparse: Classifier) -> None:
    with pytest.raises(OptionError, match="Expected --data SPEC"):
        evaluate(dense, sparse, cache=False)


def test_an_architecture_is_for_files_alone(small_network: nn.Module, sparse: Classifier, benchmark: Benchmark) -> None:
    with pytest.raises(OptionError, match=r"No model is a file: leave out arch \('resnet20s'\)"):
        evaluate(small_network, sparse, benchmark, arch="resnet20s", cache=False)


def test_options_that_one_model_takes_are_honored(dense: Classifier, small_network: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), "
        "nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), "
        "nn.Flatten(), nn.Linear(8, 4))\n"
    )
    torch.save(small_network.state_dict(), tmp_path / "sparse.pt")
    options = ModelOptions(f"{tmp_path}/net.py:build", (0.1, 0.1, 0.1), (0.3, 0.3, 0.3))
    first, second = open_models(dense, [tmp_path / "sparse.pt"], options)
    assert tuple(first.mean) == tuple(dense.mean)
    assert tuple(second.mean) == (0.1, 0.1, 0.1)


def test_candidates_return_what_dense_returns_unless_told(small_network: nn.Module) -> None:
    class Probabilities(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small_network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.inner(images).softmax(1)

    dense = Classifier(Probabilities(), output="probabilities")
    assert [model.output for model in open_models(dense, [Probabilities()])] == ["probabilities"] * 2
    asked = open_models(dense, [Probabilities()], ModelOptions(output="logits"))
    assert [model.output for model in asked] == ["probabilities", "logits"]


def test_one_name_is_a_list_of_one(dense: Classifier, sparse: Classifier, benchmark: Benchmark) -> None:
    evaluation = evaluate(dense, sparse, benchmark, metrics="ece", cache=False)
    assert [metric.name for metric in evaluation.metrics] == ["ece"]
    assert [metric.name for metric in resolve(metrics=NLL()).metrics] == ["nll"]
    assert "ece" not in {metric.name for metric in resolve(skip="ece").metrics}


def test_skip_and_margin_hold_for_objects_too() -> None:
    own = [OtherAccuracy(), ECE(n_bins=10), "nll"]
    assert {metric.name for metric in resolve(metrics=own, skip=["other_accuracy", "ece"]).metrics} == {"nll"}
    settings = resolve(metrics=own, options={"other_accuracy": {"margin": 0.3}})
    assert settings.margins["other_accuracy"].value == 0.3
    assert settings.in_verdict == {"other_accuracy", "ece", "nll"}
    chosen = resolve(metrics=own, config={"verdict": ["other_accuracy"], "margins": {"other_accuracy": 0.2}})
    assert chosen.in_verdict == {"other_accuracy"}
    assert chosen.margins["other_accuracy"].value == 0.2


def test_models_that_are_the_same_get_a_word(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, tmp_path: Path
) -> None:
    again = replace(dense, module=copy.deepcopy(dense.module), name="again")
    evaluation = evaluate(dense, [again, sparse], benchmark, metrics="nll", cache=False)
    warnings = {
        model.name: tuple(text for text in model.warnings if "level of chance" not in text)
        for model in evaluation.models
    }
    looks_dense, same = warnings["again"]
    assert looks_dense.startswith("looks dense")
    assert same == "has the same weights, mask and code as dense. Was another model meant?"
    assert warnings["dense"] == warnings["sparse"] == ()


def test_the_three_steps_are_evaluate(dense: Classifier, sparse: Classifier, benchmark: Benchmark) -> None:
    keywords: dict[str, Any] = {"metrics": ["accuracy", "ece"], "replicates": 100, "seed": 3}
    whole = evaluate(dense, sparse, benchmark, **keywords, device="cpu", cache=False)
    task = open_task(dense, [sparse], benchmark)
    steps = evaluate_task(task, resolve(**keywords), Execution("cpu", cache=False))
    assert (task.dense.name, [model.name for model in task.candidates]) == ("dense", ["sparse"])
    assert steps.metrics == whole.metrics
    assert steps.verdicts == whole.verdicts
    assert steps.seed == whole.seed == 3


@pytest.mark.parametrize("details", [{"set": {1, 2}}, {"object": object()}])
def test_details_that_no_file_can_hold_cost_the_metric(
    dense: Classifier,
    sparse: Classifier,
    benchmark: Benchmark,
    details: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OtherAccuracy, "details", lambda self, units: details)
    evaluation = evaluate(dense, sparse, benchmark, metrics=OtherAccuracy(), cache=False)
    with pytest.raises(InputError, match=r"it broke: an evaluation cannot hold what it gives: details: expected plain"):
        evaluation["other_accuracy"].value("sparse")


@pytest.mark.parametrize(
    "keywords",
    [
        {"mean": np.array([0.5]), "std": np.array([0.2])},
        {"mean": torch.tensor([0.5]), "std": torch.tensor([0.2])},
        {"mean": (value for value in [0.5]), "std": (value for value in [0.2])},
        {"mean": 0.5, "std": 0.2},
        {"metrics": (name for name in ["accuracy"]), "skip": {"ece"}},
        {"batch_size": np.int64(4), "seed": np.int64(1), "replicates": np.int64(100)},
        {"device": torch.device("cpu"), "ood": []},
    ],
)
def test_what_is_meant_is_taken_in_any_form(small_network: nn.Module, benchmark: Benchmark, keywords: Any) -> None:
    """Two models share an iterator."""
    other = copy.deepcopy(small_network)
    wanted = {"metrics": "accuracy", "replicates": 100, "cache": False, **keywords}
    found = evaluate(small_network, other, benchmark, **wanted)
    assert [metric.name for metric in found.metrics] == ["accuracy"]
    assert found["accuracy"].difference("sparse").value == 0
    Evaluation.model_validate_json(found.model_dump_json())


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"module": "net.pt"}, "Expected module to be an nn.Module, but got a str"),
        ({"std": [float("nan")]}, r"std > 0, but got mean=\[0.0\], std=\[nan\]"),
        ({"mean": "0.5"}, "Expected mean and std of one length"),
        ({"output": True}, "Expected output to be .* but got True"),
        ({"output": 1.0}, "Expected output to be .* but got 1.0"),
        ({"outputs": ()}, r"Expected outputs to be two or more different indices, but got \(\)"),
        ({"outputs": (0, 0)}, "two or more different indices"),
        ({"outputs": (0, -1)}, "two or more different indices"),
    ],
)
def test_a_classifier_of_the_wrong_kind(small_network: nn.Module, keywords: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        Classifier(**{"module": small_network, **keywords})


def test_a_benchmark_of_the_wrong_kind(benchmark: Benchmark) -> None:
    pair: Any = (np.zeros((3, 8, 8, 1), np.uint8), np.arange(3))
    with pytest.raises(DataError, match=r"Expected test to be an ImageSet, such as ArrayImages.* but got a tuple"):
        Benchmark("pair", pair)
    sets: Any = [benchmark.test]
    with pytest.raises(DataError, match="Expected ood to be image sets by name, but got a list"):
        Benchmark("listed", benchmark.test, ood=sets)
