"""prune and score: equal to literal rewrites of the papers, exact, and without a trace on the model."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import reference_pruning as reference
import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

import sparsescope as ss
from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.errors import InputError, OptionError, SparsescopeWarning
from sparsescope.mask import account
from sparsescope.pruning import CATALOGUE, Subject, score

Make = Callable[..., list[tuple[Tensor, Tensor]]]
SCORES = [name for name, method in CATALOGUE.items() if method.trains == "afterwards" and not method.structured]


def same(mask: ss.Mask, expected: dict[str, Tensor]) -> bool:
    return set(mask) == set(expected) and all(torch.equal(mask[name], kept) for name, kept in expected.items())


def top(scores: dict[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    size = sum(score.numel() for score in scores.values())
    return reference.keep_top(scores, size - round(sparsity * size))


@pytest.mark.parametrize("sparsity", [0.3, 0.8])
def test_masks_equal_the_papers_on_a_small_network(tiny: nn.Module, make_batches: Make, sparsity: float) -> None:
    batches = make_batches()
    images, labels = batches[0]
    grasp = reference.grasp(tiny, images, labels)
    assert same(ss.prune("snip", tiny, batches, sparsity), top(reference.snip(tiny, images, labels), sparsity))
    assert same(
        ss.prune("grasp", tiny, batches, sparsity), top({name: -value for name, value in grasp.items()}, sparsity)
    )
    assert same(ss.prune("synflow", tiny, batches, sparsity), reference.synflow(tiny, (3, 6, 6), sparsity))


@pytest.mark.parametrize("method", ["omp", "snip"])
def test_global_masks_equal_those_of_torch(tiny: nn.Module, make_batches: Make, method: str) -> None:
    mask = ss.prune(method, tiny, make_batches(), 0.7)
    layers = [(tiny[0], "weight"), (tiny[3], "weight")]
    scores = {(tiny[int(name[0])], "weight"): value for name, value in score(method, tiny, make_batches()).items()}
    torch_prune.global_unstructured(
        layers, torch_prune.L1Unstructured, importance_scores=scores, amount=round(0.7 * 288)
    )
    assert torch.equal(tiny[0].weight_mask.bool(), mask["0.weight"])
    assert torch.equal(tiny[3].weight_mask.bool(), mask["3.weight"])


def test_scores_equal_the_papers(tiny: nn.Module, make_batches: Make) -> None:
    batches = make_batches()
    for name, value in reference.snip(tiny, *batches[0]).items():
        torch.testing.assert_close(score("snip", tiny, batches)[name], value, rtol=1e-9, atol=1e-18)
    for name, value in reference.grasp(tiny, *batches[0]).items():
        torch.testing.assert_close(score("grasp", tiny, batches)[name], -value, rtol=1e-6, atol=1e-18)


def test_grasp_with_and_without_the_head_among_what_it_differentiates(tiny: nn.Module, make_batches: Make) -> None:
    batches = make_batches()
    for head in (True, False):
        found = score("grasp", tiny, batches, score_head=head)
        for name, value in reference.grasp(tiny, *batches[0], head=head).items():
            torch.testing.assert_close(found[name], -value, rtol=1e-6, atol=1e-18)
    with_head, without = (ss.prune("grasp", tiny, batches, 0.5, score_head=head) for head in (True, False))
    assert not same(with_head, without)
    both = [score("grasp", tiny, batches, prune_head=True, score_head=head) for head in (True, False)]
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])


def test_masks_equal_the_papers_on_resnet20(make_batches: Make) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = resnet20s().double()
    batches = make_batches(n=4, shape=(3, 16, 16))
    assert same(ss.prune("snip", network, batches, 0.9), top(reference.snip(network, *batches[0]), 0.9))
    assert same(
        ss.prune("synflow", network, batches, 0.9, steps=3), reference.synflow(network, (3, 16, 16), 0.9, steps=3)
    )


def test_several_batches_are_the_mean_over_their_images(tiny: nn.Module, make_batches: Make) -> None:
    """With running statistics no image sees another one: two batches are one of both, and 6 + 2 images too."""
    (images, labels), (more, others) = make_batches(count=2)
    together = [(torch.cat([images, more]), torch.cat([labels, others]))]
    unequal = [(images, labels), (more[:3], others[:3]), (more[3:], others[3:])]
    for method in ("snip", "grasp"):
        expected = score(method, tiny, together, batch_norm="running")
        found = score(method, tiny, unequal, batch_norm="running")
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-18)


def test_grasp_keeps_and_removes_by_the_sign_by_hand() -> None:
    """Two weights a, b, one per class: logits (a x, b x), one image x = 1 of class 0, temperature 1.

    With p = exp(a) / (exp(a) + exp(b)): g = (p - 1, 1 - p), H = p (1 - p) [[1, -1], [-1, 1]], so
    H g = -2 p (1 - p)^2 (1, -1) and -w * Hg = 2 p (1 - p)^2 (a, -b). For a = 1, b = 0.5 these are > 0 and < 0: to
    remove a raises the gradient flow, so a goes, though by |w * Hg| or the opposite sign the other one would.
    """
    network = nn.Linear(1, 2, bias=False).double()
    network.weight.data = torch.tensor([[1.0], [0.5]], dtype=torch.float64)
    batches = [(torch.ones(1, 1, dtype=torch.float64), torch.tensor([0]))]
    found = score("grasp", network, batches, temperature=1.0)["weight"].flatten()
    p = float(torch.softmax(torch.tensor([1.0, 0.5], dtype=torch.float64), 0)[0])
    expected = [-2 * p * (1 - p) ** 2 * 1.0, 2 * p * (1 - p) ** 2 * 0.5]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)
    assert ss.prune("grasp", network, batches, 0.5, temperature=1.0)["weight"].flatten().tolist() == [False, True]


def test_synflow_by_hand() -> None:
    """R = sum |w2| |w1| 1 over paths: with w1 = (-1, 2) and w2 = (3, -4) every weight's score is that of its path."""
    network = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    network[0].weight.data = torch.tensor([[-1.0], [2.0]])
    network[2].weight.data = torch.tensor([[3.0, 0.0], [0.0, -4.0]])
    network.register_buffer("flags", torch.tensor([True]))  # has no absolute value
    scores = score("synflow", network, input_shape=(1,), prune_head=True)
    assert scores["0.weight"].flatten().tolist() == [3.0, 8.0]
    assert scores["2.weight"].flatten().tolist() == [3.0, 0.0, 0.0, 8.0]


