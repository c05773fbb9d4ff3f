"""Recipes: the published numbers, and every way to get one wrong."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from sparsescope.errors import OptionError
from sparsescope.training import Recipe, load_recipe, recipe_names


def test_recipes_of_the_package() -> None:
    assert recipe_names() == ["cifar", "cifar-rigl", "digits", "imagenet", "imagenet-rigl"]
    cifar, imagenet = load_recipe("cifar"), load_recipe("imagenet")
    assert (cifar.epochs, cifar.learning_rate, cifar.batch_size, cifar.milestones) == (182, 0.1, 128, (91, 136))
    assert (cifar.schedule, cifar.decay, cifar.momentum, cifar.weight_decay) == ("step", 0.1, 0.9, 1e-4)
    assert (cifar.shift, cifar.shift_fill, cifar.flip, cifar.rewind_epoch) == (4, "zeros", True, 3)
    assert (imagenet.epochs, imagenet.learning_rate, imagenet.batch_size) == (90, 0.4, 1024)
    assert (imagenet.milestones, imagenet.warmup_epochs, imagenet.resized_crop) == ((30, 60, 80), 5, True)
    assert (imagenet.schedule, imagenet.decay, imagenet.momentum, imagenet.weight_decay) == ("step", 0.1, 0.9, 1e-4)
    assert (cifar.warmup_epochs, imagenet.rewind_epoch) == (0, 15)
    assert all("Chen et al. 2022, Table 1" in recipe.source for recipe in (cifar, imagenet))
    assert all(load_recipe(name).source and load_recipe(name).description for name in recipe_names())


def test_the_recipes_of_rigl_are_those_of_liu() -> None:
    cifar, imagenet = load_recipe("cifar-rigl"), load_recipe("imagenet-rigl")
    assert (cifar.epochs, cifar.learning_rate, cifar.batch_size, cifar.milestones) == (250, 0.1, 128, (125, 187))
    assert (cifar.nesterov, cifar.momentum, cifar.weight_decay, cifar.warmup_epochs) == (True, 0.9, 5e-4, 0)
    assert (imagenet.epochs, imagenet.learning_rate, imagenet.batch_size) == (100, 0.1, 128)
    assert (imagenet.milestones, imagenet.warmup_epochs, imagenet.label_smoothing) == ((30, 60, 90), 5, 0.1)
    assert all("Liu et al. 2021" in recipe.source for recipe in (cifar, imagenet))


def test_what_older_runs_did_not_have_is_not_held_against_them() -> None:
    assert "label_smoothing" not in load_recipe("cifar").identity()
    assert load_recipe("cifar", label_smoothing=0.1).identity()["label_smoothing"] == 0.1
    assert {"epochs", "batch_size"} <= set(load_recipe("cifar").identity())


def test_a_file_and_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('epochs = 4\nschedule = "step"\nmilestones = [2]\n')
    assert load_recipe(path) == Recipe(epochs=4, schedule="step", milestones=(2,))
    assert load_recipe("cifar", epochs=2).epochs == 2
    assert load_recipe("cifar").changed(batch_size=7).batch_size == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 0", r"In the recipe .*mine\.toml: epochs: Input should be greater than 0 \(got 0\)"),
        ("epoch = 3\nepochs = 3", r"epoch: Extra inputs are not permitted \(got 3\)\. Known are epochs, learning_rate"),
        ("learning_rate = 0.1", r"epochs: Field required\.$"),
        ('epochs = 3\nschedule = "linear"', r"schedule: Input should be 'step' or 'cosine' \(got 'linear'\)"),
        ('epochs = 3\nschedule = "step"\nmilestones = [2, 1]', r"expected rising milestones from 1, but got \[2, 1\]"),
        ("epochs = 3\nmilestones = [2]", r'milestones belong to schedule = "step"'),
        ("epochs = 3\nnesterov = true\nmomentum = 0", r"nesterov needs a momentum above 0"),
        ("epochs = ", r"mine\.toml is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=message):
        load_recipe(path)


def test_unknown_recipes() -> None:
    with pytest.raises(
        OptionError,
        match=r"Expected a recipe of cifar, cifar-rigl, digits, .*, or a \.toml file, but got 'mnist'",
    ):
        load_recipe("mnist")
    with pytest.raises(OptionError, match=r"Cannot read the recipe none\.toml"):
        load_recipe("none.toml")
    with pytest.raises(OptionError, match=r"In the changed recipe: epochs: .* \(got -1\)"):
        load_recipe("cifar").changed(epochs=-1)


def test_a_recipe_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe(epochs=1).epochs = 2  # type: ignore[misc]


def test_another_length_moves_milestones_in_proportion() -> None:
    recipe = load_recipe("cifar")
    assert recipe.scaled(91).milestones == (46, 68) and recipe.scaled(91).epochs == 91
    assert recipe.scaled(182) == recipe
    assert recipe.scaled(2).milestones == (1,)  # both fall together, and none at the start
    assert load_recipe("imagenet").scaled(45).warmup_epochs == 5
