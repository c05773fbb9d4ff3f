"""How long something takes, in words."""

import pytest

from sparsescope.cli.progress import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (40, "40 s"),
        (89.6, "90 s"),
        (720, "12 min"),
        (5400, "1.5 h"),
        (47.9 * 3600, "47.9 h"),
        (2757.3 * 3600, "115 days"),
        (270_295.5 * 3600, "31 years"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
