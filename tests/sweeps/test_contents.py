"""A sweep is what its files hold: they may move, and may not change."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparsescope.errors import InputError, OptionError
from sparsescope.results import Sweep
from sparsescope.sweeps import SweepRecipe, run_sweep

Make = Callable[..., Any]
OUT = Path("out")

NETWORK = """
from torch import nn


def net(num_classes=3, in_channels=1):
    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.ReLU(), Flat(), nn.Linear(400, num_classes))


class Flat(nn.Module):
    def forward(self, x):
        return x.flatten(1)
"""
SCORE = """
def score(module, batches):
    return {name: p.detach().abs() for name, p in module.named_parameters() if name.endswith("weight")}


score.looks_at = "nothing"
"""
TRAINING = "epochs = 2\nbatch_size = 16\nlearning_rate = 0.05\nrewind_epoch = 1\n"


def draw(path: str, n: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (n, 12, 12), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(n) % 3)


def values(place: str = "") -> dict[str, Any]:
    """Everything that a recipe can name by a path, in a folder."""
    return {
        "data": f"npz:{place}test.npz",
        "train": f"npz:{place}train.npz",
        "architecture": f"{place}net.py:net",
        "methods": [f"{place}score.py:score"],
        "rounds": [1],
        "training": {"recipe": f"{place}short.toml"},
        "evaluation": {"preset": "quick", "only": ["accuracy"], "replicates": 100, "ood": [f"npz:{place}far.npz"]},
    }


@pytest.fixture
def recipe(make_recipe: Make, task: Path) -> Callable[..., SweepRecipe]:
    draw("far.npz", 9, 5)
    for name, text in (("net.py", NETWORK), ("score.py", SCORE), ("short.toml", TRAINING)):
        (task / name).write_text(text)
    return lambda place="", **changes: make_recipe(**{**values(place), **changes})


def moved(task: Path) -> None:
    (task / "new").mkdir()
    for name in ("test.npz", "train.npz", "far.npz", "net.py", "score.py", "short.toml"):
        (task / name).rename(task / "new" / name)


class Told(set[str]):
    def __call__(self, point: Any, part: str, fraction: float, line: str) -> None:
        self.update({part} if line.startswith("seed ") else ())


@pytest.mark.parametrize("place", ["new/", "./new/", None])
def test_everything_may_lie_elsewhere(recipe: Make, task: Path, place: str | None) -> None:
    first = run_sweep(recipe(), OUT)
    assert first.failures == () and len(first.sweep.points) == 1
    moved(task)
    elsewhere = recipe(f"{task}/new/" if place is None else place)
    told = Told()
    again = run_sweep(elsewhere, OUT, told=told)
    assert told == set() and again.failures == ()
    assert Sweep.load(OUT).recipe["methods"] == list(elsewhere.methods)
    (point,) = again.sweep.points
    assert (point.evaluation, point.method) == (first.sweep.points[0].evaluation, elsewhere.methods[0])
    grown = run_sweep(recipe("new/", rounds=[1, 2], methods=["new/score.py:score", "random"]), OUT, told=told)
    assert grown.failures == () and told == {"score-0.36", "random-0.2", "random-0.36", "evaluation"}  # dense is kept


def test_a_training_goes_on_with_files_that_moved(recipe: Make, task: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(point: Any, part: str, fraction: float, line: str) -> None:
        if part == "score-0.2" and fraction >= 0.75:
            raise Killed

    with pytest.raises(Killed):
        run_sweep(recipe(training={"recipe": "short.toml", "epochs": 4}), OUT, told=kill)
    moved(task)
    told = Told()
    outcome = run_sweep(recipe("new/", training={"recipe": "new/short.toml", "epochs": 4}), OUT, told=told)
    assert outcome.failures == () and told == {"score-0.2", "evaluation"}


def rewrite(path: str, old: str, new: str) -> Callable[[], object]:
    return lambda: Path(path).write_text(Path(path).read_text().replace(old, new))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda: draw("test.npz", 30, 7), "another content: test images changed"),
        (lambda: draw("train.npz", 40, 7), "another content: training images changed"),
        (lambda: draw("far.npz", 9, 7), r"far images \(out of distribution\) changed"),
        (rewrite("net.py", "nn.ReLU()", "nn.Tanh()"), "another content: architecture changed"),
        (rewrite("net.py", "x.flatten(1)", "2 * x.flatten(1)"), "another content: architecture changed"),
        (rewrite("short.toml", "0.05", "0.04"), "another content: training changed"),
        (rewrite("score.py", ".abs()", ".square()"), "holds a ticket of other code: the file of score has changed"),
    ],
)
def test_nothing_may_change_in_its_place(recipe: Make, change: Callable[[], object], text: str) -> None:
    run_sweep(recipe(), OUT)
    before = {path: path.read_bytes() for path in OUT.rglob("*.json")}
    change()
    with pytest.raises(OptionError, match=text):
        run_sweep(recipe(), OUT)
    assert {path: path.read_bytes() for path in OUT.rglob("*.json")} == before


def test_an_older_record_knows_its_images_by_its_evaluations(recipe: Make, task: Path) -> None:
    run_sweep(recipe(), OUT)

    def aged() -> None:
        content = json.loads((OUT / "sweep.json").read_text(encoding="utf-8"))
        del content["contents"]
        (OUT / "sweep.json").write_text(json.dumps(content), encoding="utf-8")

    aged()
    assert set(run_sweep(recipe(), OUT).sweep.contents) >= {"test images", "architecture", "training"}
    aged()
    draw("test.npz", 30, 7)
    with pytest.raises(OptionError, match="another content: images changed"):
        run_sweep(recipe(), OUT)


def test_other_images_of_the_same_name_are_others(recipe: Make, task: Path) -> None:
    run_sweep(recipe(), OUT)
    stored = dict(np.load("test.npz"))
    (task / "new").mkdir()
    np.savez(task / "new/test.npz", images=stored["images"][::-1], labels=stored["labels"][::-1])
    with pytest.raises(OptionError, match="test images changed"):
        run_sweep(recipe(data="npz:new/test.npz"), OUT)
    shutil.copy("test.npz", "new/copy.npz")
    os.utime("new/copy.npz", (0, 0))
    assert run_sweep(recipe(data="npz:new/copy.npz"), OUT).failures == ()


@pytest.mark.filterwarnings("ignore:.* normalizes 3 channels")
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"architecture": "digits_cn"}, "There is no architecture 'digits_cn'. Did you mean digits_cnn"),
        ({"architecture": "net.py:nett"}, r"net\.py has no 'nett'. Did you mean 'net'"),
        ({"architecture": "torchvision:resnet81"}, "resnet81"),
        ({"architecture": "none.py:net"}, "Expected a Python file at none.py"),
        ({"small": "digits_cnn_smal"}, "There is no architecture 'digits_cnn_smal'. Did you mean digits_cnn_small"),
        ({"small": "narrow.py:net"}, "labels 0–1"),
        ({"architecture": "torchvision:alexnet"}, "cannot take images of shape"),
        ({"data": "npz:gone.npz"}, "gone.npz"),
        ({"train": "npz:gone.npz"}, "gone.npz"),
        ({"evaluation": {"ood": ["npz:gone.npz"]}}, "gone.npz"),
        ({"evaluation": {"probe": "broden:gone"}}, "gone"),
        ({"evaluation": {"only": ["composition"], "metrics": {"composition": {"layer": "convv"}}}}, "no layer 'convv'"),
    ],
)
def test_what_cannot_work_is_found_before_anything_is_trained(
    recipe: Make, task: Path, changes: dict[str, Any], text: str
) -> None:
    (task / "narrow.py").write_text(NETWORK.replace("num_classes=3, in_", "in_").replace("num_classes", "2"))
    with pytest.raises(InputError, match=text):
        run_sweep(recipe(**changes), OUT)
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"methods": ["om"]}, "no pruning method 'om'. Did you mean omp"),
        ({"evaluation": {"only": ["acuracy"]}}, "acuracy"),
        ({"evaluation": {"preset": "quik"}}, "quik"),
        ({"evaluation": {"metrics": {"ecee": {"n_bins": 3}}}}, "ecee"),
        ({"evaluation": {"metrics": {"ece": {"bins": 3}}}}, "bins"),
        ({"options": {"rigl": {"evry": 3}}}, "evry"),
    ],
)
def test_names_are_checked_as_a_recipe_is_read(recipe: Make, changes: dict[str, Any], text: str) -> None:
    with pytest.raises((InputError, ValueError), match=text):
        recipe(**changes).check_methods()
