"""A method registered at run time, and the same one by FILE.py:function: prune, sweep, record and page know it."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import toy_lamp
from click.testing import CliRunner, Result

import sparsescope as ss
from sparsescope.checkpoints import load_classifier
from sparsescope.cli.group import sparsescope
from sparsescope.errors import InputError, OptionError
from sparsescope.pruning import CATALOGUE, Method
from sparsescope.results import Sweep
from sparsescope.sweeps import load_sweep, points
from sparsescope.sweeps.plan import trainings

PRUNE = [
    "--data", "npz:test.npz", "--train", "npz:train.npz", "--recipe", "digits", "--epochs", "2", "--rewind-epoch", "1",
    "--sparsity", "0.5", "--quiet", "--arch", "digits_cnn_small", "--runs", "runs",
]  # fmt: skip
RECIPE = """
data = "npz:test.npz"
train = "npz:train.npz"
architecture = "digits_cnn_small"
methods = ["omp", "LAMP"]
rounds = [1, 3]
[training]
recipe = "digits"
epochs = 2
rewind_epoch = 1
[evaluation]
preset = "quick"
only = ["accuracy"]
"""


@pytest.fixture(params=["catalogue", "file"])
def lamp(request: pytest.FixtureRequest, task: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What LAMP is called: a member of the catalogue, or a function in the working folder; `own.toml` has it."""
    if request.param == "catalogue":
        monkeypatch.setitem(CATALOGUE, "lamp", Method("lamp", "toy_lamp:lamp", "LAMP."))
        named = "lamp"
    else:
        shutil.copy(toy_lamp.__file__, "lamp.py")
        named = "lamp.py:lamp"
    Path("own.toml").write_text(RECIPE.replace("LAMP", named))
    return named


