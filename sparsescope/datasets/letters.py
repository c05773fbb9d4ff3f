"""`letters`: letters of matplotlib's own fonts, drawn to look like `digits`; its out-of-distribution set."""

import string
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sparsescope.benchmark import ArrayImages
from sparsescope.datasets.grey_levels import GREY_LEVELS, SIDE, upsample
from sparsescope.datasets.resizing import Resizing, resized
from sparsescope.datasets.source import WHOLE, Source
from sparsescope.errors import DataError
from sparsescope.randomness import generator

__all__ = ["FONTS", "GLYPHS", "letters", "open_letters"]

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"),
)
_LIKE_DIGITS = frozenset("DOQoIijlZzSsGbBgq")  # at 8 x 8: 0, 1, 2, 5, 6, 8, 9
GLYPHS = "".join(letter for letter in string.ascii_letters if letter not in _LIKE_DIGITS)

_CANVAS = 128  # drawn at 16 times the final resolution
_MEAN_INK, _INK_SPREAD = 0.305, 0.03  # of the digits: mean and standard deviation over images of the mean pixel


def open_letters(argument: str, resizing: Resizing) -> Source:
    """Return the letters, a source of one set without labels."""
    return Source("letters", "letters", {WHOLE: lambda: resized(letters(), resizing)})


@cache
def letters() -> ArrayImages:
    """Return 595 images 1 x 32 x 32 without labels: 35 letters in each of 17 fonts.

    Letters that a reader could take for a digit at this resolution are left out: D O Q o, I i j l, Z z, S s, G b, B,
    g q. Each letter fills the height as the digits do, is rotated by up to 8 degrees, slanted, scaled and shifted a
    little, gets strokes as heavy as the digits', and is reduced to 8 x 8 grey levels 0-16 by counting ink, which is
    how the digits were made. Then it is upsampled like them. The random draws are fixed.
    """
    pictures = [(font, glyph) for font in _fonts() for glyph in GLYPHS]
    levels = np.stack([_grey_levels(font, glyph, index) for index, (font, glyph) in enumerate(pictures)])
    return ArrayImages(upsample(levels), source="letters")


def _fonts() -> list[ImageFont.FreeTypeFont]:
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    try:
        # The basic layout: the other one needs a library that Pillow has on some systems only.
        return [
            ImageFont.truetype(folder / f"{name}.ttf", size=160, layout_engine=ImageFont.Layout.BASIC) for name in FONTS
        ]
    except OSError as error:
        raise DataError(
            f"The letters are drawn from the fonts that matplotlib brings, but one in {folder} cannot be read "
            f"({error}). Reinstall matplotlib, or choose another set with --ood."
        ) from error


def _grey_levels(font: ImageFont.FreeTypeFont, glyph: str, index: int) -> NDArray[np.int64]:
    """Return one letter as grey levels (8, 8)."""
    rng = generator(0, "datasets/letters", index)
    drawn = _place(_outline(font, glyph), rng).filter(ImageFilter.GaussianBlur(3.5))
    grey = np.asarray(drawn, dtype=np.float64).ravel()
    # Blurring and cutting at the rank of the wanted ink makes thin strokes thicker and thick ones thinner.
    wanted = round(grey.size * float(np.clip(rng.normal(_MEAN_INK, _INK_SPREAD), 0.24, 0.38)))
    threshold = max(np.partition(grey, -wanted)[-wanted], 1)
    block = _CANVAS // SIDE
    ink = (grey >= threshold).reshape(SIDE, block, SIDE, block).mean(axis=(1, 3))
    levels: NDArray[np.int64] = np.rint(ink * GREY_LEVELS).astype(np.int64)
    return levels


def _outline(font: ImageFont.FreeTypeFont, glyph: str) -> Image.Image:
    left, top, right, bottom = font.getbbox(glyph)
    picture = Image.new("L", (round(right - left) + 2, round(bottom - top) + 2))
    ImageDraw.Draw(picture).text((1 - left, 1 - top), glyph, fill=255, font=font)
    return picture.crop(picture.getbbox())


def _place(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the letter on the canvas: full height, the digits' proportions, slightly rotated, slanted and shifted."""
    width, height = picture.size
    new_height = _CANVAS * rng.uniform(0.94, 1.0)
    new_width = _CANVAS * float(np.clip(width / height, 0.5, 0.72)) * rng.uniform(0.9, 1.0)
    angle = np.deg2rad(rng.uniform(-8, 8))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, rng.uniform(-0.12, 0.12)], [0, 1]])
    centre = _CANVAS / 2 + rng.uniform(-4, 4, size=2)
    # PIL wants the map from the canvas back to the picture.
    back = np.linalg.inv(rotation @ slant @ np.diag([new_width / width, new_height / height]))
    offset = np.array([width / 2, height / 2]) - back @ centre
    matrix = (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1])
    return picture.transform((_CANVAS, _CANVAS), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