def vgg_like() -> nn.Module:
    """Ten convolutions, the middle ones far wider, so that magnitude has something to collapse."""
    widths = [8, 8, 16, 64, 64, 64, 64, 16, 8, 8]
    layers: list[nn.Module] = []
    inputs = 3
    for width in widths:
        layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        inputs = width
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    return network


def test_synflow_collapses_no_layer_where_magnitude_does() -> None:
    network = vgg_like()
    with pytest.warns(
        SparsescopeWarning, match=r"Layer collapse: the mask of omp removes every weight of 12.weight, 15"
    ):
        magnitude = ss.prune("omp", network, sparsity=0.999)
    assert sum(not bool(kept.any()) for kept in magnitude.values()) >= 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow = ss.prune("synflow", network, sparsity=0.999, input_shape=(3, 8, 8))
    assert all(bool(kept.any()) for kept in flow.values())
    assert account(network, flow).prunable == pytest.approx(0.999, abs=1e-5)


def test_synflow_survives_what_overflows_float32() -> None:
    network = vgg_like()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data *= 1e4
    absolute = copy.deepcopy(network).eval()
    for tensor in absolute.state_dict().values():
        tensor.abs_()
    assert not bool(torch.isfinite(absolute(torch.ones(1, 3, 8, 8)).sum()))
    mask = ss.prune("synflow", network, sparsity=0.9, input_shape=(3, 8, 8), steps=2)
    assert same(mask, reference.synflow(network, (3, 8, 8), 0.9, steps=2))


