"""Literal, slow rewrites of ranking measures: every pair of images, every threshold."""


def auroc(positive, negative, positive_weights=None, negative_weights=None):
    """P(s > t) + P(s = t)/2 over all weighted pairs."""
    positive_weights = [1] * len(positive) if positive_weights is None else positive_weights
    negative_weights = [1] * len(negative) if negative_weights is None else negative_weights
    won = 0.0
    for s, w in zip(positive, positive_weights, strict=True):
        for t, v in zip(negative, negative_weights, strict=True):
            won += w * v * (1 if s > t else 0.5 if s == t else 0)
    return won / (sum(positive_weights) * sum(negative_weights))


def average_precision(positive, negative):
    """sum over thresholds, falling, of (recall gained) x precision."""
    area, recall = 0.0, 0.0
    for threshold in sorted({*positive, *negative}, reverse=True):
        found = sum(s >= threshold for s in positive)
        alarms = sum(t >= threshold for t in negative)
        area += (found / len(positive) - recall) * found / (found + alarms)
        recall = found / len(positive)
    return area


def false_positive_rate(positive, negative, true_positive_rate):
    """Share of negatives accepted at the first threshold, falling, that accepts enough positives."""
    for threshold in sorted(positive, reverse=True):
        if sum(s >= threshold for s in positive) / len(positive) >= true_positive_rate:
            return sum(t >= threshold for t in negative) / len(negative)
    raise AssertionError
