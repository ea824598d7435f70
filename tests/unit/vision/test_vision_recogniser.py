"""CTC decoding: runs, blanks, confidence, position, alternatives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.ocr.recogniser import Vocabulary, decode_line

VOCABULARY = Vocabulary.from_metadata({"character": "A\nB\nC\nD\nE\n"})
PROFILE = ReadingProfile()


def steps(*rows: dict[str, float]) -> npt.NDArray[np.float32]:
    """Probabilities per step; what is left over is the blank's."""
    matrix = np.zeros((len(rows), len(VOCABULARY)), np.float32)
    for row, given_ in zip(matrix, rows, strict=True):
        for character, probability in given_.items():
            row[VOCABULARY.characters.index(character)] = probability
        row[0] = 1 - sum(given_.values())
    return matrix


def test_the_vocabulary_begins_with_the_blank_and_ends_with_the_space() -> None:
    assert VOCABULARY.characters == ("", "A", "B", "C", "D", "E", " ")


@pytest.mark.parametrize("metadata", [{}, {"character": ""}])
def test_a_model_without_characters_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(DomainError) as caught:
        Vocabulary.from_metadata(metadata)
    assert caught.value.reason is Reason.MODEL_CORRUPT


def test_a_vocabulary_of_another_model_is_refused() -> None:
    with pytest.raises(DomainError) as caught:
        decode_line(np.zeros((4, 9), np.float32), 1.0, VOCABULARY, PROFILE)
    assert caught.value.reason is Reason.MODEL_CORRUPT
    assert caught.value.metadata == {"classes": "9", "characters": "7"}


def test_runs_are_one_character_and_blanks_part_doubles() -> None:
    reading = decode_line(
        steps({"A": 0.9}, {"A": 0.8}, {}, {"A": 0.7}, {"B": 0.9}, {" ": 0.6}), 1.0, VOCABULARY, PROFILE
    )
    assert reading.text == "AAB "


def test_nothing_read_has_no_confidence() -> None:
    reading = decode_line(steps({}, {}, {}), 1.0, VOCABULARY, PROFILE)
    assert (reading.text, reading.confidence, reading.characters) == ("", 0.0, ())


def test_confidence_is_the_peak_of_a_run_and_the_mean_over_characters() -> None:
    reading = decode_line(steps({"A": 0.6}, {"A": 0.9}, {}, {"B": 0.7}), 1.0, VOCABULARY, PROFILE)
    assert [c.confidence for c in reading.characters] == pytest.approx([0.9, 0.7])
    assert reading.confidence == pytest.approx(0.8)


def test_alternatives_are_the_likeliest_others_without_the_blank() -> None:
    reading = decode_line(
        steps({"A": 0.5, "B": 0.1, "C": 0.2, "D": 0.01, "E": 0.05}, {"A": 0.6, "B": 0.3}, {}),
        1.0,
        VOCABULARY,
        PROFILE,
    )
    (character,) = reading.characters
    assert [text for text, _ in character.alternatives] == ["B", "C", "E"]
    assert [p for _, p in character.alternatives] == pytest.approx([0.3, 0.2, 0.05])


def test_alternatives_below_the_floor_are_dropped() -> None:
    reading = decode_line(
        steps({"A": 0.9, "B": 0.01, "C": 0.001}), 1.0, VOCABULARY, ReadingProfile(alternative_floor=0.005)
    )
    assert [text for text, _ in reading.characters[0].alternatives] == ["B"]


def test_positions_are_shares_of_the_line_and_not_of_its_padding() -> None:
    matrix = steps({"A": 0.9}, {}, {}, {"B": 0.9}, {"B": 0.9}, {}, {}, {})
    whole = decode_line(matrix, 1.0, VOCABULARY, PROFILE)
    padded = decode_line(matrix, 0.625, VOCABULARY, PROFILE)
    assert [c.position for c in whole.characters] == pytest.approx([0.0625, 0.5])
    assert [c.position for c in padded.characters] == pytest.approx([0.1, 0.8])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_any_path_decodes_to_its_merged_classes(path: list[int]) -> None:
    matrix = np.full((len(path), len(VOCABULARY)), 0.01, np.float32)
    matrix[np.arange(len(path)), path] = 0.9
    merged = [c for n, c in enumerate(path) if c and (n == 0 or path[n - 1] != c)]
    reading = decode_line(matrix, 1.0, VOCABULARY, PROFILE)
    assert reading.text == "".join(VOCABULARY.characters[c] for c in merged)
    assert [c.position for c in reading.characters] == sorted(c.position for c in reading.characters)
    assert all(0 <= c.position <= 1 for c in reading.characters)