@pytest.mark.parametrize("method", SCORES)
def test_the_model_is_left_exactly_as_it_was(tiny: nn.Module, make_batches: Make, method: str) -> None:
    tiny.train()
    tiny[3].eval()
    tiny[0].weight.requires_grad_(False)
    tiny[3].weight.grad = torch.full_like(tiny[3].weight, 2.0)
    handle = tiny[3].register_forward_hook(lambda *_: None)
    before, gradient = copy.deepcopy(tiny.state_dict()), tiny[3].weight.grad
    random_state = torch.random.get_rng_state()
    ss.prune(method, tiny, make_batches(), None if method == "n_m" else 0.5)
    assert all(torch.equal(before[name], tensor) for name, tensor in tiny.state_dict().items())
    assert [child.training for child in tiny] == [True, True, True, False, True, True, True, True, True]
    assert tiny[3].weight.grad is gradient and bool((gradient == 2).all()) and tiny[0].weight.grad is None
    assert not tiny[0].weight.requires_grad and tiny[3].weight.requires_grad
    assert list(tiny[3]._forward_hooks) == [handle.id]
    assert torch.equal(random_state, torch.random.get_rng_state())


@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
def test_gradients_may_be_switched_off_outside(tiny: nn.Module, make_batches: Make, method: str) -> None:
    expected = ss.prune(method, tiny, make_batches(), 0.5)
    with torch.no_grad():
        assert same(ss.prune(method, tiny, make_batches(), 0.5), dict(expected))


def test_dropout_draws_nothing(make_batches: Make) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(108, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 4)).double()
    first, second = (score("snip", network, make_batches())["1.weight"] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_batch_and_running_statistics_differ(tiny: nn.Module, make_batches: Make, method: str) -> None:
    batch, running = (score(method, tiny, make_batches(), batch_norm=which) for which in ("batch", "running"))
    assert not torch.allclose(batch["0.weight"], running["0.weight"])


def test_random_depends_on_the_seed_and_the_name_alone_and_nests(tiny: nn.Module) -> None:
    some, more = ss.prune("random", tiny, sparsity=0.5, seed=3), ss.prune("random", tiny, sparsity=0.8, seed=3)
    assert not any(bool((kept & ~some[name]).any()) for name, kept in more.items())
    assert not same(ss.prune("random", tiny, sparsity=0.5, seed=4), dict(some))
    for parameter in tiny.parameters():
        parameter.data.zero_()
    assert same(ss.prune("random", tiny, sparsity=0.5, seed=3), dict(some))


def test_head_and_first_layer(tiny: nn.Module) -> None:
    assert set(ss.prune("omp", tiny, sparsity=0.5)) == {"0.weight", "3.weight"}
    assert set(ss.prune("omp", tiny, sparsity=0.5, prune_head=True)) == {"0.weight", "3.weight", "8.weight"}
    assert set(ss.prune("omp", tiny, sparsity=0.5, skip_first=True)) == {"3.weight"}
    with pytest.raises(InputError, match="beside its first layer and its head"):
        ss.prune("omp", nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), sparsity=0.5, skip_first=True)


@pytest.mark.parametrize("scope", ["layerwise", "erk"])
def test_scopes_keep_their_quota_in_each_layer(tiny: nn.Module, scope: str) -> None:
    mask = ss.prune("omp", tiny, sparsity=0.5, scope=scope)
    kept = {name: int(tensor.sum()) for name, tensor in mask.items()}
    # 108 and 180 weights, 144 kept; erk: sums of axes 13 and 15 share 144 as 66.86 and 77.14
    assert kept == ({"0.weight": 54, "3.weight": 90} if scope == "layerwise" else {"0.weight": 67, "3.weight": 77})


