"""The files of a report on one evaluation, in the order in which they are written."""

from sparsescope.reporting.formats import FORMATS

RELIED_ON = ("evaluation.json", "report.html", "report.md", "junit.xml", "radar.svg", "radar.png")
"""What others rely on."""
FILES = (*RELIED_ON, *(name for name in FORMATS if name not in (*RELIED_ON, "radar")))
"""These, and what was added to the catalogue since: at its end, and as one file each."""
