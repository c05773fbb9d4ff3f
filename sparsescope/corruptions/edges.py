"""Canny edges and chamfer distances over a batch of grey images, as the published spatter uses them."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["canny_edges", "chamfer_distances", "neighbourhoods"]

STRAIGHT, DIAGONAL, KNIGHT = 65536, 91750, 143976  # 1, 1.4 and 2.1969 with 16 binary places (Borgefors 1986)
TANGENT = 13573  # tan 22.5° with 15 binary places


def neighbourhoods(values: NDArray[Any], mode: Literal["reflect", "edge", "constant"]) -> Iterator[NDArray[Any]]:
    """Yield the nine 3 x 3 neighbours of every pixel of (N, H, W), row by row; past the border as `numpy.pad`."""
    _, height, width = values.shape
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode=mode)
    for y in range(3):
        for x in range(3):
            yield padded[:, y : y + height, x : x + width]


def canny_edges(levels: NDArray[np.uint8], low: int, high: int) -> NDArray[np.bool_]:
    """Return where the edges are, bool (N, H, W).

    Sobel gradients, their L1 length, suppression of what is no maximum across the edge in one of four directions,
    and hysteresis: a pixel above `low` counts if it is connected to one above `high`. Source: Canny 1986, with
    OpenCV's directions and ties.
    """
    from scipy.ndimage import label

    a, b, c, d, _, f, g, h, i = neighbourhoods(levels.astype(np.int32), "edge")
    dx = c - a + 2 * (f - d) + i - g
    dy = g - a + 2 * (h - b) + i - c
    length = np.abs(dx) + np.abs(dy)
    thin = (length > low) & _is_maximum(length, dx, dy)
    plane = np.zeros((3, 3, 3), dtype=bool)
    plane[1] = True  # connected within an image, never across images
    parts, count = label(thin, structure=plane)
    strong = np.zeros(count + 1, dtype=bool)
    strong[parts[length > high]] = True
    strong[0] = False
    edges: NDArray[np.bool_] = strong[parts]
    return edges


def _is_maximum(length: NDArray[Any], dx: NDArray[Any], dy: NDArray[Any]) -> NDArray[np.bool_]:
    nw, n, ne, w, _, e, sw, s, se = neighbourhoods(length, "constant")
    across, up = np.abs(dx).astype(np.int64), np.abs(dy).astype(np.int64) << 15
    flat = up < across * TANGENT
    steep = up > across * (TANGENT + (1 << 16))
    falling = (dx ^ dy) >= 0
    slanted = np.where(falling, (length > nw) & (length > se), (length > ne) & (length > sw))
    return np.select([flat, steep], [(length > w) & (length >= e), (length > n) & (length >= s)], slanted)


def chamfer_distances(edges: NDArray[np.bool_], limit: int) -> NDArray[np.int32]:
    """Return the distance of each pixel to the nearest edge, int32 (N, H, W) with 16 binary places.

    Steps cost 1 (straight), 1.4 (diagonal) and 2.1969 (a knight's move); one pass down and one pass up find the
    cheapest way. Distances above `limit` may be anything above it. Source: Borgefors 1986.
    """
    far = (limit + 8) << 16
    distances = np.where(edges, 0, far).astype(np.int32)
    for view in (distances, distances[:, ::-1, ::-1]):
        _pass_down(view, far)
    return distances


def _pass_down(distances: NDArray[np.int32], far: int) -> None:
    n, height, width = distances.shape
    ramp = STRAIGHT * np.arange(width, dtype=np.int32)
    above = np.full((2, n, width + 4), far, dtype=np.int32)  # the two rows before this one, with a margin of 2
    for row in range(height):
        two, one = above
        best = np.minimum(distances[:, row], one[:, 2:-2] + STRAIGHT)
        np.minimum(best, np.minimum(one[:, 1:-3], one[:, 3:-1]) + DIAGONAL, out=best)
        np.minimum(best, np.minimum(one[:, :-4], one[:, 4:]) + KNIGHT, out=best)
        np.minimum(best, np.minimum(two[:, 1:-3], two[:, 3:-1]) + KNIGHT, out=best)
        best = np.minimum.accumulate(best - ramp, axis=1) + ramp  # straight steps along the row
        distances[:, row] = best
        above = above[::-1]
        above[1, :, 2:-2] = best
