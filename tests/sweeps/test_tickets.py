"""Tickets: exact sparsity, the right weights to begin with, nothing trained twice, and the same bits after a kill."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sparsescope.benchmark import ArrayImages, stratified_sample
from sparsescope.checkpoints import load_classifier
from sparsescope.errors import DataError, InputError, OptionError
from sparsescope.mask import Mask, prunable_weights
from sparsescope.pruning import CATALOGUE
from sparsescope.sweeps import Workshop, make_ticket, untrained_ticket
from sparsescope.sweeps.tickets import snapped
from sparsescope.training import Recipe

Make = Callable[..., Workshop]
RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.05, rewind_epoch=1)  # that of the fixtures


class Killed(BaseException):
    pass


def weights(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def mask(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)["mask"]


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert list(one) == list(other)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def masked(state: dict[str, Tensor], kept: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor * kept[name] if name in kept else tensor for name, tensor in state.items()}


@pytest.mark.filterwarnings("ignore::sparsescope.errors.SparsescopeWarning")
@pytest.mark.parametrize("method", [name for name in CATALOGUE if name not in ("n_m", "channels")])
def test_every_method_removes_exactly_what_was_asked(make_workshop: Make, method: str) -> None:
    made = load_classifier(make_ticket(make_workshop(), method, 0.47))
    size = sum(weight.numel() for weight in prunable_weights(made.module).values())
    assert sum(int((~kept).sum()) for kept in made.mask.values()) == round(0.47 * size)
    for name, kept in made.mask.items():
        assert not dict(made.module.named_parameters())[name][~kept].any()


@pytest.mark.parametrize("method", ["random", "snip", "grasp", "synflow", "rigl"])
def test_pruning_at_initialisation_begins_with_the_dense_networks_initial_weights(
    make_workshop: Make, method: str
) -> None:
    workshop = make_workshop()
    workshop.dense()
    make_ticket(workshop, method, 0.4)
    start = Path(f"runs/{method}-0.4/epoch-0.pt")
    assert_same(weights(start), masked(weights(Path("runs/dense/epoch-0.pt")), mask(start)))
    fresh = make_workshop("alone")
    make_ticket(fresh, method, 0.4)
    assert not Path("alone/dense").exists()  # it needs no trained network
    assert_same(weights(start), weights(Path(f"alone/{method}-0.4/epoch-0.pt")))


@pytest.mark.parametrize(("rewind", "source"), [("weights", "epoch-1.pt"), ("learning_rate", "checkpoint.pt")])
def test_omp_removes_the_smallest_trained_weights_and_rewinds(make_workshop: Make, rewind: Any, source: str) -> None:
    make_ticket(make_workshop(rewind=rewind), "omp", 0.3)
    start = Path("runs/omp-0.3/epoch-1.pt")
    kept, trained = mask(start), weights(Path("runs/dense/checkpoint.pt"))
    sizes = torch.cat([trained[name].abs().flatten() for name in kept])
    flat = torch.cat([tensor.flatten() for tensor in kept.values()])
    assert int((~flat).sum()) == round(0.3 * len(flat)) and sizes[~flat].max() < sizes[flat].min()
    assert_same(weights(start), masked(weights(Path("runs/dense") / source), kept))


def test_lth_goes_on_with_shorter_chains_and_the_one_dense_network(make_workshop: Make, trained: list[str]) -> None:
    workshop = make_workshop(told=trained)
    make_ticket(workshop, "omp", 0.2)
    first = make_ticket(workshop, "lth", 0.36)
    assert trained == ["dense", "omp-0.2", "lth-0.2", "lth-0.36"]
    make_ticket(workshop, "lth", 0.488)
    last = make_ticket(workshop, "lth", 0.5)
    assert trained[4:] == ["lth-0.488", "lth-0.5"]
    assert all(not (mask(last)[name] & ~kept).any() for name, kept in mask(first).items())
    one = Path("runs/lth-0.2/checkpoint.pt")  # its first round is OMP at 20 %
    assert_same(weights(one), weights(Path("runs/omp-0.2/checkpoint.pt")))
    rewound = weights(Path("runs/dense/epoch-1.pt"))
    assert_same(weights(Path("runs/lth-0.5/epoch-1.pt")), masked(rewound, mask(last)))


def test_lth_with_learning_rate_rewinding_keeps_the_weights(make_workshop: Make) -> None:
    make_ticket(make_workshop(rewind="learning_rate"), "lth", 0.36)
    before = weights(Path("runs/lth-0.2/checkpoint.pt"))
    start = Path("runs/lth-0.36/epoch-1.pt")
    assert_same(weights(start), masked(before, mask(start)))


def test_snip_sees_normalised_pixels_of_a_stratified_sample(make_workshop: Make) -> None:
    workshop = make_workshop(mean=(0.3,), std=(0.2,), score_images=15)
    found = untrained_ticket(workshop, "snip", 0.5)
    module = workshop.initial().module.train()
    labels = torch.from_numpy(workshop.images.labels)
    rows = stratified_sample(workshop.images.labels, 15, 0, "pruning/scores")
    assert torch.equal(labels[rows].sort().values, torch.arange(3).repeat_interleave(5))
    loss = functional.cross_entropy(module((workshop.images.read(rows) - 0.3) / 0.2), labels[rows])
    names = list(prunable_weights(module))
    parameters = [dict(module.named_parameters())[name] for name in names]
    gradients = torch.autograd.grad(loss, parameters)
    scores = [(g * w).abs().flatten() for g, w in zip(gradients, parameters, strict=True)]
    chosen = torch.cat([found.mask[name].flatten() for name in names])
    every = torch.cat(scores)
    assert every[~chosen].max() <= every[chosen].min() * (1 + 1e-4)  # sums in another order


@pytest.mark.parametrize(
    ("side", "score_images", "sizes"),
    [(12, 20, [16, 4]), (12, 17, [17]), (12, 33, [16, 17]), (1585, 8, [2, 2, 2, 2]), (600, 20, [4, 4, 4, 4, 4])],
)
def test_scores_look_at_batches_that_fit_into_memory(
    make_workshop: Make, monkeypatch: pytest.MonkeyPatch, side: int, score_images: int, sizes: list[int]
) -> None:
    seen: list[int] = []

    def watching(method: str, model: Any, batches: Any, *options: Any, **more: Any) -> Mask:
        seen.extend(len(images) for images, _ in batches)
        return Mask({})

    monkeypatch.setattr("sparsescope.sweeps.tickets.prune", watching)
    images = ArrayImages(np.zeros((40, side, side, 1), np.uint8), np.arange(40) % 2, "large")
    workshop = dataclasses.replace(make_workshop(score_images=score_images), images=images)
    vars(workshop)["_initial"] = make_workshop().initial()  # a network for these images is not needed
    untrained_ticket(workshop, "grasp", 0.5)
    assert seen == sizes


def test_scores_of_several_steps_are_told(make_workshop: Make) -> None:
    told: list[tuple[str, float, str]] = []
    workshop = make_workshop(told=lambda *line: told.append(line))
    untrained_ticket(workshop, "snip", 0.36)
    assert told == []
    untrained_ticket(workshop, "synflow", 0.36)
    assert told == [("synflow-0.36", 0.0, f"scores {step} of 100") for step in range(1, 101)]


def test_rigl_moves_its_mask(make_workshop: Make) -> None:
    made = make_ticket(make_workshop(), "rigl", 0.4)
    start, end = mask(made.with_name("epoch-0.pt")), mask(made)
    assert any((start[name] ^ kept).any() for name, kept in end.items())
    assert {name: int(kept.sum()) for name, kept in start.items()} == {n: int(k.sum()) for n, k in end.items()}


@pytest.mark.parametrize(("method", "run"), [("rigl", "rigl-0.36"), ("grasp", "grasp-0.36"), ("lth", "lth-0.2")])
def test_an_interrupted_ticket_gets_the_same_bits(
    make_workshop: Make, trained: list[str], method: str, run: str
) -> None:
    whole = make_ticket(make_workshop("whole"), method, 0.36)

    def kill(name: str, fraction: float, line: str) -> None:
        if name == run and line.startswith("epoch 3/3"):
            raise Killed

    with pytest.raises(Killed):
        make_ticket(make_workshop(told=kill), method, 0.36)
    made = make_ticket(make_workshop(told=trained), method, 0.36)
    assert trained[0] == run  # not the dense network, nor what came before
    assert_same(weights(made), weights(whole))
    assert_same(mask(made), mask(whole))


def test_a_parent_with_and_without_kept_weights(make_workshop: Make, trained: list[str]) -> None:
    make_workshop("given").dense()
    parent = Path("given/dense/checkpoint.pt")
    made = make_ticket(make_workshop(parent=parent, told=trained), "lth", 0.2)
    assert_same(weights(made), weights(make_ticket(make_workshop("given"), "lth", 0.2)))
    assert trained == ["lth-0.2"]
    torch.save(weights(parent), "foreign.pt")
    foreign = make_workshop("third", parent=Path("foreign.pt"))
    omp = make_ticket(foreign, "omp", 0.2)  # trained on from the weights that are there
    start = omp.with_name("epoch-1.pt")
    assert_same(weights(start), masked(weights(parent), mask(start)))
    with pytest.raises(InputError, match=r"Expected epoch-1\.pt beside foreign\.pt.*rewind 'learning_rate'"):
        make_ticket(foreign, "lth", 0.2)


def test_structured_tickets(make_workshop: Make) -> None:
    workshop = make_workshop(architecture="digits_cnn")
    groups = load_classifier(make_ticket(workshop, "n_m", None)).mask
    assert all(int(kept.sum()) * 2 == kept.numel() for name, kept in groups.items() if kept.shape[1] % 4 == 0)
    made = load_classifier(make_ticket(workshop, "channels", 0.5))
    assert any(not kept.flatten(1).any(1).all() for kept in made.mask.values())


@pytest.mark.parametrize(
    ("method", "sparsity", "message"),
    [
        ("magnitude", 0.5, "no pruning method 'magnitude'.*Methods: omp, lth, random"),
        ("omp", 0.0, "above 0 and below 1, but got 0"),
        ("lth", None, "Expected a sparsity for lth"),
        ("grasp", 0.5, "Method grasp has no option 'heat'. Its own options: temperature, batch_norm"),
        ("rigl", 0.5, "Method rigl has no option 'scope'. Its own options: every, alpha, until, seed"),
    ],
)
def test_bad_requests_train_nothing(
    make_workshop: Make, trained: list[str], method: str, sparsity: float | None, message: str
) -> None:
    workshop = make_workshop(told=trained, options={"grasp": {"heat": 2}, "rigl": {"scope": "erk"}})
    with pytest.raises(OptionError, match=message):
        make_ticket(workshop, method, sparsity)
    assert not trained


def test_what_cannot_be_left_untrained(make_workshop: Make) -> None:
    with pytest.raises(OptionError, match="rigl cannot be left untrained"):
        untrained_ticket(make_workshop(), "rigl", 0.5)


@pytest.mark.filterwarnings("ignore:.* normalizes 3 channels")
def test_a_network_for_other_images(make_workshop: Make) -> None:
    workshop = make_workshop(architecture="torchvision:resnet18")
    with pytest.raises(DataError, match=r"torchvision:resnet18 cannot take images of shape \(1, 12, 12\)"):
        workshop.initial()


def test_rounded_sparsities_are_those_of_the_rounds() -> None:
    assert snapped(0.790285) == 1 - 0.8**7 and snapped(0.488) == pytest.approx(1 - 0.8**3, abs=1e-15)
    assert snapped(0.79) == 0.79


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"architecture": "digits_cnn"}, "architecture is 'digits_cnn_small' there and 'digits_cnn' here"),
        ({"recipe": RECIPE.changed(learning_rate=0.01)}, "learning_rate is 0.05 there and 0.01 here"),
        ({"mean": (0.5,), "std": (0.5,)}, r"mean is None there and \[0.5\] here; std is None"),
    ],
)
def test_a_ticket_that_was_killed_in_its_first_epoch_is_not_taken_for_another(
    make_workshop: Make, changes: dict[str, Any], text: str
) -> None:
    """Only the weights it began with are there: no checkpoint that would say whose they are."""
    make_ticket(make_workshop(), "snip", 0.4).unlink()
    with pytest.raises(OptionError, match=f"snip-0.4 holds another ticket: {text}"):
        make_ticket(make_workshop(**changes), "snip", 0.4)


@pytest.mark.parametrize("content", ["{", "[1]", "3"])
def test_a_damaged_note_of_how_a_ticket_was_made(make_workshop: Make, content: str) -> None:
    make_ticket(make_workshop(), "random", 0.4)
    Path("runs/random-0.4/ticket.json").write_text(content, encoding="utf-8")
    with pytest.raises(OptionError, match=r"ticket\.json is damaged .* Remove runs/random-0\.4"):
        make_ticket(make_workshop(), "random", 0.4)


@pytest.mark.parametrize(("method", "sparsity"), [("snip", 0.4), ("rigl", 0.4), ("lth", 0.2)])
def test_a_ticket_pruned_otherwise_needs_another_folder(make_workshop: Make, method: str, sparsity: float) -> None:
    make_ticket(make_workshop(), method, sparsity)
    other = make_workshop(scope="layerwise", options={"rigl": {"every": 3}})
    with pytest.raises(OptionError, match=rf"{method}-{sparsity} holds another ticket: scope is None there and 'layer"):
        make_ticket(other, method, sparsity)
    if method == "rigl":
        with pytest.raises(OptionError, match=r"options is \{'every': 2\} there and \{'every': 3\} here"):
            make_ticket(make_workshop(options={"rigl": {"every": 3}}), method, sparsity)


def test_a_recipe_of_a_methods_own_counts_its_steps_and_its_scoring_batches(
    make_workshop: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Recipe(epochs=2, batch_size=8, learning_rate=0.05)
    workshop = make_workshop(recipes={"rigl": own, "grasp": own, "omp": own})
    made = torch.load(make_ticket(workshop, "rigl", 0.4), weights_only=True)
    assert made["training"]["state"]["hook"]["steps"] == 2 * 5 and len(made["history"]) == 2
    seen: list[int] = []

    def watching(method: str, model: Any, batches: Any, *options: Any, **more: Any) -> Mask:
        seen.extend(len(images) for images, _ in batches)
        return Mask({})

    monkeypatch.setattr("sparsescope.sweeps.tickets.prune", watching)
    untrained_ticket(dataclasses.replace(workshop, score_images=15), "grasp", 0.5)
    assert seen == [8, 7]
    with pytest.raises(OptionError, match="omp cannot have a training recipe of its own"):
        make_ticket(workshop, "omp", 0.5)
