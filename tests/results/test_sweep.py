"""sweep.json: round trip, and clear errors."""

import json
from pathlib import Path

import pytest
from fake_evaluation import make_evaluation

from sparsescope.errors import InputError
from sparsescope.results import Sweep, SweepPoint

POINT = SweepPoint(
    method="lth", seed=1, target=0.488, sparsity=0.4880001, model="ticket", evaluation="e/a.json", checkpoint="t/a.pt"
)
SWEEP = Sweep(name="mini", version="0.1.0", created="2026-01-02", recipe={"methods": ["lth"]}, points=(POINT,))


def test_round_trip_with_its_evaluations(tmp_path: Path) -> None:
    SWEEP.save(tmp_path)
    (tmp_path / "e").mkdir()
    make_evaluation().save(tmp_path / "e" / "a.json")
    assert json.loads((tmp_path / "sweep.json").read_text())["schema"] == "sparsescope.sweep/1"
    assert Sweep.load(tmp_path) == SWEEP
    assert Sweep.load(tmp_path).evaluations(tmp_path) == {POINT: make_evaluation()}


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*sweep.json: No such file .* Is .* the folder of a sweep\?"):
        Sweep.load(tmp_path)
    SWEEP.save(tmp_path)
    with pytest.raises(InputError, match=r"Cannot read .*a\.json"):
        SWEEP.evaluations(tmp_path)
    text = (tmp_path / "sweep.json").read_text()
    (tmp_path / "sweep.json").write_text(text[:-20])
    with pytest.raises(InputError, match=r"sweep.json is not JSON .* was it cut off or changed\?"):
        Sweep.load(tmp_path)
    (tmp_path / "sweep.json").write_text(text.replace('"points"', '"sparsity": NaN, "points"'))
    with pytest.raises(InputError, match=r"sweep.json is not JSON \(it holds NaN, "):
        Sweep.load(tmp_path)
    (tmp_path / "sweep.json").write_text(text.replace("sweep/1", "sweep/9"))
    with pytest.raises(InputError, match=r'to have "schema": "sparsescope.sweep/1", but got \'sparsescope.sweep/9\''):
        Sweep.load(tmp_path)


@pytest.mark.parametrize("name", ["/tmp/evaluation.json", "../other/evaluation.json"])
def test_a_record_names_files_of_its_own_folder_alone(tmp_path: Path, name: str) -> None:
    SWEEP.save(tmp_path)
    path = tmp_path / "sweep.json"
    content = json.loads(path.read_text())
    content["points"][0]["evaluation"] = name
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="expected a path below the sweep's folder, but got"):
        Sweep.load(tmp_path)
