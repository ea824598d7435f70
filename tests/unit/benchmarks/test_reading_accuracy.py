"""Character errors and words, counted whatever the order of lines and the cuts between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ocr.metrics import Accuracy, Line, accuracy, row_pairs, rows, words

UPPER = Line("Invoice 12", (10, 10, 210, 40))
LOWER = Line("Total 7.50", (10, 60, 210, 90))


def test_a_perfect_reading_has_no_errors() -> None:
    found = accuracy([UPPER, LOWER], [UPPER, LOWER])
    assert (found.character_error_rate, found.word_f1) == (0.0, 1.0)


def test_the_order_of_lines_does_not_count() -> None:
    assert accuracy([UPPER, LOWER], [LOWER, UPPER]).edits == 0


def test_a_line_cut_in_two_counts_as_the_whole_line() -> None:
    pieces = [Line("12", (160, 12, 210, 38)), Line("Invoice", (10, 10, 150, 40))]
    assert accuracy([UPPER], pieces) == accuracy([UPPER], [UPPER])


def test_lines_read_as_one_count_as_what_stands_side_by_side() -> None:
    truth = [Line("Total", (10, 10, 100, 40)), Line("7.50", (160, 14, 210, 42))]
    assert accuracy(truth, [Line("Total 7.50", (10, 10, 210, 42))]).edits == 0


def test_each_wrong_missing_or_added_character_is_one_edit() -> None:
    found = accuracy([Line("abcd", (0, 0, 40, 10))], [Line("abXde", (0, 0, 40, 10))])
    assert (found.edits, found.characters) == (2, 4)


def test_a_line_that_was_not_read_costs_all_its_characters() -> None:
    found = accuracy([UPPER, LOWER], [UPPER])
    assert (found.edits, found.characters) == (9, 18)
    assert (found.words_right, found.words_read, found.words_true) == (2, 2, 4)


def test_text_where_there_is_none_costs_its_characters() -> None:
    stray = Line("xyz", (500, 500, 560, 530))
    assert accuracy([UPPER], [UPPER, stray]).edits == 3


def test_case_width_and_white_space_do_not_count_as_character_errors() -> None:
    box = (0.0, 0.0, 100.0, 20.0)
    assert accuracy([Line("NO.53 JALAN", box)], [Line("no. 53 Ｊalan", box)]).edits == 0


def test_white_space_counts_for_words() -> None:
    box = (0.0, 0.0, 100.0, 20.0)
    found = accuracy([Line("one two", box)], [Line("onetwo", box)])
    assert found.word_f1 == 0.0


def test_a_word_counts_as_often_as_it_occurs() -> None:
    box = (0.0, 0.0, 100.0, 20.0)
    found = accuracy([Line("a a b", box)], [Line("a b b", box)])
    assert found.words_right == 2
    assert found.word_f1 == pytest.approx(2 / 3)


def test_a_line_belongs_to_the_row_it_covers_most() -> None:
    between = Line("Total 7.50", (10, 36, 210, 88))
    assert row_pairs([UPPER, LOWER], [between]) == [("Invoice 12", ""), ("Total 7.50", "Total 7.50")]


def test_lines_one_below_the_other_are_two_rows() -> None:
    assert rows([LOWER, UPPER]) == [[UPPER], [LOWER]]


def test_lines_that_overlap_in_width_are_two_rows_even_at_one_height() -> None:
    above = Line("a", (0, 0, 100, 20))
    crossing = Line("b", (0, 5, 100, 25))
    assert rows([above, crossing]) == [[above], [crossing]]


def test_counts_add_up_before_rates_are_taken() -> None:
    whole = Accuracy(1, 10, 3, 4, 5) + Accuracy(3, 30, 1, 1, 1)
    assert whole.character_error_rate == pytest.approx(0.1)
    assert whole.word_f1 == pytest.approx(2 * 4 / (5 + 6))


def test_nothing_read_of_nothing_is_perfect_and_something_read_of_nothing_is_not() -> None:
    assert accuracy([], []).character_error_rate == 0.0
    assert accuracy([], [UPPER]).character_error_rate == 1.0


@given(st.lists(st.text(alphabet="ab 1", min_size=1, max_size=6), max_size=6))
def test_reading_the_truth_is_perfect_for_any_text(texts: list[str]) -> None:
    lines = [Line(text, (0, 30 * place, 100, 30 * place + 20)) for place, text in enumerate(texts)]
    found = accuracy(lines, lines[::-1])
    assert found.edits == 0
    assert found.words_right == words(lines).total()
