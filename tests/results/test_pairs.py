"""Pairs: who is compared with whom, also with several dense models, and what files say of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_evaluation import MODELS, make_evaluation

from sparsescope.errors import InputError, OptionError
from sparsescope.results import Evaluation, Pair, Pairs

TWO = Pairs(("a", "b", "a-s", "b-s"), (Pair(dense="a", candidate="a-s"), Pair(dense="b", candidate="b-s")))


def test_one_dense_model_with_several_candidates_is_several_pairs() -> None:
    pairs = Pairs.of_one_dense(MODELS)
    assert list(pairs) == [Pair(dense=MODELS[0], candidate=name) for name in MODELS[1:]]
    assert {pairs.dense_of(name) for name in MODELS} == {MODELS[0]}
    assert [pairs.is_candidate(name) for name in MODELS] == [False, True, True]
    assert list(Pairs.of_one_dense(["alone"])) == []


def test_every_model_has_the_dense_model_of_its_pair() -> None:
    assert [TWO.dense_of(name) for name in TWO.models] == ["a", "b", "a", "b"]
    assert TWO.of("b-s").dense == "b"
    with pytest.raises(OptionError, match=r"Expected one of \['a-s', 'b-s'\], but got 'a'\."):
        TWO.of("a")


def saved(tmp_path: Path, change: Any) -> Path:
    path = tmp_path / "evaluation.json"
    make_evaluation(MODELS).save(path)
    content = json.loads(path.read_text())
    assert content["pairs"] == [{"dense": MODELS[0], "candidate": name} for name in MODELS[1:]]
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_older_files_have_no_pairs_and_load_as_equals(tmp_path: Path) -> None:
    loaded = Evaluation.load(saved(tmp_path, lambda content: content.pop("pairs")))
    assert loaded == make_evaluation(MODELS)
    assert loaded.pairs == Pairs.of_one_dense(MODELS).pairs
    assert loaded.pair(MODELS[2]) == Pair(dense=MODELS[0], candidate=MODELS[2])
    assert "pairs" in json.loads(loaded.model_dump_json())


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["pairs"].pop(),
        lambda content: content["pairs"].reverse(),
        lambda content: content["pairs"][0].update(dense=MODELS[1]),
        lambda content: content["pairs"][0].update(candidate="unknown"),
    ],
)
def test_pairs_of_other_models_are_refused(change: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"expected every candidate paired with {MODELS[0]}, in the order of the mod"):
        Evaluation.load(saved(tmp_path, change))
