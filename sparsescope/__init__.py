"""sparsescope: what pruning takes away, measured.

    import sparsescope as ss
    evaluation = ss.evaluate("dense.pt", ["sparse.pt"], "cifar10:data")
    evaluation.verdict("sparse").outcome
    evaluation["ece"].difference("sparse")
    ss.report(evaluation, "out/")

Public names are resolved on first use, so importing the package imports neither torch nor anything else that is heavy.
"""

from typing import TYPE_CHECKING

from sparsescope.lazy import lazy

if TYPE_CHECKING:
    from sparsescope import corruptions, lime, metrics, plots, pruning
    from sparsescope.benchmark import ArrayImages, Benchmark, Concept, ImageSet, ProbeSet
    from sparsescope.checkpoints import load_classifier, save_checkpoint
    from sparsescope.classifier import Classifier
    from sparsescope.datasets import open_benchmark, open_images, open_probe
    from sparsescope.evaluation import evaluate, evaluate_pairs
    from sparsescope.mask import Mask
    from sparsescope.pruning import prune
    from sparsescope.reporting import report
    from sparsescope.results import Evaluation, Verdict
    from sparsescope.units import Estimate, Units

__version__ = "0.1.0"

__all__ = [
    "ArrayImages",
    "Benchmark",
    "Classifier",
    "Concept",
    "Estimate",
    "Evaluation",
    "ImageSet",
    "Mask",
    "ProbeSet",
    "Units",
    "Verdict",
    "corruptions",
    "evaluate",
    "evaluate_pairs",
    "lime",
    "load_classifier",
    "metrics",
    "open_benchmark",
    "open_images",
    "open_probe",
    "plots",
    "prune",
    "pruning",
    "report",
    "save_checkpoint",
]

_HOMES = {
    "ArrayImages": "benchmark",
    "Benchmark": "benchmark",
    "Classifier": "classifier",
    "Concept": "benchmark",
    "Estimate": "units",
    "Evaluation": "results",
    "ImageSet": "benchmark",
    "Mask": "mask",
    "ProbeSet": "benchmark",
    "Units": "units",
    "Verdict": "results",
    "corruptions": "corruptions",
    "evaluate": "evaluation",
    "evaluate_pairs": "evaluation",
    "lime": "lime",
    "load_classifier": "checkpoints",
    "metrics": "metrics",
    "open_benchmark": "datasets",
    "open_images": "datasets",
    "open_probe": "datasets",
    "plots": "plots",
    "prune": "pruning",
    "pruning": "pruning",
    "report": "reporting",
    "save_checkpoint": "checkpoints",
}

__getattr__, __dir__ = lazy(__name__, _HOMES)
