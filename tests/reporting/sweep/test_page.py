"""The report of a sweep: its files say what the summary says, whole, escaped and the same every time."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fake_sweep import METHODS, SPARSITIES, make_sweep
from html_page import Page

from sparsescope.curves import summarise
from sparsescope.errors import InputError
from sparsescope.reporting import write_sweep_report
from sparsescope.reporting.sweep.failures import FailedNetwork, load_failures
from sparsescope.reporting.sweep.figures import FIGURES
from sparsescope.reporting.sweep.notes import sweep_warnings
from sparsescope.results import Sweep, Trained

LEFT_OUT = (*(("grasp", SPARSITIES[2], seed) for seed in range(3)), ("snip", SPARSITIES[4], 1))
LIGHT = ("accuracy",)
TABLES = ["curves.csv", "extreme_sparsities.csv", "pass_ranges.csv", "small_dense.csv"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole sweep's report, with missing networks."""
    path = tmp_path_factory.mktemp("sweep")
    make_sweep(path, leave_out=LEFT_OUT)
    failure = {"method": "snip", "target": SPARSITIES[4], "seed": 1, "reason": "loss is nan.", "later": "field"}
    (path / "failures.json").write_text(json.dumps([failure]))
    write_sweep_report(path)
    return path


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_written_and_nothing_else(folder: Path) -> None:
    figures = {f"figures/{name}.{suffix}" for name in FIGURES for suffix in ("svg", "png")}
    assert len(figures) == 2 * (2 * 6 + 1)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"sweep.json", "failures.json", "index.html", "sweep.md", *TABLES, *figures} | {
        name for name in found if name.startswith("evaluations/")
    }


def test_curves_csv_has_the_numbers_of_the_summary(folder: Path) -> None:
    """Means and deviations are computed again from the evaluations, in the plainest way."""
    table = rows(folder, "curves.csv")
    assert len(table) == (7 * 5 + 1) * 12
    sweep = Sweep.load(folder)
    evaluations = sweep.evaluations(folder)
    found = {(row["method"], row["metric"], row["target"]): row for row in table}
    for method, target in (("lth", SPARSITIES[1]), ("snip", SPARSITIES[4]), ("small", None)):
        points = [p for p in sweep.points if p.method == method and p.target in (None, target)]
        values = [evaluations[p]["nll"].values[p.model].value or 0.0 for p in points]
        row = found[method, "nll", "" if target is None else str(round(target, 6))]
        mean = sum(values) / len(values)
        assert float(row["mean"]) == pytest.approx(mean)
        assert float(row["sd"]) == pytest.approx((sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5)
        assert int(row["seeds"]) == len(values) == (2 if method == "snip" else 3)
        assert float(row["sparsity"]) == pytest.approx(sum(p.sparsity for p in points) / len(points))
    missing = found["grasp", "nll", "0.488"]
    assert (missing["mean"], missing["seeds"], missing["outcome"]) == ("", "0", "not evaluated")
    assert missing["reason"] == "no seed was evaluated"
    assert found["snip", "ece", str(round(SPARSITIES[4], 6))]["reason"] == "without seed 1"
    assert found["lth", "composition", "0.2"]["reason"] == "no such set"
    assert {found["random", "nll", str(round(s, 6))]["region_paper"] for s in SPARSITIES} == {"I", "II"}


def test_other_tables_say_what_the_summary_says(folder: Path) -> None:
    sweep = Sweep.load(folder)
    summary = summarise(sweep, sweep.evaluations(folder))
    extremes = {(r["reading"], r["method"], r["metric"]): r for r in rows(folder, "extreme_sparsities.csv")}
    assert len(extremes) == 2 * 7 * 12
    for (reading, method, metric), row in extremes.items():
        wanted = summary.curves[method][metric].extremes[reading]  # type: ignore[index]
        assert (row["extreme_sparsity"], row["next_outcome"]) == (str(wanted.sparsity or ""), wanted.stop or "")
    ranges = [r for r in rows(folder, "pass_ranges.csv") if r["reading"] == "paper"]
    assert [r["method"] for r in ranges] == list(METHODS)
    assert (float(ranges[0]["from"]), float(ranges[0]["to"])) == summary.ranges["lth"]["paper"].runs[0]
    assert (ranges[2]["from"], ranges[2]["partial"]) == ("", "true")
    twins = rows(folder, "small_dense.csv")
    assert len(twins) == 7 * 12
    assert float(twins[0]["ratio_to_dense"]) == summary.twins["lth"].rows[0].ticket_ratio
    assert twins[0]["better"] == "true"


@pytest.mark.parametrize(
    "expected",
    [
        "snip at 79 %: seed 1 is missing (failed: loss is nan).",
        "grasp at 48.8 %: every seed is missing (has not run, or failed).",
        "Compositional IoU was not evaluated (no such set): the ranges leave it out.",
        "the ranges are partial, and no LTH-PASS",
        "lth 20–79 % up to the end of the grid 20–67.2 % at 79 %: FAIL (mCE",
        "random none at 20 %: not decided (mCE, Weight Hessian trace) none at 20 %: FAIL",
        "grasp 20–36 % at 48.8 %: not evaluated (every metric)",
        "without seed 1",
        "NLL ↓ nats · dense 0.2987 ± 0.0061 Method 20 % 36 %",
        "lth at 79 % 2,096 non-zero parameters; small dense: 2,100. Better in Accuracy",
        "The largest sparsity at which a metric still passes, with all lower ones passing.",
        "passes if its 95 % interval is no worse",
        "104 evaluated, 4 missing",  # 7 × 5 × 3 + 3, less what is missing
    ],
)
def test_page_says_what_it_must(folder: Path, expected: str) -> None:
    text = Page((folder / "index.html").read_text()).text
    assert expected in text


def test_page_is_self_contained_and_described(folder: Path) -> None:
    html = (folder / "index.html").read_text()
    page = Page(html)
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(page.tags)
    for tag, key, value in page.attributes:
        if key in ("src", "href", "xlink:href", "srcset"):
            assert value.startswith("#"), (tag, key, value)
    assert all(reference.startswith("#") for reference in re.findall(r"url\(([^)]*)\)", html))
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(set(labels)) == len(FIGURES) == page.tags.count("svg")
    assert "prefers-color-scheme: dark" in html and "fill: var(--ink, #1c2430)" in html


def test_markdown_tables_are_whole_and_figures_exist(folder: Path) -> None:
    text = (folder / "sweep.md").read_text()
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) == 1 + 2 + 11 + 7
    for lines in (table.splitlines() for table in tables):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, lines
        assert re.fullmatch(r"\|( :?-+:? \|)+", lines[1])
    pictures = re.findall(r"\]\((figures/[^)]*)\)", text)
    assert len(pictures) == 5 and all((folder / picture).exists() for picture in pictures)


