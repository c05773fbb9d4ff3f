import subprocess
import sys
import types
from importlib.metadata import EntryPoint
from typing import ClassVar, get_args

import pytest

import sparsescope.metrics
from sparsescope.errors import OptionError
from sparsescope.metrics import CATALOGUE, create, metric_class, names
from sparsescope.metrics.accuracy import Accuracy
from sparsescope.metrics.base import Dimension
from sparsescope.metrics.ece import ECE


class Brightness(Accuracy):
    name: ClassVar[str] = "brightness"


@pytest.fixture
def entry_point(monkeypatch):
    """Make `value` the entry point `brightness` of a package that offers metrics, classes and other things."""
    package = types.ModuleType("their_package")
    package.Brightness, package.Accuracy, package.number = Brightness, Accuracy, 3
    monkeypatch.setitem(sys.modules, "their_package", package)

    def offer(value, name="brightness"):
        point = EntryPoint(name, value, "sparsescope.metrics")
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] * (group == point.group))

    return offer


def test_names_that_others_rely_on_and_their_order():
    relied_on = [
        "accuracy",
        "generalization_gap",
        "corruption_error",
        "fgsm_accuracy",
        "pgd_accuracy",
        "autoattack_accuracy",
        "ood_auroc",
        "ece",
        "sce",
        "nll",
        "fidelity",
        "stability",
        "composition",
        "weight_trace",
        "input_trace",
        "weight_top_eigenvalue",
        "input_top_eigenvalue",
    ]
    assert [name for name in names() if name in relied_on] == relied_on


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_leads_to_a_metric_that_states_its_facts(name):
    metric = metric_class(name)
    assert metric.name == name
    assert metric.dimension in get_args(Dimension)
    assert metric.label and metric.unit and metric.source
    assert isinstance(metric.higher_is_better, bool)
    assert len(metric.bounds) == 2
    assert metric.margin >= 0
    assert metric.margin > 0 or not metric.in_verdict
    assert create(name) == metric()


@pytest.mark.parametrize(
    ("name", "margin", "kind", "higher_is_better"),
    [
        ("accuracy", 0.01, "absolute", True),
        ("fgsm_accuracy", 0.01, "absolute", True),
        ("ood_auroc", 0.01, "absolute", True),
        ("corruption_error", 0.02, "absolute", False),
        ("ece", 0.01, "absolute", False),
        ("sce", 0.002, "absolute", False),
        ("nll", 0.05, "relative", False),
        ("fidelity", 0.1, "relative", False),
        ("stability", 0.1, "relative", False),
        ("composition", 0.05, "relative", True),
        ("weight_trace", 0.1, "relative", False),
        ("input_trace", 0.1, "relative", False),
    ],
)
def test_margins_of_the_verdict(name, margin, kind, higher_is_better):
    metric = metric_class(name)
    assert (metric.margin, metric.margin_kind, metric.higher_is_better) == (margin, kind, higher_is_better)
    assert metric.in_verdict


@pytest.mark.parametrize("name", ["generalization_gap", "weight_top_eigenvalue", "input_top_eigenvalue"])
def test_informative_metrics_are_not_in_the_verdict(name):
    assert not metric_class(name).in_verdict


def test_importing_the_catalogue_imports_nothing_heavy():
    code = (
        "import sys, sparsescope.metrics as m; m.names()\n"
        "heavy = {'torch', 'pydantic', 'numpy', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_create_takes_options():
    assert create("ece", n_bins=14) == ECE(n_bins=14)


def test_unknown_metric_names_the_close_ones_and_all():
    with pytest.raises(OptionError) as error:
        create("ood_auc")
    assert str(error.value).startswith("There is no metric 'ood_auc'. Did you mean ood_auroc? Metrics: accuracy, ")
    with pytest.raises(OptionError, match=r"^There is no metric 'zzz'\. Metrics: accuracy, "):
        metric_class("zzz")


def test_unknown_option_names_the_close_one_and_all():
    expected = "Metric ece: It has no option 'nbins'. Did you mean n_bins? Options and defaults: n_bins=15."
    with pytest.raises(OptionError) as error:
        create("ece", nbins=3)
    assert str(error.value) == expected


def test_option_of_a_metric_without_options():
    with pytest.raises(OptionError) as error:
        create("nll", n_bins=3)
    assert str(error.value) == "Metric nll: It has no option 'n_bins'. It has no options."


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("ece", {"n_bins": 0}, "Metric ece: Expected n_bins to be greater than or equal to 1, but got 0. Options"),
        ("ece", {"n_bins": "many"}, "Metric ece: Expected n_bins to be a valid integer"),
        (
            "generalization_gap",
            {"train_images": 0},
            "Expected train_images to be greater than or equal to 1, but got 0.",
        ),
        (
            "corruption_error",
            {"severities": (1, 6)},
            "Expected severities[1] to be less than or equal to 5, but got 6.",
        ),
        ("corruption_error", {"severities": (2, 2)}, "Expected severities to be free of repetitions, but got (2, 2)."),
        (
            "corruption_error",
            {"corruptions": ()},
            "Metric corruption_error: corruptions: Tuple should have at least 1 item",
        ),
        ("corruption_error", {"corruptions": ("fogg",)}, "Expected corruptions to be names among gaussian_noise, "),
    ],
)
def test_values_that_do_not_fit(name, options, expected):
    with pytest.raises(OptionError) as error:
        create(name, **options)
    assert expected in str(error.value)


def test_every_wrong_option_is_named_at_once():
    with pytest.raises(OptionError) as error:
        create("corruption_error", images=0, cells_per_image=-1)
    assert "images to be" in str(error.value) and "cells_per_image to be" in str(error.value)


def test_other_packages_bring_metrics_by_entry_point(entry_point):
    entry_point("their_package:Brightness")
    assert names()[-1] == "brightness"
    assert metric_class("brightness") is Brightness
    assert isinstance(create("brightness"), Brightness)


def test_a_built_in_metric_goes_before_another_packages(entry_point):
    entry_point("their_package:Brightness", name="accuracy")
    assert metric_class("accuracy") is Accuracy
    assert names() == list(sparsescope.metrics.CATALOGUE)


@pytest.mark.parametrize("attribute", ["number", "Accuracy"])
def test_an_entry_point_that_leads_elsewhere(entry_point, attribute):
    entry_point(f"their_package:{attribute}")
    with pytest.raises(OptionError) as error:
        metric_class("brightness")
    assert str(error.value).startswith(
        f"Expected the entry point brightness = 'their_package:{attribute}' of group 'sparsescope.metrics' to be a "
        "subclass of sparsescope.metrics.base.Metric with name = 'brightness', but got "
    )
