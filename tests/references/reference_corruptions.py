"""The published corruption scripts, rewritten one image at a time from their formulas.

Source: Hendrycks & Dietterich 2019, `make_cifar_c.py` and `make_imagenet_c.py`. OpenCV's and ImageMagick's filters are
written out with numpy, scipy, scikit-image and Pillow. `rng` is either `numpy.random` (draws as the scripts draw) or a
`numpy.random.Generator` (the same quantities in the order and precision in which sparsescope draws them, so that the
two can be compared pixel by pixel).
"""

import io
import itertools
import math

import numpy as np
import skimage.color
from PIL import Image
from scipy.ndimage import correlate, map_coordinates, zoom
from scipy.signal import fftconvolve
from scipy.stats import poisson
from skimage.filters import gaussian


def corrupted(name, image, parameters, rng, **options):
    """Return one image uint8 (H, W, 3) under one corruption, as the scripts store it."""
    return np.uint8(globals()[name](image, parameters, rng, **options))


def _normal(rng, shape):
    if isinstance(rng, np.random.Generator):
        return rng.standard_normal(shape, dtype=np.float32).astype(np.float64)
    return rng.normal(size=shape)


def _random(rng, shape):
    if isinstance(rng, np.random.Generator):
        return rng.random(shape, dtype=np.float32).astype(np.float64)
    return rng.uniform(0, 1, shape)


def _randint(rng, low, high):
    return rng.integers(low, high) if isinstance(rng, np.random.Generator) else rng.randint(low, high)


def gaussian_noise(image, c, rng):
    x = image / 255.0
    return np.clip(x + c[0] * _normal(rng, x.shape), 0, 1) * 255


def speckle_noise(image, c, rng):
    x = image / 255.0
    return np.clip(x + x * c[0] * _normal(rng, x.shape), 0, 1) * 255


def shot_noise(image, c, rng):
    x = image / 255.0
    if isinstance(rng, np.random.Generator):  # the count at each uniform draw's quantile
        counts = poisson.ppf(_random(rng, x.shape), x * c[0]).clip(0)
    else:
        counts = rng.poisson(x * c[0])
    return np.clip(counts / c[0], 0, 1) * 255


def impulse_noise(image, c, rng):
    x = image / 255.0
    draws = _random(rng, x.shape)
    x[draws < np.float32(c[0])] = 1
    x[draws < np.float32(c[0] / 2)] = 0
    return np.clip(x, 0, 1) * 255


def gaussian_blur(image, c, rng):
    return np.clip(gaussian(image / 255.0, sigma=c[0], channel_axis=-1), 0, 1) * 255


def glass_blur(image, c, rng):
    sigma, reach, iterations = c[0], int(c[1]), int(c[2])
    height, width = image.shape[:2]
    x = np.uint8(gaussian(image / 255.0, sigma=sigma, channel_axis=-1) * 255)
    if isinstance(rng, np.random.Generator):
        block = rng.integers(-reach, reach, (iterations, height - 2 * reach, width - 2 * reach, 2), dtype=np.int8)
        draws = iter(block.reshape(-1, 2).tolist())
    else:
        draws = (rng.randint(-reach, reach, size=(2,)) for _ in itertools.count())
    for _ in range(iterations):
        for h in range(height - reach, reach, -1):
            for w in range(width - reach, reach, -1):
                dx, dy = next(draws)
                x[h, w], x[h + dy, w + dx] = x[h + dy, w + dx], x[h, w]
    return np.clip(gaussian(x / 255.0, sigma=sigma, channel_axis=-1), 0, 1) * 255


def disk(radius, alias_blur):
    half, taps = (8, np.arange(-1, 2)) if radius <= 8 else (int(radius), np.arange(-2, 3))
    grid_x, grid_y = np.meshgrid(np.arange(-half, half + 1), np.arange(-half, half + 1))
    kernel = (grid_x**2 + grid_y**2 <= radius**2).astype(np.float32)
    kernel /= kernel.sum()
    bell = np.exp(-(taps**2) / (2 * alias_blur**2))
    bell /= bell.sum()
    return correlate(kernel, np.outer(bell, bell), mode="mirror")


