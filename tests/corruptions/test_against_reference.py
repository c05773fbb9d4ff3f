"""Every corruption, pixel by pixel, against the published formulas with the same random draws."""

from functools import cache

import numpy as np
import pytest
import reference_corruptions as reference
from scipy.ndimage import gaussian_filter

from sparsescope.corruptions import EXTRA, SEVERITIES, STANDARD, corrupt
from sparsescope.corruptions.edges import canny_edges, chamfer_distances
from sparsescope.corruptions.resampling import motion_blurred
from sparsescope.corruptions.tables import CIFAR, IMAGENET
from sparsescope.corruptions.weather import _plasma
from sparsescope.randomness import generator

NAMES = STANDARD + EXTRA
EXACT = {"shot_noise", "impulse_noise", "glass_blur", "contrast", "pixelate", "jpeg_compression"}
# Levels that are integers before truncation fall to either side in the scripts' floating point: one level apart.
MOST_EQUAL = {"saturate": 0.8, "brightness": 0.93, "defocus_blur": 0.85, "zoom_blur": 0.97}


@cache
def photographs(n: int, height: int, width: int) -> np.ndarray:
    """Smooth coloured fields with edges, flat patches, black, white and grey: what photographs are made of."""
    rng = np.random.default_rng(7)
    fields = gaussian_filter(rng.standard_normal((n, height, width, 3)), (0, height / 10, width / 10, 0.4))
    images = 128 + 60 * fields / fields.std() + 12 * rng.standard_normal(fields.shape)
    images[:, height // 2 :, : width // 3] += 70
    images[:, : height // 6, : width // 6] = (255, 255, 255)
    images[:, : height // 6, -width // 6 :] = 0
    images[:, -height // 6 :, : width // 6] = (90, 90, 90)
    images[0, height // 3 : height // 2, width // 3 : width // 2] = (200, 40, 40)
    return np.clip(images, 0, 255).astype(np.uint8)


def expected(images, name, severity, table, **options):
    rows = []
    for i, image in enumerate(images):
        rng = generator(3, f"corruption/{name}/{severity}", i)
        rows.append(reference.corrupted(name, image, table[name][severity - 1], rng, **options))
    return np.stack(rows)


def check(name, got, wanted):
    apart = np.abs(got.astype(int) - wanted)
    assert (apart <= 1).mean() >= 0.9995, f"{name}: {(apart > 1).mean():.4f} of the values differ by 2 levels or more"
    if name in EXACT:
        assert (apart == 0).mean() >= 0.9999
    assert (apart == 0).mean() >= MOST_EQUAL.get(name, 0.99), f"{name}: only {(apart == 0).mean():.4f} equal"


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "frost"])
def test_the_cifar_table_at_32_pixels(name, severity):
    images = photographs(3, 32, 32)
    check(name, corrupt(images, name, severity, 3), expected(images, name, severity, CIFAR))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "frost"])
def test_the_imagenet_table_on_an_oblong_image(name, severity):
    images = photographs(1, 72, 54)
    check(name, corrupt(images, name, severity, 3), expected(images, name, severity, IMAGENET))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("frost", "spatter")])
def test_the_imagenet_table_at_224_pixels(name):
    images = photographs(1, 224, 224)
    check(name, corrupt(images, name, 4, 3), expected(images, name, 4, IMAGENET))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_frost_with_the_published_textures_is_exact(shared_data, severity):
    folder = shared_data / "frost"
    for images, table in ((photographs(12, 32, 32), CIFAR), (photographs(2, 224, 224), IMAGENET)):
        got = corrupt(images, "frost", severity, 3, frost=folder)
        np.testing.assert_array_equal(got, expected(images, "frost", severity, table, folder=folder))


def test_motion_has_the_levels_of_imagemagick():
    row = np.array([0, 0, 0, 255, 255, 40, 40, 200, 200, 10, 90, 170], dtype=np.uint8)
    blurred = motion_blurred(row.reshape(1, 1, -1, 1), radius=6, sigma=2, angles=np.zeros(1))
    # MagickMotionBlurImage(radius=6, sigma=2, angle=0) of ImageMagick 6.9.11
    assert blurred.ravel().tolist() == [39, 82, 136, 184, 135, 89, 120, 147, 116, 93, 143, 170]


def test_edges_and_distances_are_those_of_opencv():
    rows, columns = np.indices((14, 16))
    drop = ((rows - 6) ** 2 + (columns - 7) ** 2 < 22) * (150 + 5 * columns) + (rows > 11) * (columns % 5) * 12
    edges = canny_edges(drop[None].astype(np.uint8), 50, 150)
    # Canny(drop, 50, 150) and the first row of distanceTransform(255 - edges, DIST_L2, 5) of OpenCV 5.0
    assert ["".join(".#"[int(edge)] for edge in row) for row in edges[0]] == [
        "................",
        "................",
        "....#######.....",
        "...##.....##....",
        "...#.......#....",
        "...#........#...",
        "...#........#...",
        "...#........#...",
        "...#.......#....",
        "...##.....##....",
        "....#######.....",
        "................",
        ".###......#.###.",
        ".#..#....#.....#",
    ]
    left = [4.2, 3.5969, 2.8, 2.1969, 2, 2, 2, 2, 2, 2, 2, 2.1969, 2.8, 3.5969, 4.2, 4.9969]
    np.testing.assert_allclose(chamfer_distances(edges, 20)[0, 0] / 65536, left, atol=1e-4)


def test_fog_follows_the_diamond_square_algorithm_point_by_point():
    draws = np.random.default_rng(0).random((2, 16 * 16 - 1), dtype=np.float32)
    maps = _plasma(draws, 16, 1.75)
    for got, numbers in zip(maps, draws, strict=True):
        wanted = reference.plasma_by_points(16, 1.75, reference.uniforms(numbers))
        np.testing.assert_allclose(got, wanted, atol=2e-6)
