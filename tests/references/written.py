"""Evaluations as version 0.1 wrote them, before metrics carried their sentence and details had types.

`demo` is that of `sparsescope demo`, `real` one of three ResNet-20; folders were taken out of their paths.
"""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["part_of", "written"]

FOLDER = Path(__file__).parents[1] / "results" / "written"


def written(name: str) -> Any:
    """Return the content of an evaluation, `demo` or `real`."""
    return json.loads(gzip.decompress((FOLDER / f"evaluation-0.1-{name}.json.gz").read_bytes()))


def part_of(content: Any, metrics: Sequence[str]) -> Any:
    """Return the evaluation of some of the metrics, which is reported sooner."""
    places = [place for place, name in enumerate(content["radar"]["axes"]) if name in metrics]

    def chosen(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {model: [row[place] for place in places] for model, row in rows.items()}

    radar = content["radar"]
    return {
        **content,
        "metrics": [metric for metric in content["metrics"] if metric["name"] in metrics],
        "verdicts": {
            model: {
                **verdict,
                "metrics": {name: found for name, found in verdict["metrics"].items() if name in metrics},
                "paper": {
                    **verdict["paper"],
                    "metrics": {name: found for name, found in verdict["paper"]["metrics"].items() if name in metrics},
                },
            }
            for model, verdict in content["verdicts"].items()
        },
        "radar": {
            **radar,
            "axes": [radar["axes"][place] for place in places],
            "values": chosen(radar["values"]),
            "bands": chosen(radar["bands"]),
        },
    }