def defocus_blur(image, c, rng):
    kernel = disk(*c)
    reach = len(kernel) // 2
    padded = np.pad(image / 255.0, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    channels = [fftconvolve(padded[..., d], kernel[::-1, ::-1], mode="valid") for d in range(3)]
    return np.clip(np.stack(channels, axis=-1), 0, 1) * 255


def wand_motion_blur(image, radius, sigma, angle):
    """ImageMagick: a one-sided Gaussian of 2·radius + 1 taps along the angle; 16 bits, then the upper 8."""
    height, width = image.shape[:2]
    taps = 2 * math.ceil(radius) + 1
    kernel = [math.exp(-i * i / (2 * sigma * sigma)) / (math.sqrt(2 * math.pi) * sigma) for i in range(taps)]
    total = sum(kernel)
    point_x, point_y = taps * math.sin(math.radians(angle)), taps * math.cos(math.radians(angle))
    blurred = np.zeros(image.shape)
    for i, weight in enumerate(kernel):
        right = math.ceil(i * point_y / math.hypot(point_x, point_y) - 0.5)
        down = math.ceil(i * point_x / math.hypot(point_x, point_y) - 0.5)
        rows = np.clip(np.arange(height) + down, 0, height - 1)
        columns = np.clip(np.arange(width) + right, 0, width - 1)
        blurred += weight / total * image[rows][:, columns]
    return np.floor(np.floor(blurred * 257 + 0.5) / 257)


def motion_blur(image, c, rng):
    return np.clip(wand_motion_blur(image, c[0], c[1], rng.uniform(-45, 45)), 0, 255)


def clipped_zoom(image, factor):
    height, width = image.shape[:2]
    crop_height, crop_width = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    cropped = image[top : top + crop_height, left : left + crop_width]
    zoomed = zoom(cropped, (factor, factor, 1), order=1)
    top, left = (zoomed.shape[0] - height) // 2, (zoomed.shape[1] - width) // 2
    return zoomed[top : top + height, left : left + width]


def zoom_blur(image, c, rng):
    x = (image / 255.0).astype(np.float32)
    factors = np.arange(1, c[0], c[1])
    out = np.zeros_like(x)
    for factor in factors:
        out += clipped_zoom(x, factor)
    return np.clip((x + out) / (len(factors) + 1), 0, 1) * 255


def snow(image, c, rng):
    x = np.array(image, dtype=np.float32) / 255.0
    height, width = x.shape[:2]
    layer = np.zeros((height, width))
    if isinstance(rng, np.random.Generator):  # only what the zoom keeps is drawn
        rows, columns = math.ceil(height / c[2]), math.ceil(width / c[2])
        top, left = (height - rows) // 2, (width - columns) // 2
        layer[top : top + rows, left : left + columns] = _normal(rng, (rows, columns)) * c[1] + c[0]
    else:
        layer = rng.normal(size=(height, width), loc=c[0], scale=c[1])
    layer = clipped_zoom(layer[..., None], c[2])
    layer[layer < c[3]] = 0
    layer = (np.clip(layer, 0, 1) * 255).astype(np.uint8)
    layer = wand_motion_blur(layer, c[4], c[5], rng.uniform(-135, -45)) / 255.0
    grey = (x @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[..., None]
    x = c[6] * x + (1 - c[6]) * np.maximum(x, grey * 1.5 + 0.5)
    return np.clip(x + layer + np.rot90(layer, k=2), 0, 1) * 255


def frost(image, c, rng, folder):
    number = _randint(rng, 0, 5)
    name = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg"][number]
    texture = np.asarray(Image.open(folder / name).convert("RGB"))
    if c[2] != 1:  # bilinear reduction to 1/5: output k samples position (k + 1/2) · 5 - 1/2
        rows, columns = ((np.arange(round(side / c[2])) + 0.5) * c[2] - 0.5 for side in texture.shape[:2])
        grid = np.meshgrid(rows, columns, indexing="ij")
        channels = [map_coordinates(texture[..., d].astype(float), grid, order=1, mode="nearest") for d in range(3)]
        texture = np.rint(np.stack(channels, axis=-1))
    height, width = image.shape[:2]
    top = _randint(rng, 0, texture.shape[0] - height)
    left = _randint(rng, 0, texture.shape[1] - width)
    return np.clip(c[0] * image + c[1] * texture[top : top + height, left : left + width], 0, 255)


def plasma(size, decay, draw):
    """Diamond-square on a torus, a level at a time; `draw(reach, shape)` is uniform in ±reach."""
    height = np.zeros((size, size))
    step, wibble = size, 100.0
    while step >= 2:
        half, shape = step // 2, (size // step, size // step)
        corner = height[::step, ::step]
        squares = corner + np.roll(corner, -1, axis=0)
        squares = squares + np.roll(squares, -1, axis=1)
        height[half::step, half::step] = squares / 4 + wibble * draw(wibble, shape)
        middle, corner = height[half::step, half::step], height[::step, ::step]
        tops = middle + np.roll(middle, 1, axis=0) + corner + np.roll(corner, -1, axis=1)
        height[::step, half::step] = tops / 4 + wibble * draw(wibble, shape)
        sides = middle + np.roll(middle, 1, axis=1) + corner + np.roll(corner, -1, axis=0)
        height[half::step, ::step] = sides / 4 + wibble * draw(wibble, shape)
        step, wibble = half, wibble / decay
    height -= height.min()
    return height / height.max()


def plasma_by_points(size, decay, draw):
    """The same, a point at a time: each is the mean of its four neighbours, in a square or a diamond, plus a draw."""
    height = np.zeros((size, size))
    step, wibble = size, 100.0
    while step >= 2:
        half, n = step // 2, size // step
        for up, right in ((half, half), (0, half), (half, 0)):
            noise = wibble * draw(wibble, (n, n))
            reaches = [(-half, -half), (-half, half), (half, -half), (half, half)]
            if not (up and right):
                reaches = [(-half, 0), (half, 0), (0, -half), (0, half)]
            for i in range(n):
                for j in range(n):
                    y, x = i * step + up, j * step + right
                    height[y, x] = sum(height[(y + a) % size, (x + b) % size] for a, b in reaches) / 4 + noise[i, j]
        step, wibble = half, wibble / decay
    height -= height.min()
    return height / height.max()


def uniforms(draws):
    """Return a `draw` that uses up a flat array of numbers in [0, 1)."""
    rest = iter(np.asarray(draws, dtype=float).tolist())
    return lambda reach, shape: (2 * np.reshape([next(rest) for _ in range(shape[0] * shape[1])], shape) - 1) * reach


def fog(image, c, rng):
    x = image / 255.0
    height, width = image.shape[:2]
    size = 2 ** math.ceil(math.log2(max(height, width)))
    own = isinstance(rng, np.random.Generator)
    draw = uniforms(_random(rng, size * size - 1)) if own else (lambda reach, shape: rng.uniform(-reach, reach, shape))
    cloud = plasma(size, c[1], draw)
    brightest = x.max()
    x += c[0] * cloud[:height, :width, None]
    return np.clip(x * brightest / (brightest + c[0]), 0, 1) * 255


def brightness(image, c, rng):
    x = skimage.color.rgb2hsv(image / 255.0)
    x[:, :, 2] = np.clip(x[:, :, 2] + c[0], 0, 1)
    return np.clip(skimage.color.hsv2rgb(x), 0, 1) * 255


def saturate(image, c, rng):
    x = skimage.color.rgb2hsv(image / 255.0)
    x[:, :, 1] = np.clip(x[:, :, 1] * c[0] + c[1], 0, 1)
    return np.clip(skimage.color.hsv2rgb(x), 0, 1) * 255


def contrast(image, c, rng):
    x = image / 255.0
    means = np.mean(x, axis=(0, 1), keepdims=True)
    return np.clip((x - means) * c[0] + means, 0, 1) * 255


def jpeg_compression(image, c, rng):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(c[0]))
    return np.asarray(Image.open(buffer))


def pixelate(image, c, rng):
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((int(width * c[0]), int(height * c[0])), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BOX))


