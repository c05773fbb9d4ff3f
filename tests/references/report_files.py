"""The files of a report on one evaluation, in the order in which they are written: what others rely on."""

FILES = ("evaluation.json", "report.html", "report.md", "junit.xml", "radar.svg", "radar.png")
