"""Literal, slow rewrite of the mean corruption error from per-image errors."""


def rate(error, observed, weights, c, s):
    """Weighted error rate of a cell over the images seen under it; None where there is no weight."""
    seen = sum(w for w, o in zip(weights, observed, strict=True) if o[c][s])
    wrong = sum(w for w, o, e in zip(weights, observed, error, strict=True) if o[c][s] and e[c][s])
    return wrong / seen if seen else None


def mce(error, dense_error, observed, weights):
    """(1/|C|) sum_c [sum_s E_sc] / [sum_s E_sc dense] over the corruptions where dense errs; None if nowhere."""
    ratios = []
    for c in range(len(observed[0])):
        cells = [s for s in range(len(observed[0][0])) if rate(error, observed, weights, c, s) is not None]
        own = sum(rate(error, observed, weights, c, s) for s in cells)
        dense = sum(rate(dense_error, observed, weights, c, s) for s in cells)
        if dense > 0:
            ratios.append(own / dense)
    return sum(ratios) / len(ratios) if ratios else None
