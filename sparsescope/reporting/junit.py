"""The verdict as JUnit XML, which CI systems show as test results."""

import re
from xml.etree import ElementTree

from sparsescope.reporting.methods import as_one_pair
from sparsescope.reporting.rows import Row, groups
from sparsescope.results import Evaluation

__all__ = ["junit"]

# XML 1.0 has no way to write these characters, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(evaluations: list[Evaluation]) -> bytes:
    """Return one test suite for each verdict that a gate follows, one test case for each metric in it.

    That is the verdict on the method where one is judged, else that on each candidate.

    FAIL is a failure; INCONCLUSIVE and NOT EVALUATED are skipped, with the reason as message.
    """
    root = ElementTree.Element("testsuites", name="sparsescope")
    totals = dict.fromkeys(("tests", "failures", "skipped"), 0)
    for number, evaluation in enumerate(evaluations, start=1):
        prefix = f"{number}." if len(evaluations) > 1 else ""
        for name in evaluation.deciding:
            shown = as_one_pair(evaluation, name) if name in evaluation.methods else evaluation
            suite = _suite(shown, name, f"{prefix}{name}")
            root.append(suite)
            for key in totals:
                totals[key] += int(suite.get(key, 0))
    for key, value in {**totals, "errors": 0}.items():
        root.set(key, str(value))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(evaluation: Evaluation, candidate: str, name: str) -> ElementTree.Element:
    rows = [
        (dimension, row) for dimension, group in groups(evaluation, candidate).items() for row in group if row.outcome
    ]
    outcomes = [row.outcome for _, row in rows]
    failures, passed = outcomes.count("fail"), outcomes.count("pass")
    suite = ElementTree.Element(
        "testsuite",
        name=_clean(name),
        tests=str(len(rows)),
        failures=str(failures),
        errors="0",
        skipped=str(len(rows) - failures - passed),
        time="0",
    )
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", evaluation.created):
        suite.set("timestamp", evaluation.created[:19])
    for dimension, row in rows:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_clean(f"{name}.{dimension}"), name=_clean(row.name), time="0"
        )
        if row.outcome == "fail":
            failure = ElementTree.SubElement(case, "failure", type="margin", message=_clean(_message(row)))
            failure.text = _clean(_message(row))
        elif row.outcome != "pass":
            ElementTree.SubElement(case, "skipped", message=_clean(_message(row)))
    return suite


def _message(row: Row) -> str:
    if not row.difference:
        return f"{row.outcome_word}: {row.reason}"
    reason = f"; {row.reason}" if row.reason else ""
    return (
        f"{row.outcome_word}: {row.label} ({row.unit}): dense {row.dense}, sparse {row.sparse}, "
        f"difference {row.difference} {row.difference_interval}, margin {row.margin_text}{reason}"
    )


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
