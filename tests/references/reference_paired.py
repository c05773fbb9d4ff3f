"""Literal, slow rewrite of Newcombe's method 10 for one 2 x 2 table [[both, first only], [second only, neither]]."""

from math import sqrt


def wilson(successes, n, z):
    """Both roots of (p - share)^2 = z^2 p (1 - p) / n."""
    share = successes / n
    a, b, c = 1 + z**2 / n, -(2 * share + z**2 / n), share**2
    root = sqrt(max(b**2 - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def phi(e, f, g, h):
    """Phi coefficient with the continuity correction; 0 if a margin is 0."""
    product = (e + f) * (g + h) * (e + g) * (f + h)
    if product == 0:
        return 0.0
    n, numerator = e + f + g + h, e * h - f * g
    if numerator > n / 2:
        numerator -= n / 2
    elif numerator >= 0:
        numerator = 0
    return numerator / sqrt(product)


def interval(e, f, g, h, z):
    """Interval of p1 - p2 = (e + f)/n - (e + g)/n."""
    n = e + f + g + h
    p1, p2 = (e + f) / n, (e + g) / n
    (l1, u1), (l2, u2) = wilson(e + f, n, z), wilson(e + g, n, z)
    r = phi(e, f, g, h)
    d1, d2 = p1 - l1, u2 - p2
    e1, e2 = u1 - p1, p2 - l2
    delta = sqrt(max(d1**2 - 2 * r * d1 * d2 + d2**2, 0.0))
    epsilon = sqrt(max(e1**2 - 2 * r * e1 * e2 + e2**2, 0.0))
    return p1 - p2 - delta, p1 - p2 + epsilon
