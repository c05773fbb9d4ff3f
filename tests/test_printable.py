"""Texts of others cannot command a terminal, and cells of tables are no formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsescope.errors import DataError, NotEvaluated, SparsescopeWarning
from sparsescope.printable import cell, printable


@given(st.text(st.characters()))
def test_no_control_character_is_left_and_other_texts_stay(text: str) -> None:
    shown = printable(text)
    assert all(character.isprintable() or character in "\n\t" or ord(character) > 127 for character in shown)
    assert not {"\x1b", "\x9b", "\r", "\u202e"} & set(shown)
    shown.encode()  # no halves of surrogate pairs
    if text.isprintable():
        assert shown == text


def test_what_was_hidden_is_spelled_out() -> None:
    assert printable("a\x1b]0;x\x07b\u202ec\udc80\n") == "a\\x1b]0;x\\x07b\\u202ec\\udc80\n"


@pytest.mark.parametrize("kind", [DataError, NotEvaluated, SparsescopeWarning])
def test_errors_and_warnings_of_ours_are_printable(kind: type[Exception]) -> None:
    assert str(kind("no file \x1b[2J.jpg")) == "no file \\x1b[2J.jpg"
    assert str(kind()) == ""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_texts_that_a_spreadsheet_would_compute_begin_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [-1, -0.5, 2.5, True, None, "conv1", "0.5 0.6", ""])
def test_numbers_and_plain_texts_stay(value: object) -> None:
    assert cell(value) == value
