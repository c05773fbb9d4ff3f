"""Sweep recipes: all of the package are well-formed, and what is wrong in one is said in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sparsescope.architectures import resolve
from sparsescope.datasets import SOURCES
from sparsescope.errors import OptionError
from sparsescope.pruning import CATALOGUE
from sparsescope.sweeps import load_sweep, points, sweep_names

STUDY = ("omp", "lth", "random", "snip", "grasp", "synflow", "rigl")
PAPER = [f"{data}-{net}" for data in ("cifar10", "cifar100") for net in ("resnet20s", "resnet18", "wrn28-10", "vgg11")]


def test_every_configuration_of_the_paper_is_there() -> None:
    assert sweep_names() == sorted([*PAPER, "imagenet-resnet50", "digits-mini"])


@pytest.mark.parametrize("name", [*PAPER, "imagenet-resnet50", "digits-mini"])
def test_built_in_recipes_are_well_formed(name: str) -> None:
    recipe = load_sweep(name)
    assert recipe.name == name and recipe.methods == STUDY and recipe.description and recipe.source
    for spec in (recipe.data, *recipe.evaluation.ood):
        scheme, _, argument = spec.partition(":")
        assert bool(argument) == (":" in SOURCES[scheme].form)
    classes = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}.get(recipe.data.partition(":")[0], 10)
    assert recipe.small is not None
    with torch.device("meta"):  # no weights are drawn
        dense, small = (resolve(spec).build(num_classes=classes) for spec in (recipe.architecture, recipe.small))
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (dense, small)]
    assert 0.19 < sizes[1] / sizes[0] < 0.22
    schedule = recipe.training_recipe()
    if name != "digits-mini":
        assert len(recipe.seeds) == 3 and recipe.grid[:3] == (0.2, 0.36, 0.488)
        rounds = 12 if name.startswith("imagenet") else 24
        assert recipe.grid[-1] == pytest.approx(1 - 0.8**rounds) and f"{rounds} sparsities" in recipe.description
        assert schedule.rewind_epoch == (15 if name.startswith("imagenet") else 3)
        rigl = recipe.training_recipe("rigl")
        assert (rigl.epochs, rigl.batch_size) == ((100, 128) if name.startswith("imagenet") else (250, 128))
        shared = recipe.trained()["lth"]
        assert recipe.trained()["rigl"].recipe == CATALOGUE["rigl"].recipe_for(shared.recipe) != shared.recipe
        assert recipe.options == {"rigl": {"every": 4000, "alpha": 0.5, "until": 1.0}}
    else:
        assert recipe.own_recipes == {}
    assert len(points(recipe)) == (len(recipe.grid) * 7 + 1) * len(recipe.seeds)


def test_another_length_moves_the_milestones(make_recipe: Callable[..., Any]) -> None:
    schedule = make_recipe(training={"recipe": "cifar", "epochs": 20, "learning_rate": 0.2}).training_recipe()
    assert (schedule.epochs, schedule.milestones, schedule.rewind_epoch) == (20, (10, 15), 3)
    assert schedule.learning_rate == 0.2
    own = make_recipe(training={"recipe": "cifar", "epochs": 20, "milestones": [12]}).training_recipe()
    assert own.milestones == (12,)


def test_a_method_with_a_recipe_of_its_own(make_recipe: Callable[..., Any]) -> None:
    training = {"recipe": "cifar", "epochs": 20, "methods": {"rigl": {"recipe": "cifar-rigl", "epochs": 50}}}
    recipe = make_recipe(methods=["lth", "rigl"], training=training)
    rigl, lth = recipe.training_recipe("rigl"), recipe.training_recipe("lth")
    assert (rigl.epochs, rigl.milestones, rigl.weight_decay) == (50, (25, 37), 5e-4)
    assert lth == recipe.training_recipe() and (lth.epochs, lth.weight_decay) == (20, 1e-4)
    assert {name: (how.recipe, how.epochs, how.first) for name, how in recipe.trained().items()} == {
        "dense": ("cifar", 20, 0), "lth": ("cifar", 20, 3), "rigl": ("cifar-rigl", 50, 0),
    }  # fmt: skip
    changed = make_recipe(methods=["snip"], training={**training, "methods": {"snip": {"weight_decay": 0.0}}})
    assert changed.training_recipe("snip") == changed.training_recipe().changed(weight_decay=0.0)
    assert changed.trained()["snip"].recipe == "cifar (weight_decay = 0.0)"


def test_changes_replace_values_and_merge_the_evaluation() -> None:
    recipe = load_sweep("digits-mini", seeds=(4,), evaluation={"ood": ("noise:uniform",)})
    assert recipe.seeds == (4,) and recipe.evaluation.ood == ("noise:uniform",)
    assert recipe.evaluation.settings().preset == "quick"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metods": ["omp"]}, r"In the recipe bad\.toml: metods: Extra inputs are not permitted.*Known are name, data"),
        ({"methods": ["omp", "magnitude"]}, "methods: There is no pruning method 'magnitude'.* Methods: omp, lth"),
        ({"methods": ["omp", "omp"]}, r"expected methods without repetitions, but got \['omp', 'omp'\]"),
        ({"rounds": [0, 1]}, "expected either sparsities or rounds"),
        ({"sparsities": [0.5]}, "expected either sparsities or rounds"),
        ({"rounds": [], "sparsities": [1.0]}, "sparsities: .*above 0 and below 1"),
        (
            {"rounds": [], "sparsities": [0.5, 0.5000001]},
            r"expected the grid without repetitions, but got \['0.5', '0.5'\]",
        ),
        ({"seeds": [-1]}, "seeds: .*whole numbers that are not negative"),
        ({"training": {"epochs": 3}}, "expected training.recipe, such as"),
        (
            {"training": {"recipe": "cifar", "methods": {"rigl": "cifar-rigl"}}},
            "expected training.methods to hold a table for each method, but got {'rigl': 'cifar-rigl'}",
        ),
        (
            {"training": {"recipe": "cifar", "methods": {"rigl": {"recipe": "rigl"}}}},
            r"training\.methods\.rigl: Expected a recipe of cifar, cifar-rigl, .*but got 'rigl'",
        ),
        (
            {"training": {"recipe": "cifar", "methods": {"rigl": {"epoch": 3}}}},
            r"training\.methods\.rigl: In the changed recipe: epoch: .*Known are epochs",
        ),
        (
            {"training": {"recipe": "cifar", "methods": {"rigi": {"recipe": "cifar-rigl"}}}},
            "There is no pruning method 'rigi'. Did you mean rigl",
        ),
        (
            {"training": {"recipe": "cifar", "methods": {"omp": {"epochs": 9}}}},
            "omp cannot have a training recipe of its own: it prunes the trained dense network .* can: random, snip",
        ),
        ({"training": {"recipe": "cifra"}}, "Expected a recipe of cifar, cifar-rigl, digits, imagenet"),
        ({"training": {"recipe": "cifar", "epochs": 3}}, "rewind_epoch below training.epochs, but got 3 and 3"),
        ({"training": {"recipe": "digits", "epochs": -2}}, "In the changed recipe: epochs: .*greater than 0"),
        ({"options": {"snip": {"images": 3}}}, "Method snip has no option 'images'. Its own options: batch_norm"),
        ({"options": {"obd": {}}}, "There is no pruning method 'obd'"),
        ({"evaluation": {"preset": "fast"}}, "Expected a preset of lthpass, paper, quick, standard, but got 'fast'"),
        ({"evaluation": {"metrics": {"ece": {"bin": 3}}}}, "bin"),
    ],
)
def test_bad_recipes(make_recipe: Callable[..., Any], changes: dict[str, Any], message: str) -> None:
    values = make_recipe().model_dump(exclude_none=True)
    Path("bad.toml").write_text("")
    with pytest.raises(OptionError, match=message):
        load_sweep("bad.toml", **{**values, **changes})


def test_a_recipe_starts_from_another(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'base = "digits-mini"\nsparsities = [0.5]\n[training]\nepochs = 2\n[evaluation]\nseed = 4\n'
    )
    (tmp_path / "next.toml").write_text('base = "mine.toml"\nseeds = [7]\n[options.rigl]\nalpha = 0.2\n')
    mini, recipe = load_sweep("digits-mini"), load_sweep(tmp_path / "next.toml")
    assert (recipe.name, recipe.architecture, recipe.seeds, recipe.grid) == ("next", "digits_cnn", (7,), (0.5,))
    assert recipe.training == mini.training | {"epochs": 2}
    assert recipe.options == {"rigl": {"every": 10, "alpha": 0.2}}
    assert (recipe.evaluation.seed, recipe.evaluation.config) == (4, {"preset": "quick"})
    assert load_sweep(tmp_path / "next.toml", sparsities=(0.3,)).grid == (0.3,)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ('base = "second.toml"', r"first\.toml starts from itself: .*first\.toml → .*second\.toml → .*first\.toml\."),
        ('base = "third.toml"', r"Cannot read the recipe .*third\.toml"),
        ('base = "digit-mini"', "Expected a recipe of cifar10-resnet18, .*but got 'digit-mini'"),
        ("base = 3", "expected base to be a recipe's name or path, but got 3"),
    ],
)
def test_a_base_that_cannot_be(tmp_path: Path, first: str, message: str) -> None:
    (tmp_path / "first.toml").write_text(first)
    (tmp_path / "second.toml").write_text('base = "first.toml"')
    with pytest.raises(OptionError, match=message):
        load_sweep(tmp_path / "first.toml")


def test_an_unknown_recipe() -> None:
    with pytest.raises(OptionError, match=r"Expected a recipe of cifar10-resnet18, .*digits-mini.*but got 'digits'"):
        load_sweep("digits")
