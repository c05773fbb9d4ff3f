"""One scene of the procedural probe set: what is painted, and where each concept is, to the pixel."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import Concept
from sparsescope.datasets.probes.figures import FIGURES, PARTS, parts, rim
from sparsescope.datasets.probes.palette import colours, shade
from sparsescope.datasets.source import Shape
from sparsescope.datasets.textures import PATTERNS, Field, coordinates, rotated

__all__ = ["SCENES", "TEXTURES", "Scene", "concepts", "paint_scene"]

Region = NDArray[np.bool_]

_TEXTURE_NAMES = ("striped", "chequered", "dotted", "concentric", "halved", "spotted", "mosaic", "bricked", "wavy")
TEXTURES = dict(zip((*_TEXTURE_NAMES, "clouded"), PATTERNS, strict=True))
SCENES = ("plain-s", "horizon-s", "patterned-s", "single-s", "crowded-s")
POSITIONS = ("left", "right", "upper", "lower")

_NOISE = 0.02  # of every pixel and channel
_ASIDE = 0.3  # from the centre to the border: beyond it, a figure is left, right, upper or lower
_CROWD = 3  # figures of a crowded scene, at least
_LOW_SHARE, _LEAST_SHARE = 0.4, 0.15  # of a textured region: what its first colour gets, and what either must get


def concepts(channels: int) -> tuple[Concept, ...]:
    """Return all concepts of scenes with 1 or 3 channels, in label order."""
    by_category = {
        "scene": SCENES,
        "object": (*FIGURES, "sky", "ground"),
        "part": PARTS,
        "color": tuple(colours(channels)),
        "texture": tuple(TEXTURES),
        "position": POSITIONS,
    }
    return tuple(Concept(name, category) for category, names in by_category.items() for name in names)


@dataclass(frozen=True)
class Scene:
    """A painted scene: `pixels` float (H, W, C), and concept -> where it is (H, W); what is painted over is gone."""

    pixels: NDArray[np.float64]
    masks: dict[str, Region]

    def label(self, name: str, region: Region) -> None:
        """Say that a concept is in `region`, too."""
        self.masks[name] = self.masks[name] | region if name in self.masks else region.copy()

    def paint(self, rng: np.random.Generator, region: Region, names: list[str], texture: str | None) -> None:
        """Paint over a region: in the first colour, or with a texture of the two that are given."""
        for mask in self.masks.values():
            mask &= ~region
        second = _second_colour(rng, region, texture) if texture is not None else None
        if texture is not None and second is not None:
            self.label(texture, region)
        first = region if second is None else region & ~second
        for name, where in zip(names, (first, second), strict=False):
            value = shade(rng, name, self.pixels.shape[2])
            if where is not None:
                self.pixels[where] = value
                self.label(name, where)


def _second_colour(rng: np.random.Generator, region: Region, texture: str) -> Region | None:
    """Return where in the region the texture shows its second colour; None if too few pixels would show either."""
    height, width = region.shape
    field = TEXTURES[texture](rng, *rotated(rng, *coordinates(height, width)))
    if not region.any():
        return None
    second: Region = region & (field > np.quantile(field[region], _LOW_SHARE))
    share = second.sum() / region.sum()
    return second if _LEAST_SHARE <= share <= 1 - _LEAST_SHARE else None


def paint_scene(rng: np.random.Generator, shape: Shape) -> Scene:
    """Return a scene of one to four figures on a background, the same at every size but for the noise.

    Lengths are in units of the shorter side. A pixel belongs to what covers its centre. Figures lie over one another in
    the order they are painted; a concept is where it can be seen. Concepts of the whole image are True everywhere.

    Args:
        rng: the source of all random draws.
        shape: (C, H, W), C being 1 or 3.
    """
    channels, height, width = shape
    scene = Scene(np.zeros((height, width, channels)), {})
    kind = SCENES[int(rng.integers(3))]
    number = int(rng.integers(1, 5))
    names = list(colours(channels))
    ground, others = _split(rng, names)
    _paint_background(rng, scene, kind, ground)
    for _ in range(number):
        _paint_figure(rng, scene, others)
    for name in (kind, *(["single-s"] if number == 1 else []), *(["crowded-s"] if number >= _CROWD else [])):
        scene.label(name, np.ones((height, width), dtype=bool))
    noise = rng.uniform(-_NOISE, _NOISE, scene.pixels.shape)
    np.clip(scene.pixels + noise, 0, 1, out=scene.pixels)
    return scene


def _split(rng: np.random.Generator, names: list[str]) -> tuple[list[str], list[str]]:
    """Return two colours for the background, and the others, of which figures are painted: so they stand out."""
    order = [names[index] for index in rng.permutation(len(names))]
    return order[:2], order[2:]


def _paint_background(rng: np.random.Generator, scene: Scene, kind: str, names: list[str]) -> None:
    height, width = scene.pixels.shape[:2]
    x, y = coordinates(height, width)
    everywhere = np.ones(x.shape, dtype=bool)
    if kind != "horizon-s":
        scene.paint(rng, everywhere, names, _pick(rng, TEXTURES) if kind == "patterned-s" else None)
        return
    tilt, level = rng.uniform(-0.15, 0.15), rng.uniform(-0.2, 0.25)
    above: Field = level + tilt * x - y
    scene.paint(rng, everywhere, names[:1], None)
    scene.label("sky", above > 0)
    scene.paint(rng, above <= 0, names[1:], None)
    scene.label("ground", above <= 0)
    scene.label("horizon", abs(above) < 0.06)


def _paint_figure(rng: np.random.Generator, scene: Scene, names: list[str]) -> None:
    height, width = scene.pixels.shape[:2]
    name, radius, place = _pick(rng, FIGURES), rng.uniform(0.18, 0.36), rng.uniform(-0.75, 0.75, 2)
    angle = rng.uniform(-0.4, 0.4) + (np.pi / 2) * rng.integers(2)
    centre = place * (width, height) / (2 * min(height, width))
    x, y = ((axis - middle) / radius for axis, middle in zip(coordinates(height, width), centre, strict=True))
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    first, second = (names[index] for index in rng.permutation(len(names))[:2])
    region, band = FIGURES[name](u, v), rim(name, u, v)
    if rng.random() < 0.5:
        scene.paint(rng, region, [first, second], _pick(rng, TEXTURES))
    else:
        scene.paint(rng, region, [first], None)
        if rng.random() < 0.6 and band is not None:
            scene.paint(rng, band, [second], None)
            scene.label("rim", band)
    scene.label(name, region)
    for part, where in parts(name, u, v).items():
        scene.label(part, where)
    for position, far in zip(POSITIONS, (-place[0], place[0], -place[1], place[1]), strict=True):
        if far > _ASIDE:
            scene.label(position, region)


def _pick(rng: np.random.Generator, choices: Mapping[str, object]) -> str:
    names = tuple(choices)
    return names[int(rng.integers(len(names)))]
