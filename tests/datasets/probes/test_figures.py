"""Figures and their parts: areas by geometry."""

import numpy as np
import pytest

from sparsescope.datasets.probes.figures import FIGURES, PARTS, parts, rim
from sparsescope.datasets.probes.palette import colours, shade

STEP = 0.004
AXIS = np.arange(-1.6, 1.6, STEP) + STEP / 2
U, V = np.meshgrid(AXIS, AXIS)


def lens(radius, other, apart):
    """Area that two circles share, by their segments."""
    angle = np.arccos((apart**2 + radius**2 - other**2) / (2 * apart * radius))
    second = np.arccos((apart**2 + other**2 - radius**2) / (2 * apart * other))
    return radius**2 * (angle - np.sin(2 * angle) / 2) + other**2 * (second - np.sin(2 * second) / 2)


AREAS = {
    "disc": np.pi,
    "oval": np.pi * 1.1 * 0.55,
    "square": 1.7**2,
    "triangle": 1.65 * (1.65 / 1.8),  # height x half the base
    "cross": 2 * (2 * 0.6) - 0.6**2,
    "ring": np.pi * (1 - 0.55**2),
    "star": 5 * 1.1 * 0.45 * np.sin(np.pi / 5),  # ten triangles between centre, tip and notch
    "bar": 2.3 * 0.54,
    "crescent": np.pi - lens(1, 0.75, 0.55),
}


def area(region):
    return region.sum() * STEP**2


@pytest.mark.parametrize("name", FIGURES)
def test_areas(name):
    assert area(FIGURES[name](U, V)) == pytest.approx(AREAS[name], rel=0.01)


def test_a_star_has_five_tips_and_one_points_up():
    star = FIGURES["star"]
    angles = 2 * np.pi * np.arange(10) / 10
    for radius, expected in ((1.05, [True, False] * 5), (0.5, [True, False] * 5), (0.4, [True] * 10)):
        assert star(radius * np.sin(angles), -radius * np.cos(angles)).tolist() == expected


@pytest.mark.parametrize("name", FIGURES)
def test_parts_lie_in_their_figure_and_a_hole_beside_it(name):
    figure, found = FIGURES[name](U, V), parts(name, U, V)
    assert set(found) <= set(PARTS)
    for part, region in found.items():
        assert region.any()
        assert not (region & (figure if part == "hole" else ~figure)).any()
    band = rim(name, U, V)
    if band is not None:
        assert not (band & ~figure).any()
        assert area(band) == pytest.approx(AREAS[name] * (1 - 0.7**2), rel=0.02)


def test_parts_by_geometry():
    assert area(parts("ring", U, V)["hole"]) == pytest.approx(np.pi * 0.55**2, rel=0.01)
    assert area(parts("square", U, V)["corner"]) == pytest.approx(4 * np.pi * 0.5**2 / 4, rel=0.01)
    assert area(parts("bar", U, V)["end"]) == pytest.approx(2 * 0.4 * 0.54, rel=0.02)
    assert area(parts("cross", U, V)["end"]) == pytest.approx(4 * 0.4 * 0.6, rel=0.02)
    assert parts("disc", U, V) == {}


@pytest.mark.parametrize("channels", [1, 3])
def test_shades_stay_nearest_to_their_colour_under_the_scenes_noise(channels):
    """Half the distance of any two colours exceeds the farthest that shade (0.05), noise (0.02) and rounding lead."""
    values = np.array(list(colours(channels).values()))
    apart = np.linalg.norm(values[:, None] - values, axis=2)[~np.eye(len(values), dtype=bool)]
    assert apart.min() / 2 > np.sqrt(channels) * (0.05 + 0.02 + 0.5 / 255)
    rng = np.random.default_rng(0)
    for name, value in colours(channels).items():
        shades = np.array([shade(rng, name, channels) for _ in range(50)])
        assert shades.shape == (50, channels)
        assert 0.03 < abs(shades - value).max() <= 0.05