def test_defaults(tiny: nn.Module) -> None:
    assert ss.prune("omp", tiny).sparsity == pytest.approx(0.8, abs=1 / 288)
    halves = ss.prune("n_m", tiny)
    assert bool(halves["0.weight"].all()) and halves["3.weight"].float().mean() == 0.5


def test_scores_within_a_mask_see_its_zeros(tiny: nn.Module, make_batches: Make) -> None:
    within = ss.prune("omp", tiny, sparsity=0.5)
    masked = copy.deepcopy(tiny)
    within.apply(masked)
    expected = ss.prune("snip", masked, make_batches(), 0.8)  # a weight of 0 has the SNIP score 0
    assert same(ss.prune("snip", tiny, make_batches(), 0.8, within=within), dict(expected))


def test_several_steps_go_on_from_the_mask_to_stay_within(tiny: nn.Module) -> None:
    half = ss.prune("omp", tiny, sparsity=0.5)
    mask = ss.prune("synflow", tiny, sparsity=0.75, within=half, input_shape=(3, 6, 6))
    assert sum(int(kept.sum()) for kept in mask.values()) == 72
    assert not any(bool((kept & ~half[name]).any()) for name, kept in mask.items())


def test_classifiers_take_pixels_and_count_their_passes(small_classifier: ss.Classifier, make_batches: Make) -> None:
    images, labels = make_batches(shape=(3, 8, 8), dtype=torch.float32)[0]
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (small_classifier.mean, small_classifier.std))
    normalised = [((images - mean) / std, labels)]
    for method in ("snip", "grasp", "synflow"):
        expected = ss.prune(method, small_classifier.module, normalised, 0.5)
        assert same(ss.prune(method, small_classifier, [(images, labels)], 0.5), dict(expected))
    assert small_classifier.passes.backward == 8 + 3 * 8 + 100
    assert small_classifier.passes.forward == 8 + 2 * 8 + 100


