"""Image files to pixels: only by decoders of the formats that are expected, and only up to a size.

What a file is called says little: photographs named `.jpg` are PNGs now and then. So any of `FORMATS` is read under any
name. Formats that hold programs, such as PostScript, are never looked at: Pillow would start another program for them.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

__all__ = ["LARGEST_LABEL", "MOST_PIXELS", "decode", "opened", "read_label_map"]

FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP", "GIF")
"""Read under any name, and TIFF where the name says so."""
_EXACT = ("PNG", "BMP", "PPM", "GIF")
_TIFF = (".tif", ".tiff")

MOST_PIXELS = 50_000_000
"""Of one image, such as 7,000 x 7,000: decoded, and as float32 where it is not resized, it takes 25 bytes a pixel."""

LARGEST_LABEL = 65535
"""The largest label number that a label map can hold."""


@contextmanager
def opened(file: Path, formats: tuple[str, ...] = FORMATS) -> Iterator[Image.Image]:
    """Yield an image file whose header has been read, and its pixels not yet.

    Raises:
        ValueError: it is no regular file, of another format, animated, or has more than `MOST_PIXELS` pixels; and what
            the decoder raises.
    """
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("it is no regular file")
    allowed = [*formats, "TIFF"] if file.suffix.lower() in _TIFF else list(formats)
    try:
        image = Image.open(file, formats=allowed)
    except UnidentifiedImageError as error:
        raise ValueError(f"it is none of {', '.join(allowed)}, or damaged") from error
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"it has {image.width} x {image.height} pixels, and at most {MOST_PIXELS:,} are read")
        if image.format not in ("MPO", "TIFF") and getattr(image, "is_animated", False):
            raise ValueError("it is animated; save one frame of it")
        yield image


def decode(file: Path, channels: int = 3) -> Image.Image:
    """Return an image file as RGB, or grey in one channel.

    Raises what its decoder raises, and ValueError for what `opened` refuses and for more than 8 bits a channel.
    """
    with opened(file) as image:
        if image.mode.startswith(("I", "F")):  # PIL would cut 16 bits off at 255
            raise ValueError(f"its pixels have mode {image.mode}")
        rgb = image.convert("RGB")  # first, as not every mode can become grey; a grey image keeps its levels both ways
        return rgb.convert("L") if channels == 1 else rgb


def read_label_map(file: Path) -> NDArray[np.uint16]:
    """Return the label numbers (h, w) of a PNG: red + 256 green, or the values (palette indices) of a single channel.

    Raises:
        ValueError: pixels of another kind, a format that does not keep numbers exactly, or numbers above 65535; and
            what the decoder raises.
    """
    with opened(file, _EXACT) as image:
        if any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())) and image.mode in ("RGB", "RGBA"):
            raise ValueError("its pixels have 16 bits a channel, and labels are RGB of 8 bits or one channel")
        image.load()
        if image.mode in ("RGB", "RGBA"):
            pixels = np.asarray(image).astype(np.uint16)  # in uint8 the product would overflow
            return pixels[..., 0] + pixels[..., 1] * np.uint16(256)
        if image.mode not in ("L", "P", "1") and not image.mode.startswith("I"):
            raise ValueError(f"its pixels have mode {image.mode}, and labels are RGB or one channel of whole numbers")
        values = np.asarray(image)
    if values.size and not 0 <= int(values.min()) <= int(values.max()) <= LARGEST_LABEL:
        raise ValueError(f"it holds numbers outside 0 to {LARGEST_LABEL}")
    return values.astype(np.uint16)
