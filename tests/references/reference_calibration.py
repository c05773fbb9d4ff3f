"""Literal, slow rewrites of the calibration formulas: softmax, ECE, SCE, NLL, Brier score."""

import math
from collections import defaultdict
from fractions import Fraction


def softmax(logits):
    """Probabilities of one image."""
    top = max(logits)
    exponentials = [math.exp(z - top) for z in logits]
    total = math.fsum(exponentials)
    return [e / total for e in exponentials]


def in_bin(p, m, n_bins):
    """Whether p lies in bin m = 1 … M, ((m-1)/M, m/M], 0 in the first; edges are the float64 nearest to m/M."""
    return float(Fraction(m - 1, n_bins)) < p <= float(Fraction(m, n_bins)) or (m == 1 and p == 0)


def ece(confidences, correct, n_bins=15):
    """sum_m (n_m/n) |acc(B_m) - conf(B_m)|."""
    total = 0.0
    for m in range(1, n_bins + 1):
        members = [i for i, p in enumerate(confidences) if in_bin(p, m, n_bins)]
        if members:
            accuracy = math.fsum(correct[i] for i in members) / len(members)
            confidence = math.fsum(confidences[i] for i in members) / len(members)
            total += len(members) / len(confidences) * abs(accuracy - confidence)
    return total


def ece_of_logits(logits, labels, n_bins=15):
    """ECE of the top-1 confidence; the lowest class wins ties."""
    probabilities = [softmax(row) for row in logits]
    predicted = [row.index(max(row)) for row in probabilities]
    correct = [int(k == y) for k, y in zip(predicted, labels, strict=True)]
    return ece([max(row) for row in probabilities], correct, n_bins)


def sce(logits, labels, n_bins=15):
    """(1/K) sum_k sum_m (n_mk/n) |freq_k(B_mk) - conf_k(B_mk)|."""
    probabilities = [softmax(row) for row in logits]
    n, classes = len(logits), len(logits[0])
    total = 0.0
    for k in range(classes):
        for m in range(1, n_bins + 1):
            members = [i for i in range(n) if in_bin(probabilities[i][k], m, n_bins)]
            if members:
                frequency = sum(labels[i] == k for i in members) / len(members)
                confidence = math.fsum(probabilities[i][k] for i in members) / len(members)
                total += len(members) / n * abs(frequency - confidence)
    return total / classes


def sce_in_one_pass(logits, labels, weights, n_bins=15):
    """The same by another road: one pass that books every weighted (outcome - probability) under (class, bin)."""
    booked = defaultdict(float)
    for row, label, weight in zip(logits, labels, weights, strict=True):
        for k, p in enumerate(softmax(row)):
            m = 0
            while p > float(Fraction(m + 1, n_bins)):
                m += 1
            booked[k, m] += weight * ((label == k) - p)
    return sum(abs(gap) for gap in booked.values()) / (len(logits[0]) * sum(weights))


def debiased_gap(probabilities, outcomes, weights, n_bins=15):
    """sum over columns and bins of |S| - (E|N(S, V)| - |S|) / (sqrt(2) - 1), V of the images, E by integration."""
    n, columns = len(probabilities), len(probabilities[0])
    total = 0.0
    for k in range(columns):
        for m in range(1, n_bins + 1):
            members = [i for i in range(n) if in_bin(probabilities[i][k], m, n_bins)]
            gaps = {i: outcomes[i][k] - probabilities[i][k] for i in members}
            variance = math.fsum(g**2 for g in gaps.values()) - math.fsum(gaps.values()) ** 2 / n
            found = abs(math.fsum(weights[i] * g for i, g in gaps.items()))
            spread = math.sqrt(max(variance, 0))
            step = 1e-3
            grid = [-8 + step * (j + 0.5) for j in range(round(16 / step))]
            density = [math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * step for z in grid]
            expected = math.fsum(abs(found + spread * z) * d for z, d in zip(grid, density, strict=True))
            total += found - (expected - found) / (math.sqrt(2) - 1)
    return total


def nll(logits, labels):
    """-(1/n) sum log p(y_i)."""
    return -math.fsum(math.log(softmax(row)[y]) for row, y in zip(logits, labels, strict=True)) / len(labels)


def brier(logits, labels):
    """(1/n) sum_i sum_k (p_ik - [k = y_i])^2."""
    return math.fsum(
        (p - (k == y)) ** 2 for row, y in zip(logits, labels, strict=True) for k, p in enumerate(softmax(row))
    ) / len(labels)