def test_the_same_bytes_each_time_and_stale_figures_go(tmp_path: Path) -> None:
    options = {"methods": ("omp",), "sparsities": (0.2, 0.36), "seeds": (0, 1), "metrics": LIGHT}
    make_sweep(tmp_path, **options)  # type: ignore[arg-type]
    first = {path: path.read_bytes() for path in write_sweep_report(tmp_path)}
    assert {path: path.read_bytes() for path in write_sweep_report(tmp_path)} == first
    assert (tmp_path / "figures" / "small-dense.svg").exists()
    (tmp_path / "figures" / "mine.svg").write_text("kept")
    make_sweep(tmp_path, **options, small=False)  # type: ignore[arg-type]
    write_sweep_report(tmp_path)
    assert not (tmp_path / "figures" / "small-dense.svg").exists()
    assert not (tmp_path / "small_dense.csv").exists()
    assert (tmp_path / "figures" / "mine.svg").exists()


def test_one_seed_and_one_sparsity_with_strange_names(tmp_path: Path) -> None:
    name = 'a|b <script>x</script>\n`c`, "d" $e$'
    make_sweep(
        tmp_path, methods=(name,), sparsities=(0.488,), seeds=(3,), small=False, name="</style><b>", metrics=LIGHT
    )
    write_sweep_report(tmp_path)
    html, text = (tmp_path / "index.html").read_text(), (tmp_path / "sweep.md").read_text()
    page = Page(html)
    assert not {"script", "b"} & set(page.tags)
    assert "One seed: no standard deviation" in page.text
    assert not re.search(r"\d ± \d", page.text)
    assert "<" not in text and r"a\|b &lt;script&gt;x&lt;/script&gt; \`c\`" in text
    assert {row["method"] for row in rows(tmp_path, "curves.csv")} == {name}
    assert {row["sd"] for row in rows(tmp_path, "curves.csv")} == {""}


def test_a_twin_alone_still_reports(tmp_path: Path) -> None:
    make_sweep(tmp_path, methods=(), sparsities=(), seeds=(0,))
    paths = write_sweep_report(tmp_path)
    assert [path.name for path in paths] == ["index.html", "sweep.md", *TABLES[:3]]
    assert "The sweep has no pruning method." in (tmp_path / "index.html").read_text()


def test_tickets_that_miss_their_sparsity_and_margins_that_differ(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, methods=("n_m",), sparsities=(0.488,), seeds=(0, 1), small=False, metrics=LIGHT)
    points = tuple(point.model_copy(update={"sparsity": 0.5}) for point in sweep.points)
    sweep.model_copy(update={"points": points}).save(tmp_path)
    path = tmp_path / sweep.points[1].evaluation
    path.write_text(path.read_text().replace('"margin": 0.01,', '"margin": 0.03,'))
    write_sweep_report(tmp_path)
    text = (tmp_path / "sweep.md").read_text()
    assert "n_m at 48.8 % has 50 % in truth." in text
    assert "Margins or the place in the verdict differ between evaluations: Accuracy." in text


