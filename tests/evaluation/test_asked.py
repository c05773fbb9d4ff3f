"""What is asked is done or refused: no argument of `evaluate` is passed over in silence."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic.dataclasses import dataclass as options_dataclass
from torch import nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, OptionError
from sparsescope.evaluation import Execution, ModelOptions, evaluate, evaluate_task, open_models, open_task, resolve
from sparsescope.metrics.accuracy import Accuracy
from sparsescope.metrics.base import OPTIONS
from sparsescope.metrics.ece import ECE
from sparsescope.metrics.nll import NLL


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
    ],
)
def test_what_would_have_no_effect_is_refused(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, keywords: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        evaluate(dense, sparse, benchmark, **{"metrics": ["accuracy"], **keywords}, cache=False)


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
    warnings = {model.name: model.warnings for model in evaluation.models}
    assert warnings["again"] == ("has the same weights, mask and code as dense. Was another model meant?",)
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
def test_details_that_no_file_can_hold_are_refused(
    dense: Classifier,
    sparse: Classifier,
    benchmark: Benchmark,
    details: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OtherAccuracy, "details", lambda self, units: details)
    with pytest.raises(InputError, match=r"The metric other_accuracy gives what an evaluation cannot hold: details"):
        evaluate(dense, sparse, benchmark, metrics=OtherAccuracy(), cache=False)
