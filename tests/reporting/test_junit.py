from xml.etree import ElementTree

import pytest
from fake_evaluation import MODELS, make_evaluation

from sparsescope.reporting.junit import junit
from sparsescope.results import Evaluation


def parsed(*evaluations: Evaluation) -> ElementTree.Element:
    return ElementTree.fromstring(junit(list(evaluations)))


def test_one_case_for_each_metric_of_the_verdict_and_candidate() -> None:
    evaluation = make_evaluation(MODELS)
    suites = parsed(evaluation).findall("testsuite")
    assert [suite.get("name") for suite in suites] == list(MODELS[1:])
    for suite, candidate in zip(suites, MODELS[1:], strict=True):
        judged = evaluation.verdict(candidate).metrics
        cases = {case.get("name"): case for case in suite.findall("testcase")}
        assert set(cases) == set(judged)
        for name, verdict in judged.items():
            kinds = [child.tag for child in cases[name]]
            assert kinds == {"pass": [], "fail": ["failure"]}.get(verdict.outcome, ["skipped"])


def test_counts_are_those_of_the_cases() -> None:
    root = parsed(make_evaluation(MODELS))
    for element in (root, *root.findall("testsuite")):
        assert element.get("tests") == str(len(list(element.iter("testcase"))))
        assert element.get("failures") == str(len(list(element.iter("failure"))))
        assert element.get("skipped") == str(len(list(element.iter("skipped"))))
        assert element.get("errors") == "0"
    assert int(root.get("failures", 0)) > 0


def test_messages_say_numbers_or_the_reason() -> None:
    root = parsed(make_evaluation(MODELS))
    messages = {
        (suite.get("name"), case.get("name")): case[0].get("message") for suite in root for case in suite if len(case)
    }
    assert messages[MODELS[2], "accuracy"] == (
        "FAIL: Accuracy (%): dense 91.90, sparse 86.10, difference −5.80 [−6.41, −5.19], margin 1.00"
    )
    assert messages[MODELS[1], "composition"] == "NOT EVALUATED: no probe set"
    assert (messages[MODELS[1], "ood_auroc"] or "").endswith(
        "; n = 11200; about 15,000 would do if there were no difference"
    )


def test_names_cannot_break_the_xml() -> None:
    strange = ('<script>alert("1")</script>', "bell\x07 & ]]> 模型")
    (suite,) = parsed(make_evaluation(strange))
    assert suite.get("name") == "bell� & ]]> 模型"


@pytest.mark.parametrize(("created", "stamp"), [("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05"), ("today", None)])
def test_timestamp_only_where_it_is_one(created: str, stamp: str | None) -> None:
    (suite,) = parsed(make_evaluation(created=created))
    assert suite.get("timestamp") == stamp


def test_suites_of_several_evaluations_are_told_apart() -> None:
    root = parsed(make_evaluation(), make_evaluation())
    assert [suite.get("name") for suite in root] == [f"1.{MODELS[1]}", f"2.{MODELS[1]}"]