def test_every_step_is_told(tiny: nn.Module) -> None:
    told: list[tuple[int, int]] = []
    ss.prune("omp", tiny, sparsity=0.7, steps=3, on_step=lambda step, steps: told.append((step, steps)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_an_iterator_of_batches_is_enough_for_several_steps(tiny: nn.Module, make_batches: Make) -> None:
    expected = ss.prune("snip", tiny, make_batches(2), 0.7, steps=3)
    assert same(ss.prune("snip", tiny, iter(make_batches(2)), 0.7, steps=3), dict(expected))
    assert same(
        ss.prune("synflow", tiny, iter(make_batches(1)), 0.7), dict(ss.prune("synflow", tiny, make_batches(), 0.7))
    )


def test_a_scoring_function_of_ones_own(tiny: nn.Module) -> None:
    def largest_go(subject: Subject, *, power: float = 1.0) -> dict[str, Tensor]:
        return {name: -(weight.abs() ** power) for name, weight in subject.weights.items()}

    mask = ss.prune(largest_go, tiny, sparsity=0.25, power=2.0)
    weights = {name: -dict(tiny.named_parameters())[name].detach().abs() for name in mask}
    assert same(mask, top(weights, 0.25)) and mask.method == "largest_go"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"method": "snp"}, r"no pruning method 'snp'. Did you mean snip"),
        (
            {"method": "quite else"},
            r"Methods: omp, lth, random, .*, channels; or name a scoring function, FILE",
        ),
        ({"method": "lth"}, r"'lth' trains between its rounds: use sparsescope.pruning.lth\(module, train, sparsity\)"),
        ({"method": "rigl"}, r"changes its mask in training: use sparsescope.pruning.RigL\(module, optimizer, sp"),
        ({"method": "channels"}, r"removes whole channels: use sparsescope.pruning.channel_mask\(module, fraction\)"),
        ({"method": "grasp", "temprature": 1}, r"no option 'temprature'. Did you mean temperature\? Its own options"),
        ({"method": "omp", "seed": 1}, r"omp has no option 'seed'. It has no options of its own"),
        ({"method": "omp", "steps": 0}, r"steps of at least 1"),
        ({"method": "snip", "batch_norm": "train"}, r"'batch' or 'running', but got 'train'"),
        ({"method": "grasp", "temperature": 0.0}, r"temperature above 0"),
        ({"method": "grasp", "temperature": "hot"}, r"temperature above 0, but got 'hot'"),
        ({"method": "grasp", "temperature": float("inf")}, r"temperature above 0, but got inf"),
        ({"method": "random", "seed": "a"}, r"whole numbers 0 <= seed < 2\*\*64 and unit >= 0, but got seed='a'"),
        ({"method": "random", "seed": -1}, r"but got seed=-1"),
        ({"method": "random", "seed": 1.5}, r"but got seed=1.5"),
        ({"method": "synflow", "input_shape": 3}, r"sizes of an image, such as \[3, 32, 32\], but got 3"),
        ({"method": "synflow", "input_shape": [3, 0, 6]}, r"but got \[3, 0, 6\]"),
        ({"method": "synflow", "steps": 2.5}, r"whole number of steps of at least 1, but got 2.5"),
        ({"method": "synflow", "steps": True}, r"whole number of steps of at least 1, but got True"),
        (
            {"method": "omp", "sparsity": "0.5"},
            r"sparsity \(fraction removed\) of at least 0 and below 1, but got '0.5'",
        ),
        ({"method": "omp", "sparsity": False}, r"of at least 0 and below 1, but got False"),
        ({"method": "synflow", "sparsity": "0.5"}, r"of at least 0 and below 1, but got '0.5'"),
        ({"method": "n_m", "sparsity": "0.5"}, r"Scope 2:4 removes 0.5 of the weights, not '0.5'"),
        ({"method": "omp", "scope": ""}, r"Expected scope 'global', .* but got ''"),
        ({"method": "omp", "scope": 3}, r"Expected scope 'global', .* but got 3"),
        ({"method": "omp", "within": {}}, r"Expected within to be a Mask, but got a dict"),
    ],
)
def test_wrong_options(tiny: nn.Module, make_batches: Make, call: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        ss.prune(**{"model": tiny, "batches": make_batches(), "sparsity": 0.5, **call})


@pytest.mark.parametrize(
    ("method", "batches", "text"),
    [
        ("snip", None, r"give batches, an iterable of \(images, labels\)"),
        ("snip", [], r"at least one batch"),
        ("snip", (torch.rand(2, 3, 6, 6), torch.zeros(2).long()), r"A single batch is given as a list"),
        (
            "snip",
            [(torch.rand(2, 3, 6, 6), torch.zeros(3).long())],
            r"images of shape \(2, 3, 6, 6\) and labels of shape",
        ),
        ("synflow", None, r"give batches, or input_shape"),
        ("omp", 0.7, r"Expected batches, an iterable .* but got 0.7. Name the sparsity: sparsity=0.7"),
        ("snip", 0.7, r"Expected batches, an iterable .* but got 0.7. Name the sparsity: sparsity=0.7"),
    ],
)
def test_unusable_batches(tiny: nn.Module, method: str, batches: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        ss.prune(method, tiny, batches, 0.5)


def test_unusable_models(make_batches: Make) -> None:
    with pytest.raises(InputError, match=r"Expected an nn.Module or a Classifier to prune, but got a str"):
        ss.prune("omp", "model.pt", sparsity=0.5)  # type: ignore[arg-type]
    pruned = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    torch_prune.l1_unstructured(pruned[0], "weight", 0.5)
    with pytest.raises(InputError, match="computed from others"):
        ss.prune("omp", pruned, sparsity=0.5)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(108, 4), nn.Unflatten(1, (2, 2))).double()
    with pytest.raises(InputError, match=r"logits of shape \(8, K\), but it returns \(8, 2, 2\)"):
        ss.prune("snip", flat, make_batches(), 0.5)
