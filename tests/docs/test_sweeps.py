"""The recipe shown in docs/how-to/run-a-sweep.md is one."""

import re
from pathlib import Path

from sparsescope.sweeps import load_sweep, sweep_names

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "run-a-sweep.md").read_text(encoding="utf-8")


def test_the_recipe_of_the_page(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(data = \"folder:photos\".*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "own.toml").write_text(shown)
    recipe = load_sweep(tmp_path / "own.toml")
    assert (recipe.name, recipe.methods, recipe.seeds) == (
        "own",
        ("omp", "lth", "random", "snip", "grasp", "synflow", "rigl"),
        (0, 1, 2),
    )
    assert recipe.training_recipe().milestones == (30, 45) and recipe.training_recipe().rewind_epoch == 2
    assert recipe.evaluation.settings().metrics[0].name == "accuracy"


def test_the_built_in_names() -> None:
    parts = {"resnet20s", "resnet18", "wrn28-10", "vgg11"}
    assert {name.partition("-")[2] for name in sweep_names() if name.startswith("cifar")} == parts
    assert all(f"`{part}`" in PAGE for part in parts | {"imagenet-resnet50", "digits-mini"})