@pytest.fixture
def file(task: Path) -> Path:
    """`lamp.py`, in the working folder, and `own.toml`, which has it."""
    Path("own.toml").write_text(RECIPE.replace("LAMP", "lamp.py:lamp"))
    return Path(shutil.copy(toy_lamp.__file__, task / "lamp.py"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sparsescope, list(arguments))


def test_prune_by_lamp(lamp: str) -> None:
    result = run("prune", lamp, *PRUNE, "--out", "ticket.pt")
    assert result.exit_code == 0, result.output
    assert "ticket.pt: lamp, 50.01% of the prunable weights removed, " in result.stdout
    dense = load_classifier("runs/dense/checkpoint.pt")
    expected, made = ss.prune(lamp, dense, sparsity=0.5), load_classifier("ticket.pt").mask
    assert made is not None
    assert all(torch.equal(made[name], kept) for name, kept in expected.items())
    start, rewound = (
        torch.load(f"runs/{name}/epoch-1.pt", weights_only=True)["state_dict"] for name in ("lamp-0.5", "dense")
    )
    assert all(torch.equal(start[name], rewound[name] * expected[name]) for name in expected)


def test_a_sweep_with_lamp_and_its_report(lamp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = run("sweep", "own.toml", "--dry-run")
    assert f"omp, {lamp}" in planned.stdout and "5 runs, 6 epochs" in " ".join(planned.stdout.split())
    result = run("sweep", "own.toml", "--out", "out", "--quiet")
    assert result.exit_code == 0, result.output
    found = [(point.method, point.target, point.model) for point in Sweep.load("out").points]
    assert found == [
        ("omp", 0.2, "omp-0.2"), ("omp", 0.488, "omp-0.488"), (lamp, 0.2, "lamp-0.2"), (lamp, 0.488, "lamp-0.488"),
    ]  # fmt: skip
    assert Path("out/seed-0/lamp-0.488/checkpoint.pt").exists()
    Path("lamp.py").unlink(missing_ok=True)  # a report does not run the code
    monkeypatch.delitem(CATALOGUE, "lamp", raising=False)
    before = Path("out/index.html").read_text()
    assert run("report", "out").exit_code == 0 and Path("out/index.html").read_text() == before
    assert '<span class="label">lamp</span>' in before and "lamp.py" not in before
    with Path("out/curves.csv").open() as table:
        assert {row["method"] for row in csv.DictReader(table)} == {"omp", "lamp"}
    more = run("sweep", "own.toml", "--out", "out", "--method", "random", "--sparsity", "0.2", "--quiet")
    assert more.exit_code == 0 and "5 networks evaluated" in more.stdout  # what the record lists need not be there


def test_edited_code_is_not_taken_for_the_old_one(file: Path) -> None:
    common = ["sweep", "own.toml", "--out", "out", "--quiet", "--method", "lamp.py:lamp", "--sparsity", "0.2"]
    once = ["prune", "lamp.py:lamp", *PRUNE, "--out", "a.pt"]
    for _ in range(2):
        assert run(*common).exit_code == 0 and run(*once).exit_code == 0
    file.write_text(file.read_text().replace("view_as(weight)", "view_as(weight).neg()"))
    for command, place in (
        (common, "out/seed-0/lamp-0.2"),
        (once, "runs/lamp-0.5"),
    ):
        result = run(*command)
        assert result.exit_code == 2
        assert f"{place} holds a ticket of other code: the file of lamp has changed since. Remove that" in result.stderr
    before = Sweep.load("out").evaluations("out")
    shutil.rmtree("out/seed-0/lamp-0.2")
    result = run(*common)
    assert result.exit_code == 0, result.output
    (old,), (new,) = before.values(), Sweep.load("out").evaluations("out").values()
    assert old.models[1].sha256 != new.models[1].sha256 and old.models[0].sha256 == new.models[0].sha256


def test_a_function_that_fails_leaves_the_other_methods(file: Path) -> None:
    file.write_text("def lamp(module, batches):\n    return {}['a']\n")
    result = run("sweep", "own.toml", "--out", "out", "--quiet", "--sparsity", "0.2")
    assert result.exit_code == 3 and "1 failed (failures.json)" in result.stdout
    assert "Failed: lamp at 20.0%, seed 0: The scoring function lamp failed in " in result.stderr
    assert [point.method for point in Sweep.load("out").points] == ["omp"]
    page = Path("out/sweep.md").read_text()
    assert "lamp at 20 %" in page and "KeyError" in page


def test_attributes_and_options_in_a_sweep(file: Path) -> None:
    file.write_text(
        "import torch\n\ndef own(module, batches, *, seed=0, power=1.0):\n"
        "    assert power == 2.0 and sum(len(images) for images, labels in batches) == 6\n"
        "    rng = torch.Generator().manual_seed(seed)\n"
        "    return {name: torch.rand(w.shape, generator=rng) ** power for name, w in module.named_parameters()}\n\n"
        'own.start = "initial"\nown.scope = "layerwise"\n'
    )
    changes: dict[str, Any] = {"methods": ["lamp.py:own"], "rounds": [1], "seeds": [5], "score_images": 6}
    recipe = load_sweep("own.toml", **changes, options={"lamp.py:own": {"power": 2.0, "seed": 1}})
    assert trainings(recipe) == {"dense": 2, "own-0.2": 2}  # not rewound: by the whole recipe
    assert [point.name for point in points(recipe)] == ["own-0.2"]
    text = RECIPE.replace("LAMP", "lamp.py:own").replace("rounds = [1, 3]", "rounds = [1]\nscore_images = 6")
    Path("own.toml").write_text(text + '[options."lamp.py:own"]\npower = 2.0\n')
    result = run("sweep", "own.toml", "--out", "out", "--seed", "5", "--method", "lamp.py:own", "--quiet")
    assert result.exit_code == 0, result.output
    start, dense = (torch.load(f"out/seed-5/{name}/epoch-0.pt", weights_only=True) for name in ("own-0.2", "dense"))
    sparsities = {1 - float(kept.float().mean()) for kept in start["mask"].values()}
    assert max(sparsities) - min(sparsities) < 0.05  # layerwise
    assert all(
        torch.equal(start["state_dict"][name], dense["state_dict"][name] * kept) for name, kept in start["mask"].items()
    )
    rng = torch.Generator().manual_seed(5)  # the seed of the training run
    module = load_classifier("out/seed-5/dense/checkpoint.pt").module
    first = {name: torch.rand(weight.shape, generator=rng) for name, weight in module.named_parameters()}
    name = next(iter(start["mask"]))
    kept = start["mask"][name]
    assert first[name][~kept].max() < first[name][kept].min()


def test_several_names_and_what_they_are_for(file: Path) -> None:
    shutil.copy(file, "other.py")
    shutil.copy(file, "named.py")
    Path("named.py").write_text(file.read_text().replace("def lamp", "def small"))
    for methods, text in {
        (
            "lamp.py:lamp",
            "other.py:lamp",
        ): "lamp.py:lamp and other.py:lamp are both called lamp. Rename one",
        ("named.py:small",): "A method cannot be called small, as that is the name of another network's folder",
        ("none.py:lamp",): "Expected a Python file at none.py",
    }.items():
        with pytest.raises(InputError, match=text):
            load_sweep("own.toml", methods=methods)
    one = ["sweep", "own.toml", "--out", "out", "--quiet", "--sparsity", "0.2"]
    assert run(*one, "--method", "lamp.py:lamp").exit_code == 0
    assert run(*one, "--method", "other.py:lamp").exit_code == 0  # the same code in another place
    assert Sweep.load("out").recipe["methods"] == ["other.py:lamp"]
    Path("other.py").write_text(file.read_text() + "\n# another version\n")
    result = run(*one, "--method", "other.py:lamp")
    assert result.exit_code == 2 and "holds a ticket of other code" in result.stderr


def test_a_recipe_says_its_methods_and_an_older_record_is_read(file: Path) -> None:
    Path("bare.toml").write_text(RECIPE.replace('methods = ["omp", "LAMP"]\n', ""))
    with pytest.raises(
        OptionError, match=r'bare.toml: expected methods, such as methods = \["omp"\], of omp, lth, .*none'
    ):
        load_sweep("bare.toml")
    common = ["sweep", "own.toml", "--out", "out", "--quiet", "--sparsity", "0.2"]
    assert run(*common, "--method", "omp").exit_code == 0
    content = json.loads(Path("out/sweep.json").read_text())
    content["recipe"]["methods"] = ["omp", "lth"]  # of what was called otherwise, or is not installed any more, too
    content["recipe"]["methods"].append("obd")
    Path("out/sweep.json").write_text(json.dumps(content))
    assert run(*common, "--method", "random").exit_code == 0
    assert Sweep.load("out").recipe["methods"] == ["random", "omp", "lth", "obd"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"methods": ["n_m"]}, "methods: Scope 2:4 removes 0.5 of the weights, not 0.2"),
        ({"methods": ["n_m"], "scope": "erk"}, "methods: Expected a scope N:M for n_m, such as 2:4, but got 'erk'"),
        ({"methods": ["channels"], "scope": "erk", "skip_first": True}, "scope, skip_first cannot go with channels"),
        ({"methods": ["rigl"], "options": {"rigl": {"every": "often"}}}, "methods: .* but got .*every='often'"),
        (
            {"methods": ["lamp.py:lamp"], "options": {"lamp.py:lamp": {"power": 2}}},
            "lamp has no option 'power'. It has",
        ),
    ],
)
def test_settings_that_a_method_cannot_have_are_refused_at_once(file: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        load_sweep("own.toml", **changes)


def test_a_sweep_of_every_method(file: Path) -> None:
    recipe = load_sweep("own.toml", methods=tuple(CATALOGUE), sparsities=(0.5,))
    runs = trainings(recipe)
    assert set(runs) == {"dense", "lth-0.2", "lth-0.36", "lth-0.488", *(f"{name}-0.5" for name in CATALOGUE)}
    assert {name for name, epochs in runs.items() if epochs == 2} == {
        "dense", *(f"{name}-0.5" for name, method in CATALOGUE.items() if method.start == "initial"),
    }  # fmt: skip
    chosen = ("--method", "n_m", "--method", "channels", "--sparsity", "0.5")
    Path("own.toml").write_text(Path("own.toml").read_text().replace("digits_cnn_small", "digits_cnn"))
    result = run("sweep", "own.toml", "--out", "out", "--quiet", *chosen)
    assert result.exit_code == 0, result.output
    groups, channels = Sweep.load("out").points
    assert (groups.model, channels.model) == ("n_m-0.5", "channels-0.5")
    assert "channels at 50 % has" in Path("out/sweep.md").read_text()