def elastic_transform(image, c, rng):
    image = np.array(image, dtype=np.float32) / 255.0
    height, width = image.shape[:2]
    side = c[3] or min(height, width)
    strength, sigma, jitter = c[0] * side, c[1] * side, c[2] * side
    centre = np.float32((height, width)) // 2
    square = min(height, width) // 3
    before = np.float32([centre + square, [centre[0] + square, centre[1] - square], centre - square])
    after = before + rng.uniform(-jitter, jitter, size=(3, 2)).astype(np.float32)
    forward = np.linalg.solve(np.column_stack([before, np.ones(3)]).astype(float), after).T  # (2, 3)
    back = np.linalg.inv(np.vstack([forward, [0, 0, 1]]))
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y, _ = np.einsum("ij,jhw->ihw", back, np.stack([columns, rows, np.ones_like(rows)]).astype(float))
    image = np.stack([map_coordinates(image[..., d], (y, x), order=1, mode="mirror") for d in range(3)], axis=-1)
    dx, dy = (
        gaussian(2 * _random(rng, (height, width)) - 1, sigma, mode="reflect", truncate=3) * strength for _ in range(2)
    )
    places = (rows + dy, columns + dx)
    moved = [map_coordinates(image[..., d], places, order=1, mode="reflect") for d in range(3)]
    return np.clip(np.stack(moved, axis=-1), 0, 1) * 255


