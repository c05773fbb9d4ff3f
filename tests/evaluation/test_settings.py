"""Presets, configuration files and single options: what wins, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from sparsescope.errors import OptionError
from sparsescope.evaluation.config import parse_assignments, read_config
from sparsescope.evaluation.settings import Margin, resolve
from sparsescope.metrics import CATALOGUE, create, metric_class
from sparsescope.presets import preset_names

USUAL = [name for name in CATALOGUE if not metric_class(name).on_request]


def by_name(settings: Any, name: str) -> Any:
    return next(metric for metric in settings.metrics if metric.name == name)


def test_standard_is_the_metrics_own_defaults() -> None:
    settings = resolve()
    assert settings.preset == "standard"
    assert settings.metrics == tuple(create(name) for name in USUAL)
    assert settings.in_verdict == {name for name in CATALOGUE if metric_class(name).in_verdict}
    assert settings.complete
    assert not settings.customised
    assert (settings.confidence, settings.replicates) == (0.95, 2000)


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_valid(preset: str) -> None:
    settings = resolve(preset=preset)
    assert settings.complete
    assert [metric.name for metric in settings.metrics] == USUAL


def test_paper_has_the_sizes_of_the_paper() -> None:
    settings = resolve(preset="paper")
    fidelity = by_name(settings, "fidelity")
    assert (fidelity.images, fidelity.samples, fidelity.selection, fidelity.target) == (1000, 1000, "first", "own")
    assert by_name(settings, "corruption_error").cells_per_image == 75
    assert (by_name(settings, "pgd_accuracy").steps, by_name(settings, "pgd_accuracy").images) == (20, 1_000_000)


def test_quick_is_smaller_than_standard() -> None:
    quick, standard = resolve(preset="quick"), resolve()
    options = {"fidelity": "images", "corruption_error": "cells_per_image", "weight_trace": "images"}
    for name, option in {**options, "pgd_accuracy": "images"}.items():
        assert getattr(by_name(quick, name), option) < getattr(by_name(standard, name), option)


def test_lthpass_has_the_conventions_of_the_released_code() -> None:
    options = {metric.name: metric for metric in resolve(preset="lthpass").metrics}
    assert options["ece"].n_bins == options["sce"].n_bins == 14
    assert (options["fgsm_accuracy"].random_start, options["fgsm_accuracy"].step) == (True, 1.0)
    assert options["input_top_eigenvalue"].loss == "batch_mean"
    assert (options["fidelity"].distance, options["fidelity"].target) == ("cosine", "own")
    assert options["fidelity"].measurements(None) == options["stability"].measurements(None)


def test_options_win_over_the_configuration_and_that_over_the_preset() -> None:
    config = {"preset": "quick", "metrics": {"fidelity": {"samples": 111, "images": 7}}, "margins": {"ece": 0.5}}
    settings = resolve(config=config, options={"fidelity": {"samples": 222}, "nll": {"margin": "7%"}})
    assert settings.preset == "quick"
    assert (by_name(settings, "fidelity").samples, by_name(settings, "fidelity").images) == (222, 7)
    assert settings.margins["ece"] == Margin(0.5, "absolute")
    assert settings.margins["nll"] == Margin(pytest.approx(0.07), "relative")
    assert settings.customised
    assert resolve(preset="standard", config=config).preset == "standard"


def test_which_metrics_count_can_be_chosen() -> None:
    settings = resolve(config={"verdict": ["accuracy", "weight_top_eigenvalue"]})
    assert settings.in_verdict == {"accuracy", "weight_top_eigenvalue"}
    assert not settings.complete


@pytest.mark.parametrize(
    "asked",
    [
        {"metrics": [*CATALOGUE]},
        {"options": {"autoattack_accuracy": {"images": 7}}},
        {"config": {"metrics": {"autoattack_accuracy": {}}}},
        {"config": {"verdict": ["accuracy", "autoattack_accuracy"]}},
    ],
)
def test_some_metrics_are_measured_only_where_they_are_named(asked: dict[str, Any]) -> None:
    assert "autoattack_accuracy" not in USUAL
    for preset in preset_names():  # that a preset has options for it is no request
        names = [metric.name for metric in resolve(preset=preset, **asked).metrics]
        assert names == list(CATALOGUE)
    settings = resolve(**asked)
    assert ("autoattack_accuracy" in settings.in_verdict) == ("verdict" in asked.get("config", {}))
    assert "autoattack_accuracy" not in {
        metric.name for metric in resolve(**asked, skip=["autoattack_accuracy"]).metrics
    }


def test_metric_and_skip() -> None:
    assert [m.name for m in resolve(metrics=["nll", "accuracy", "nll"]).metrics] == ["accuracy", "nll"]
    skipped = resolve(skip=["fidelity"])
    assert "fidelity" not in {metric.name for metric in skipped.metrics}
    assert not skipped.complete
    assert resolve(skip=["generalization_gap"]).complete


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"preset": "slow"}, "Expected a preset of lthpass, paper, quick, standard, but got 'slow'"),
        ({"metrics": ["accurcy"]}, "accuracy"),
        ({"skip": ["accurcy"]}, "accuracy"),
        ({"metrics": ["ece"], "skip": ["ece"]}, "No metric is left"),
        ({"options": {"fidelty": {"samples": 2}}}, "fidelity"),
        ({"options": {"fidelity": {"sampels": 2}}}, "samples"),
        ({"options": {"ece": {"n_bins": 0}}}, "n_bins"),
        ({"options": {"ece": {"margin": -1}}}, "margin of ece .* but got -1"),
        ({"options": {"ece": {"margin": "much"}}}, "margin of ece .* but got 'much'"),
        ({"config": {"presets": "quick"}}, "presets"),
        ({"config": {"verdict": ["acuracy"]}}, "accuracy"),
        ({"config": {"metrics": ["ece"]}}, r"metrics: expected a table of options .* by --metric"),
        ({"confidence": 1.0}, "between 0.5 and 1"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        resolve(**arguments)


def test_assignments() -> None:
    parsed = parse_assignments(["a.x=1", "a.y = 0.5", "b.z=hamming", 'b.q="5%"', "b.r=[1, 2]", "b.s=true"])
    assert parsed == {"a": {"x": 1, "y": 0.5}, "b": {"z": "hamming", "q": "5%", "r": [1, 2], "s": True}}
    for wrong in ("fidelity.samples", "fidelity=3", ".x=1", "a.=1"):
        with pytest.raises(OptionError, match=r"METRIC\.OPTION=VALUE"):
            parse_assignments([wrong])


def test_config_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('preset = "quick"\n[metrics.ece]\nn_bins = 10\n')
    assert by_name(resolve(config=read_config(path)), "ece").n_bins == 10
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n[tool.sparsescope]\npreset = "quick"\n')
    assert read_config(project) == {"preset": "quick"}
    path.write_text("preset = quick")
    with pytest.raises(OptionError, match=r"mine\.toml is not TOML"):
        read_config(path)
    with pytest.raises(OptionError, match="Cannot read the configuration"):
        read_config(tmp_path / "absent.toml")


def test_a_pyproject_without_our_table_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    with pytest.raises(OptionError, match=r"Expected \[tool.sparsescope\] in .*pyproject.toml, but there is no such"):
        resolve(config=tmp_path / "pyproject.toml")


@pytest.mark.parametrize(
    "value",
    ["1\nb = 2", "1\n[x]", "9" * 5000, "[" * 5000, "1979-13-01"],
)
def test_an_assignment_is_one_value_or_a_text(value: str) -> None:
    """Nothing of it is passed over."""
    assert parse_assignments([f"ece.n_bins={value}"]) == {"ece": {"n_bins": value}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ece": {"n_bins": 10**30}}, "Metric ece: Expected n_bins to be at most 1,000,000,000"),
        ({"ece": {"name": 1}}, "no option 'name'"),
        ({"ece": {"self": 1}}, "no option 'self'"),
        ({"ece": {"__dataclass_self__": 1}}, "no option '__dataclass_self__'"),
        ({"ece": {"margin": 10**400}}, "Expected the margin of ece to be a number"),
    ],
)
def test_options_that_no_metric_has(options: dict[str, dict[str, object]], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        resolve(options=options)


@pytest.mark.parametrize("text", ["tool = 1", "[tool]\nsparsescope = 1", "a = " + "[" * 3000])
def test_a_pyproject_of_other_types(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(OptionError, match=r"pyproject\.toml"):
        resolve(config=tmp_path / "pyproject.toml")
