"""How to read each metric, in a sentence."""

from sparsescope.results import MetricResult

__all__ = ["how_to_read"]

SENTENCES = {
    "accuracy": "Share of clean test images whose class is right.",
    "generalization_gap": "Test accuracy minus training accuracy: how much of what was learnt carries over.",
    "corruption_error": "Error under noise, blur, weather and compression: mean ratio to dense over corruptions.",
    "fgsm_accuracy": "Share of test images still right after one gradient step that raises the loss (FGSM).",
    "pgd_accuracy": "Share of test images that stay right at every one of several such steps (PGD): a stronger attack.",
    "autoattack_accuracy": "Share of test images that stay right under AutoAttack, an ensemble of stronger attacks.",
    "ood_auroc": "Chance that a test image gets a higher score (confidence, unless chosen otherwise) than an "
    "out-of-distribution image, the mean over the sets; 0.5 is guessing.",
    "ece": "Mean gap between confidence and accuracy over bins of confidence. It comes out too large, the more so "
    "the fewer images and the better calibrated the model; intervals are corrected for that.",
    "sce": "The same gap with every class binned by its own probability, averaged over classes. "
    "Corrected likewise; with fewer than 100 images per class too little where calibration differs much.",
    "nll": "Mean negative log-probability of the right class: sure and wrong costs most.",
    "fidelity": "Squared error of a local linear explanation (LIME) against the model it explains. A model that is "
    "never sure scores well, so its scale-free twin, R², stands beside it.",
    "stability": "How much an explanation's coefficients change when it is centred on a neighbour of the image.",
    "composition": "How well the best logical formula of concepts describes where a neuron of a layer fires, the mean "
    "over those that do. The formulas are chosen on the same images: read it beside the values on held-out and "
    "shuffled images.",
    "weight_trace": "Curvature of the loss in the surviving weights (trace of the Hessian): low is flat.",
    "input_trace": "Curvature of the loss in the pixels: low is a smooth response to small changes of the image.",
    "weight_top_eigenvalue": "Curvature of the loss along the sharpest direction of the surviving weights.",
    "input_top_eigenvalue": "Curvature of the loss along the sharpest direction of the pixels.",
}


def how_to_read(metric: MetricResult) -> str:
    """Return a sentence on what a metric measures, then direction, unit and source."""
    direction = "higher" if metric.higher_is_better else "lower"
    sentence = SENTENCES.get(metric.name, "")
    return f"{sentence} {direction.capitalize()} is better. Unit: {metric.unit}. Source: {metric.source}.".strip()