def test_a_seed_without_dense_network_and_a_damaged_list_of_failures(tmp_path: Path) -> None:
    left_out = tuple((method, target, 1) for method, target in (("omp", 0.2), ("small", None)))
    sweep = make_sweep(
        tmp_path, methods=("omp",), sparsities=(0.2,), seeds=(0, 1), leave_out=left_out, metrics=LIGHT, name="short"
    )
    failure = {"method": "dense", "target": None, "seed": 1, "reason": "disk full"}
    (tmp_path / "failures.json").write_text(json.dumps([failure]))
    found = FailedNetwork(method="dense", target=None, seed=1, reason="disk full")
    assert load_failures(tmp_path) == [found]
    evaluations = sweep.evaluations(tmp_path)
    summary = summarise(sweep, evaluations)
    assert sweep_warnings(summary, list(evaluations.values()), [found])[:2] == [
        "omp at 20 %: seed 1 is missing (failed: disk full).",
        "small dense: seed 1 is missing (failed: disk full).",
    ]
    (tmp_path / "failures.json").write_text("{")
    with pytest.raises(InputError, match=r"failures\.json is no list of failures: .* Delete it to report without it"):
        write_sweep_report(tmp_path)


def test_nothing_evaluated_or_unreadable_writes_nothing(tmp_path: Path) -> None:
    Sweep(name="new", version="0", created="2026-01-02", recipe={}).save(tmp_path)
    with pytest.raises(InputError, match="Expected at least one evaluated network in the sweep 'new', but got none"):
        write_sweep_report(tmp_path)
    sweep = make_sweep(tmp_path, methods=("omp",), sparsities=(0.2,), seeds=(0,), small=False)
    (tmp_path / sweep.points[0].evaluation).unlink()
    with pytest.raises(InputError, match=r"Cannot read .*0-0\.json"):
        write_sweep_report(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.json", "evaluations"}


def test_the_page_and_the_tables_say_how_methods_were_trained(tmp_path: Path) -> None:
    made = make_sweep(tmp_path, methods=("lth", "rigl"), sparsities=(0.2,), seeds=(0, 1), metrics=LIGHT)
    write_sweep_report(tmp_path)
    assert {row["trained_by"] for row in rows(tmp_path, "curves.csv")} == {""}  # an older record
    assert "How it was trained" not in (tmp_path / "index.html").read_text()
    cifar = Trained(recipe="cifar", epochs=182)
    trained = {
        "rigl": Trained(recipe="cifar-rigl", epochs=250),
        "lth": Trained(recipe="cifar", epochs=182, first=3),
        "small": cifar,
        "dense": cifar,
    }
    made.model_copy(update={"trained": trained}).save(tmp_path)
    write_sweep_report(tmp_path)
    table = {
        (row["method"], row["trained_by"], row["epochs"], row["first_epoch"]) for row in rows(tmp_path, "curves.csv")
    }
    assert table == {("lth", "cifar", "182", "3"), ("rigl", "cifar-rigl", "250", "0"), ("small", "cifar", "182", "0")}
    text = Page((tmp_path / "index.html").read_text()).text
    assert "dense cifar 182 small dense cifar 182 lth cifar 182, from epoch 3 on rigl cifar-rigl 250" in text
    markdown = (tmp_path / "sweep.md").read_text()
    assert "| lth | cifar | 182, from epoch 3 on |\n| rigl | cifar-rigl | 250 |" in markdown
    said = (
        "rigl was trained by the recipe cifar-rigl (250 epochs), its dense parents by cifar (182 epochs): the "
        "difference to them comes from both pruning and training."
    )
    assert said in text and said in markdown and "lth was trained by" not in text


def test_a_figure_that_fails_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_sweep(tmp_path, methods=("omp",), sparsities=(0.2,), seeds=(0,), metrics=LIGHT, small=False)
    whole = {path.relative_to(tmp_path) for path in write_sweep_report(tmp_path)}

    def boom(*_: Any, **__: Any) -> None:
        raise KeyError("boom")

    monkeypatch.setattr("sparsescope.plots.pass_ranges", boom)
    with pytest.raises(KeyError, match="boom"):
        write_sweep_report(tmp_path)
    left = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.stem for path in whole - left} == {"pass-ranges-margins", "pass-ranges-paper"}
    page = (tmp_path / "index.html").read_text()
    assert "The figure pass-ranges-paper could not be made: KeyError: &#39;boom&#39;" in page
