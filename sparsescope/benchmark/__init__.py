"""The images of one task. Pixels are float32 in [0, 1], (N, C, H, W); normalisation is the model's.

task       Benchmark: test, training, out-of-distribution, corrupted and probe images
images     ImageSet, ArrayImages: images read by index
corrupted  CorruptedSet: stored corrupted copies of the test images
probe      ProbeSet: images with labelled concepts
sampling   stratified samples
"""

from sparsescope.benchmark.corrupted import CorruptedSet
from sparsescope.benchmark.images import ArrayImages, ImageSet
from sparsescope.benchmark.probe import Concept, ProbeSet
from sparsescope.benchmark.sampling import stratified_sample
from sparsescope.benchmark.task import Benchmark, OodGroup

__all__ = [
    "ArrayImages",
    "Benchmark",
    "Concept",
    "CorruptedSet",
    "ImageSet",
    "OodGroup",
    "ProbeSet",
    "stratified_sample",
]
