import errno
import re
from pathlib import Path
from typing import Any

import pytest
from fake_evaluation import MODELS, make_evaluation, make_light_evaluation, make_metric
from html_page import Page
from report_files import FILES

from sparsescope.errors import InputError
from sparsescope.reporting import report
from sparsescope.reporting.formats import FORMATS
from sparsescope.reporting.writer import write_all
from sparsescope.results import Evaluation, Pair, Pairs
from sparsescope.results.radar import normalise
from sparsescope.verdict import decide


class Written:
    """The files of one report."""

    def __init__(self, evaluations: Any, folder: Path) -> None:
        self.paths = report(evaluations, folder)
        self.html = self.paths["report.html"].read_text()
        self.page = Page(self.html)
        self.markdown = self.paths["report.md"].read_text()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report of three models with everything in it."""
    return Written(make_evaluation(MODELS), tmp_path_factory.mktemp("full") / "new" / "folder")


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report of models, paths and warnings that try to break out."""
    return Written(strange_evaluation(), tmp_path_factory.mktemp("strange"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report of two evaluations with different seeds."""
    both = [make_light_evaluation(), make_light_evaluation(MODELS, seed=3)]
    return Written(both, tmp_path_factory.mktemp("compared"))


def test_all_files_are_written_and_the_same_bytes_each_time(full: Written, tmp_path: Path) -> None:
    assert tuple(full.paths) == FILES
    assert set(FILES) == {path.name for path in full.paths["report.md"].parent.iterdir()}
    again = report(Evaluation.load(full.paths["evaluation.json"]), tmp_path)
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in full.paths.items()
    }


@pytest.mark.parametrize(
    "expected",
    [
        f"It is not decided whether {MODELS[1]} matches {MODELS[0]}.",
        f"{MODELS[2]} does not match {MODELS[0]}.",
        "91.90 [91.29, 92.51] 86.10 [85.49, 86.71] −5.80 [−6.41, −5.19] 1.00 FAIL FAIL",
        "0.291 [0.276, 0.307] 0.413 [0.397, 0.428] +0.121 [+0.106, +0.137] 0.015 5 % FAIL FAIL",
        "n = 1000; about 1,600 would do if there were no difference",
        "Compositional IoU (all models): no probe set",
        "raw and scale-free values disagree",
        "log max-softmax, higher = more in-distribution",
        f"700 of 10,000 images are right with {MODELS[0]} and wrong with {MODELS[2]}; 120 the other way round.",
        "airplane 3,000 92.0 68.7 −23.3 [−25.3, −21.3] 700 0",
        "Accuracy under attack",
        "8 14.2 [11.2, 17.2] 15.2 [12.2, 18.2] 16.2 [13.2, 19.2]",
        "svhn given 600 0.8800 0.5000 0.8730 0.5000 0.8410 0.5000",
        "conv1.weight",
        "83.2 % of prunable weights",
        "Zeros by themselves bring no speed; no speed is measured here.",
        "13 min 32 s",
        "torch 2.9.1",
        "npz:dtd.npz, npz:svhn.npz (dtd: 600, svhn: 600)",
        "images = 200, samples = 1000",
        "Lower is better. Unit: nats. Source: Chen et al. 2022.",
        "2026-01-02T03:04:05+00:00",
    ],
)
def test_page_shows_verdict_numbers_and_what_they_rest_on(full: Written, expected: str) -> None:
    assert expected in full.page.text


def test_page_has_every_figure_with_a_description(full: Written) -> None:
    # The radar; one forest a candidate; reliability, sparsity, corruptions, shift, attacks.
    assert full.page.tags.count("svg") == 1 + 2 + 5
    labels = [value for tag, name, value in full.page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(set(labels)) == 8


@pytest.mark.parametrize("name", ["full", "compared", "strange"])
def test_page_is_self_contained(name: str, request: pytest.FixtureRequest) -> None:
    report_ = request.getfixturevalue(name)
    assert "img" not in report_.page.tags
    report_.page.check_self_contained(report_.html)
    ids = {value for _, key, value in report_.page.attributes if key == "id"}
    references = {value[5:-1] for _, key, value in report_.page.attributes if key == "clip-path"}
    assert references and references <= ids


def test_page_suits_light_dark_and_paper(full: Written) -> None:
    assert "prefers-color-scheme: dark" in full.html
    assert "@media print" in full.html
    assert "fill: var(--ink, #1c2430)" in full.html  # figures follow the scheme


STRANGE = ('<script>alert("dense")</script>', "a|b <img src=x onerror=alert(1)> *x* _y_ [z](http://w) `c`\n# h")


def strange_evaluation() -> Evaluation:
    evaluation = make_evaluation(STRANGE)
    models = tuple(
        model.model_copy(update={"path": "/tmp/<b>&amp;", "warnings": ("<script>warning()</script>",)})
        for model in evaluation.models
    )
    benchmark = evaluation.benchmark.model_copy(update={"classes": ("<i>",), "name": "</style><script>"})
    return evaluation.model_copy(update={"models": models, "benchmark": benchmark})


def test_names_and_texts_of_users_are_escaped_in_html(strange: Written) -> None:
    assert "<script>" not in strange.html
    assert "i" not in strange.page.tags
    for text in (*STRANGE[:1], "<script>warning()</script>", "/tmp/<b>&amp;", "</style><script>", "<img src=x onerror"):
        assert text in strange.page.text


def test_names_and_texts_of_users_are_escaped_in_markdown(strange: Written) -> None:
    assert "<" not in strange.markdown
    assert r"a\|b &lt;img src=x onerror=alert(1)&gt; \*x\* \_y\_ \[z\](http://w) \`c\` \# h" in strange.markdown


@pytest.mark.parametrize("name", ["full", "compared", "strange"])
def test_markdown_tables_are_whole(name: str, request: pytest.FixtureRequest) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", request.getfixturevalue(name).markdown, flags=re.MULTILINE)
    assert len(tables) >= 4
    for rows in (table.splitlines() for table in tables):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows
        assert re.fullmatch(r"\|( :?-+:? \|)+", rows[1])


def test_debiased_intervals_are_explained_above_the_table(full: Written) -> None:
    note = "ECE: values are too large on few images"
    assert re.search(rf"^Difference = .* counts too\. {note}.*sparse − dense\.\n\n", full.markdown, flags=re.MULTILINE)
    assert note in full.html


def test_markdown_says_the_same_numbers(full: Written) -> None:
    assert (
        r"| Accuracy ↑ | % | 91.90 \[91.29, 92.51\] | 86.10 \[85.49, 86.71\] | −5.80 \[−6.41, −5.19\] | 1.00 | FAIL |"
        in full.markdown
    )
    assert "![Radar of all metrics](radar.svg)" in full.markdown
    assert f"**FAIL** — {MODELS[2]} does not match {MODELS[0]}." in full.markdown


def test_several_evaluations_are_compared_and_warned_about(compared: Written) -> None:
    assert set(compared.paths) == set(FILES) - {"evaluation.json"} | {"radar-2.svg", "radar-2.png"}
    assert "2 evaluations compared" in compared.page.text
    assert "compare their outcomes, not their numbers Seed differs: 0, 3." in compared.page.text
    assert (
        f"1 · {MODELS[1]} 2 · {MODELS[1]} 2 · {MODELS[2]} Accuracy INCONCLUSIVE INCONCLUSIVE FAIL" in compared.page.text
    )
    assert "| **Verdict** | **INCONCLUSIVE** | **INCONCLUSIVE** | **FAIL** |" in compared.markdown
    assert "(radar-2.svg)" in compared.markdown


def test_evaluations_made_alike_need_no_warning(tmp_path: Path) -> None:
    assert "made differently" not in Written([make_light_evaluation()] * 2, tmp_path).html


def test_metrics_that_only_one_evaluation_has(tmp_path: Path) -> None:
    only = (make_metric("beauty", label="Beauty", source="me"),)
    verdicts = {MODELS[1]: decide(only, Pair(dense=MODELS[0], candidate=MODELS[1]), confidence=0.95, complete=False)}
    other = make_evaluation(metrics=only, verdicts=verdicts, radar=normalise(only, Pairs.of_one_dense(MODELS[:2])))
    text = Written([make_light_evaluation(), other], tmp_path).page.text
    assert "Accuracy INCONCLUSIVE –" in text
    assert "Beauty – PASS" in text
    assert "Higher is better. Unit: fraction. Source: me." in text


def test_an_evaluation_that_measured_nothing_still_reports(tmp_path: Path) -> None:
    none = (make_metric("composition", (None, None), None),)
    verdicts = {MODELS[1]: decide(none, Pair(dense=MODELS[0], candidate=MODELS[1]), confidence=0.95, complete=False)}
    evaluation = make_light_evaluation(
        metrics=none, verdicts=verdicts, radar=normalise(none, Pairs.of_one_dense(MODELS[:2]))
    )
    found = Written(evaluation, tmp_path)
    assert set(found.paths) == set(FILES) - {"radar.svg", "radar.png"}
    assert "not every metric was asked for" in found.page.text
    assert "Radar" not in found.markdown


def test_nothing_to_report_and_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one evaluation"):
        report([], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot make the folder"):
        report(make_light_evaluation(), tmp_path / "file")


def test_full_disk_leaves_the_older_report_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = report(make_light_evaluation(), tmp_path)
    before = {name: path.read_bytes() for name, path in paths.items()}
    write = Path.write_bytes

    def full_disk(self: Path, content: bytes) -> int:
        if "report.html" in self.name:
            write(self, content[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match=r"report\.html: No space left"):
        report(make_light_evaluation(seed=9), tmp_path)
    monkeypatch.undo()
    assert paths["report.html"].read_bytes() == before["report.html"]
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_what_is_not_set_and_what_is_not_known(tmp_path: Path) -> None:
    details = {MODELS[0]: {"temperature": 1.5}, MODELS[1]: {"temperature": None}}
    metric = make_metric("own", details=details, options={"images": None, "step": None, "bins": 3})
    pairs = Pairs.of_one_dense(MODELS[:2])
    verdicts = {MODELS[1]: decide([metric], pairs.of(MODELS[1]), confidence=0.95, complete=False)}
    evaluation = make_evaluation(metrics=(metric,), verdicts=verdicts, radar=normalise([metric], pairs))
    text = report(evaluation, tmp_path)["report.md"].read_text()
    assert "images = all, step = default, bins = 3" in text
    assert re.search(r"temperature \| 1\.5 \| – \|", text)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("text", "Expected the format mine.txt to give bytes, or bytes by file name, but got 'text'"),
        ({"mine.txt": "text"}, "Expected the format mine.txt to give bytes"),
        ({"report.md": b"x"}, r"The format mine.txt gives report.md, which another format has written"),
    ],
)
def test_a_format_that_fails_costs_no_other(
    given: Any, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparsescope.reporting.junit.mine", lambda evaluations: given, raising=False)
    places = [*FORMATS.items()]
    places.insert(3, ("mine.txt", "sparsescope.reporting.junit:mine"))
    monkeypatch.setattr("sparsescope.reporting.writer.FORMATS", dict(places))
    with pytest.raises(TypeError, match=text) as caught:
        report(make_light_evaluation(), tmp_path)
    assert "while mine.txt was made" in caught.value.__notes__[0]
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert (tmp_path / "report.md").read_text() != "x"


FIGURES = ("radar", "corruption_table")


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_that_fails_costs_itself_alone(
    figure: str, full: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boom(*_: Any, **__: Any) -> None:
        raise KeyError("boom")

    monkeypatch.setattr(f"sparsescope.plots.{figure}", boom)
    written = write_all(make_evaluation(MODELS), tmp_path)
    assert set(written.paths) == set(FILES)
    ((name, error),) = written.failures.items()
    assert name.startswith("report.html: The figure of ") and isinstance(error, KeyError)
    page, whole = (tmp_path / "report.html").read_text(), full.html
    assert "could not be made: KeyError: &#39;boom&#39; (test_writer.py, line " in page
    assert whole.count("<svg") - page.count("<svg") == 1