def canny(levels, low, high):
    """OpenCV's Canny, pixel by pixel: Sobel, L1 length, non-maximum suppression, hysteresis."""
    x = levels.astype(int)
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    dx, dy = correlate(x, sobel, mode="nearest"), correlate(x, sobel.T, mode="nearest")
    length = np.abs(dx) + np.abs(dy)
    framed = np.pad(length, 1)
    thin = np.zeros(x.shape, dtype=bool)
    for i, j in zip(*np.nonzero(length > low), strict=True):
        m, around = length[i, j], framed[i : i + 3, j : j + 3]
        angle = math.degrees(math.atan2(abs(dy[i, j]), abs(dx[i, j])))
        if angle < 22.5:
            thin[i, j] = m > around[1, 0] and m >= around[1, 2]
        elif angle > 67.5:
            thin[i, j] = m > around[0, 1] and m >= around[2, 1]
        else:
            s = -1 if dx[i, j] * dy[i, j] < 0 else 1
            thin[i, j] = m > around[0, 1 - s] and m > around[2, 1 + s]
    edges = thin & (length > high)
    stack = list(zip(*np.nonzero(edges), strict=True))
    while stack:
        i, j = stack.pop()
        for a in range(max(0, i - 1), min(x.shape[0], i + 2)):
            for b in range(max(0, j - 1), min(x.shape[1], j + 2)):
                if thin[a, b] and not edges[a, b]:
                    edges[a, b] = True
                    stack.append((a, b))
    return edges


def chamfer(edges):
    """Distance of every pixel to the nearest edge in steps of 1, 1.4 and 2.1969, from the steps' closed form."""
    straight, diagonal, knight = 65536, 91750, 143976
    distances = np.full(edges.shape, 1 << 30)
    rows, columns = np.indices(edges.shape)
    for i, j in zip(*np.nonzero(edges), strict=True):
        apart = np.sort(np.abs([rows - i, columns - j]), axis=0)
        short, long = apart[0], apart[1]
        flat = knight * short + straight * (long - 2 * short)
        steep = knight * (long - short) + diagonal * (2 * short - long)
        distances = np.minimum(distances, np.where(2 * short <= long, flat, steep))
    return distances / 65536


def equalised(levels):
    counts = [int((levels == v).sum()) for v in range(256)]
    lowest = next(v for v in range(256) if counts[v])
    if counts[lowest] == levels.size:
        return levels
    table, total = np.zeros(256), 0
    for v in range(lowest + 1, 256):
        total += counts[v]
        table[v] = round(float(np.float32(total) * (np.float32(255) / np.float32(levels.size - counts[lowest]))))
    return np.clip(table, 0, 255).astype(np.uint8)[levels]


def spatter(image, c, rng):
    x = np.array(image, dtype=np.float32) / 255.0
    liquid = gaussian(_normal(rng, x.shape[:2]) * c[1] + c[0], sigma=c[2])
    liquid[liquid < c[3]] = 0
    if c[5] == 0:
        liquid = (liquid * 255).astype(np.uint8)
        box = np.full((3, 3), 1 / 9)
        distance = np.minimum(chamfer(canny(liquid, 50, 150)), 20)
        relief = equalised((correlate(distance, box, mode="mirror") + 1e-9).astype(np.uint8))
        lit = correlate(relief.astype(int), np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]), mode="mirror")
        light = np.rint(correlate(np.clip(lit, 0, 255).astype(float), box, mode="mirror"))
        cover = liquid * light
        cover = cover / cover.max() * c[4] if cover.max() else cover
        return np.clip(x + cover[..., None] * np.array([175, 238, 238]) / 255, 0, 1) * 255
    cover = gaussian((liquid > c[3]).astype(np.float32), sigma=c[4])
    cover[cover < 0.8] = 0
    return np.clip(x * (1 - cover[..., None]) + cover[..., None] * np.array([63, 42, 20]) / 255, 0, 1) * 255
