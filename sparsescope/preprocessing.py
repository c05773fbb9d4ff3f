"""How an architecture's images are normalised unless something better is known."""

from dataclasses import dataclass

__all__ = ["CIFAR10", "IMAGENET", "Preprocessing"]


@dataclass(frozen=True)
class Preprocessing:
    """Normalisation, input size, and how images are brought to it.

    Args:
        mean: per-channel mean, in [0, 1] units.
        std: per-channel standard deviation, > 0.
        size: height and width of the images in pixels; None where any size will do or it is unknown.
        resize: pixels of the shorter side before the centre crop to `size`; None where unknown.
        interpolation: how images are resized; None where unknown.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int | None = None
    resize: int | None = None
    interpolation: str | None = None

    def in_words(self, *, beside: "Preprocessing | None" = None) -> str:
        """Return how images are prepared, in one clause; without the normalisation where it is that of `beside`."""
        words = [f"{word} {size}" for word, size in (("resize", self.resize), ("crop", self.size)) if size is not None]
        words += [self.interpolation] if self.interpolation is not None else []
        if beside is None or (self.mean, self.std) != (beside.mean, beside.std):
            mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (self.mean, self.std))
            words.append(f"mean ({mean}), std ({std})")
        return ", ".join(words)


IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), size=224)

CIFAR10 = Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616), size=32)
"""Mean and standard deviation of the CIFAR-10 training images."""
