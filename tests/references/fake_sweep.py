"""A sweep made up from plain numbers: seven methods, five sparsities, three seeds, a small dense twin."""

from pathlib import Path
from typing import Any

from fake_evaluation import make_evaluation, make_metric

from sparsescope.results import Evaluation, MetricResult, ModelInfo, Pairs, SparsityInfo, Sweep, SweepPoint
from sparsescope.results.radar import normalise
from sparsescope.verdict import decide

METHODS = ("lth", "omp", "random", "snip", "grasp", "synflow", "rigl")
SPARSITIES = tuple(1 - 0.8**n for n in (1, 2, 3, 5, 7))
SEEDS = (0, 1, 2)
PARAMETERS = 10_000

# name, label, dimension, unit, higher is better, margin, kind, dense, lost at full sparsity, half width of an interval
# fmt: off
METRICS: tuple[tuple[Any, ...], ...] = (
    ("accuracy", "Accuracy", "generalization", "fraction", True, 0.01, "absolute", 0.92, 0.04, 0.002),
    ("corruption_error", "mCE", "generalization", "ratio to dense", False, 0.02, "absolute", 1.0, 0.2, 0.006),
    ("fgsm_accuracy", "Accuracy under FGSM", "generalization", "fraction", True, 0.01, "absolute", 0.14, 0.05, 0.003),
    ("ood_auroc", "OoD AUROC", "generalization", "area", True, 0.01, "absolute", 0.9, 0.05, 0.003),
    ("ece", "ECE", "calibration", "probability", False, 0.01, "absolute", 0.04, 0.02, 0.002),
    ("sce", "SCE", "calibration", "probability", False, 0.002, "absolute", 0.009, 0.005, 0.0003),
    ("nll", "NLL", "calibration", "nats", False, 0.05, "relative", 0.3, 0.12, 0.004),
    ("fidelity", "Fidelity", "interpretability", "squared probability", False, 0.1, "relative", 0.025, 0.01, 0.0005),
    ("stability", "Stability", "interpretability", "squared coefficient", False, 0.1, "relative", 0.0043, 0.003, 1e-4),
    ("composition", "Compositional IoU", "interpretability", "IoU", True, 0.05, "relative", None, 0.0, 0.0),
    ("weight_trace", "Weight Hessian trace", "geometry", "loss", False, 0.1, "relative", 6000.0, 9000.0, 200.0),
    ("input_trace", "Input Hessian trace", "geometry", "loss", False, 0.1, "relative", 400.0, 300.0, 12.0),
)
# fmt: on

# How soon a method loses: the power of its sparsity; small is soon.
_STRENGTH = dict(zip(METHODS, (9.0, 6.0, 1.5, 4.0, 2.5, 3.0, 5.0), strict=True))


def make_ticket(
    metrics: tuple[MetricResult, ...], names: tuple[str, str], *, nonzero: int, removed: float, **changes: Any
) -> Evaluation:
    """Return an evaluation of one candidate with these metrics and so many non-zero parameters."""
    models = tuple(
        ModelInfo(
            name=name, role="candidate" if index else "dense", path=None, sha256=None, architecture="digits_cnn",
            parameters=PARAMETERS, nonzero=(PARAMETERS, nonzero)[index],
            sparsity=SparsityInfo(prunable=removed * index, total=removed * index, layers=()),
        )
        for index, name in enumerate(names)
    )  # fmt: skip
    facts: dict[str, Any] = {
        "models": models,
        "metrics": metrics,
        "verdicts": {names[1]: decide(metrics, Pairs.of_one_dense(names).of(names[1]), confidence=0.95, complete=True)},
        "radar": normalise(metrics, Pairs.of_one_dense(names)),
    }
    return make_evaluation(names, **{**facts, **changes})


def make_sweep(
    folder: Path,
    *,
    methods: tuple[str, ...] = METHODS,
    sparsities: tuple[float, ...] = SPARSITIES,
    seeds: tuple[int, ...] = SEEDS,
    small: bool = True,
    leave_out: tuple[tuple[str, float | None, int], ...] = (),
    name: str = "made-up",
    metrics: tuple[str, ...] = tuple(row[0] for row in METRICS),
) -> Sweep:
    """Write a sweep with its evaluations into a folder and return it; `leave_out` lists missing networks."""
    (folder / "evaluations").mkdir(parents=True, exist_ok=True)
    points = []
    places: list[tuple[str, float | None]] = [(method, sparsity) for method in methods for sparsity in sparsities]
    places += [("small", None)] if small else []
    for number, (method, target) in enumerate(places):
        for seed in seeds:
            if (method, target, seed) in leave_out:
                continue
            ticket = f"{method}-{number}-{seed}"
            removed = 0.79 if target is None else target + 0.0001 * seed
            evaluation = make_ticket(
                tuple(each for each in _metrics(method, target, seed, ("dense", ticket)) if each.name in metrics),
                ("dense", ticket), nonzero=round(PARAMETERS * (1 - removed)), removed=removed,
            )  # fmt: skip
            file = f"evaluations/{number}-{seed}.json"
            evaluation.save(folder / file)
            points.append(
                SweepPoint(method=method, seed=seed, target=target, sparsity=removed, model=ticket, evaluation=file,
                           checkpoint=f"tickets/{number}-{seed}.pt")
            )  # fmt: skip
    recipe = {
        "methods": list(methods),
        "sparsities": list(sparsities),
        "seeds": list(seeds),
        "small": "digits_cnn_small" if small else None,
    }
    sweep = Sweep(name=name, version="0.1.0", created="2026-01-02T03:04:05+00:00", recipe=recipe, points=tuple(points))
    sweep.save(folder)
    return sweep


def _metrics(method: str, target: float | None, seed: int, names: tuple[str, str]) -> tuple[MetricResult, ...]:
    found = []
    for place, row in enumerate(METRICS):
        name, label, dimension, unit, up, margin, kind, dense, loss, half = row
        values: tuple[float | None, float | None] = (None, None)
        if dense is not None:
            wobble = ((seed * 7 + place * 3) % 5 - 2) / 2  # -1 to 1, the same for dense and ticket
            own = ((seed * 3 + place * 5 + len(method)) % 5 - 2) / 2
            fall = 0.45 if target is None else target ** _STRENGTH.get(method, 2.0) - 0.15 * target
            parent = dense + (wobble * 2 * half if name != "corruption_error" else 0.0)  # which is relative to dense
            values = (parent, parent + (-1 if up else 1) * loss * fall + own * half / 2)
        found.append(
            make_metric(
                name, values, half if dense is not None else None, models=names, label=label, dimension=dimension,
                unit=unit, higher_is_better=up, margin=margin, margin_kind=kind, n=10_000,
            )
        )  # fmt: skip
    return tuple(found)
