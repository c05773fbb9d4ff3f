"""Compositional neurons in words: facts of the layers, units that are shown, the report's section."""

import re
from pathlib import Path
from typing import Any

import pytest
from fake_evaluation import MODELS, make_evaluation, make_metric
from fake_neurons import neuron_details
from html_page import Page

from sparsescope.reporting import report
from sparsescope.reporting.neurons import indices, neuron_facts, pick_units, unit_facts
from sparsescope.results import Pairs
from sparsescope.results.details import CompositionDetails

DENSE, SPARSE = neuron_details([0.1, None, 0.03, 0.05, 0]), neuron_details([0.1, 0.02, None, 0.06, 0], "c OR d")


def read(*args: Any, **keywords: Any) -> CompositionDetails:
    return CompositionDetails.model_validate(neuron_details(*args, **keywords))


def texts(rows: list[dict]) -> dict[str, list[tuple[str, str]]]:
    return {row["what"]: [(cell["text"], cell["small"]) for cell in row["cells"]] for row in rows}


def test_facts() -> None:
    SPARSE["units"][0]["formula"] = DENSE["units"][0]["formula"]
    details = {name: CompositionDetails.model_validate(own) for name, own in {"d": DENSE, "s": SPARSE}.items()}
    found = texts(neuron_facts(details, {"d": (0.045, (0.04, 0.0512)), "s": (0.045, None)}, Pairs.of_one_dense("ds")))
    assert found == {
        "Layer": [("layer3", ""), ("layer3", "")],
        "Units": [("4 live, 1 dead", ""), ("4 live, 1 dead", "")],
        "Mean IoU of the best formulas": [("0.0450", "[0.0400, 0.0512]"), ("0.0450", "")],
        "… proven to be the best": [("4 of 4", "")] * 2,
        "… on held-out images": [(f"{own['held_out_iou']:.4f}", "") for own in (DENSE, SPARSE)],
        "… on shuffled images": [("0.0100", ""), ("0.0100", "")],
        "Mean IoU of the best single concepts": [("0.0225", ""), ("0.0225", "")],
        "Units above 0.04": [("50.0 %", "on shuffled images 0.0 %")] * 2,
        "Different formulas": [("3", ""), ("3", "")],
        "Same formula as dense": [("", ""), ("1", "of 5")],
    }


def test_units_that_are_not_proven_and_searches_that_prove_nothing() -> None:
    unproven, beam, older = (neuron_details([0.1, None, 0.03]) for _ in range(3))
    unproven["units"][2]["gap"] = 0.0123
    for row in beam["units"]:
        row["gap"] = None
    for row in older["units"]:
        del row["gap"]
    models = {
        name: CompositionDetails.model_validate(own) for name, own in zip("ubo", (unproven, beam, older), strict=True)
    }
    facts = texts(neuron_facts(models, {}, ()))["… proven to be the best"]
    assert facts == [("1 of 2", "the IoU of others up to 0.0123 larger"), ("–", ""), ("–", "")]
    assert "… proven to be the best" not in texts(neuron_facts({"b": models["b"]}, {}, ()))
    assert [unit_facts(row)["gap"] for row in models["u"].units] == ["", "", "0.0123"]
    assert models["u"].notes()[1] == (
        "units whose search ended at its limit of nodes: 1; the IoU of their best formulas may be up to 0.0123 larger"
    )
    assert len(models["b"].notes()) == len(models["o"].notes()) == 1


def test_facts_of_one_model_of_dead_units_and_of_other_layers() -> None:
    dead, wide = read([None, None]), read([0.1] * 3)
    one = texts(neuron_facts({"d": dead}, {}, ()))
    assert one["Units"] == [("0 live, 2 dead", "")] and "Same formula as dense" not in one
    assert one["Mean IoU of the best formulas"] == one["Units above 0.04"] == [("–", "")]
    assert texts(neuron_facts({"d": dead, "w": wide}, {}, Pairs.of_one_dense("dw")))["Same formula as dense"][1] == (
        "–",
        "other units",
    )


def test_which_units_are_shown() -> None:
    ious = [0.01 * k for k in range(30, 0, -1)]
    ious[7] = None
    found = pick_units(read(ious), 5)
    assert found == {
        "Most interpretable": [0, 1, 2, 3, 4],
        "Around the median": [13, 14, 15, 16],
        "Least": [26, 27, 28, 29],
    }
    assert pick_units(read([0.1, 0.3, None]), 5) == {"Most interpretable": [1, 0]}
    for number in range(12):
        every = [unit for units in pick_units(read([0.1] * number), 3).values() for unit in units]
        assert len(every) == len(set(every)) == min(number, 11 if number > 10 else number)
    assert pick_units(read([None]), 5) == {}


def test_units_in_words() -> None:
    dense = CompositionDetails.model_validate(DENSE)
    dead, nothing = unit_facts(dense.units[1]), unit_facts(dense.units[4])
    assert (dead["formula"], dead["iou"], dead["null"]) == ("dead", "–", "–")
    assert (nothing["formula"], nothing["iou"]) == ("no concept lies where it fires", "0.0000")
    assert indices(dense, dead=True) == "1" and indices(dense, dead=False) == "0, 2, 3, 4"
    assert indices(read([None] * 50), dead=True).endswith("38, 39 …")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    details = {MODELS[0]: DENSE, MODELS[1]: neuron_details([0.09, 0.02, None, 0.06, 0.01], "<b>|x")}
    metric = make_metric(
        "composition", (0.045, 0.041), 0.006, models=MODELS[:2], dimension="interpretability", unit="IoU",
        label="Compositional IoU", details=details,
    )  # fmt: skip
    metrics = tuple(metric if other.name == "composition" else other for other in make_evaluation().metrics)
    return report(make_evaluation(metrics=metrics), tmp_path_factory.mktemp("neurons"))


def test_the_report_shows_them(written: dict[str, Path]) -> None:
    html = written["report.html"].read_text()
    page = Page(html)
    page.check_self_contained(html)
    for text in (
        "Compositional neurons",
        "on 400 probe images",
        "Units 4 live, 1 dead 4 live, 1 dead",
        "Mean IoU of the best formulas 0.0450 [",
        f"Compositional IoU of {MODELS[0]}: units that never fire, left out of the mean: 1.",
        f"Best formulas of {MODELS[1]} Unit Formula IoU Held out Shuffled 0 <b>|x OR 0 0.0900 0.0225 0.0100",
    ):
        assert text in page.text, text
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert any("at least each IoU" in label for label in labels) and any("category of concept" in x for x in labels)


def test_markdown_says_the_same(written: dict[str, Path]) -> None:
    text = written["report.md"].read_text()
    assert "| Units | 4 live, 1 dead | 4 live, 1 dead |" in text
    assert r"| 0 | &lt;b&gt;\|x OR 0 | 0.0900 | 0.0225 | 0.0100 |" in text
    assert "| Units above 0.04 | 50.0 %, on shuffled images 0.0 % | 50.0 %, on shuffled images 0.0 % |" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_nothing_is_said_where_it_was_not_measured(tmp_path: Path) -> None:
    assert "Compositional neurons" not in report(make_evaluation(), tmp_path)["report.html"].read_text()
