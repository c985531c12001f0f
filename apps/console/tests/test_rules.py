"""The console's pure decisions."""

import pytest

from apps.console.rules import DrainAnswer, csv_cell, differences, label_of, may_drain

READY, DRAINING, UNREADY = "ready", "draining", "unready"


@pytest.mark.parametrize(
    ("states", "ordered", "answer"),
    [
        ({"a": READY, "b": READY}, (), DrainAnswer.YES),
        ({"a": READY}, (), DrainAnswer.LAST),
        ({"a": READY, "b": UNREADY}, (), DrainAnswer.LAST),
        ({"a": READY, "b": DRAINING}, (), DrainAnswer.LAST),
        ({"a": READY, "b": READY}, ("b",), DrainAnswer.LAST),
        ({"a": READY, "b": READY, "c": READY}, ("b",), DrainAnswer.YES),
        ({"a": UNREADY, "b": READY}, (), DrainAnswer.YES),
        ({"a": UNREADY, "b": UNREADY}, (), DrainAnswer.LAST),
        ({"a": DRAINING, "b": READY}, (), DrainAnswer.DRAINING),
        ({"a": READY, "b": READY}, ("a",), DrainAnswer.DRAINING),
        ({"b": READY}, (), DrainAnswer.UNKNOWN),
    ],
)
def test_an_instance_may_be_drained_only_while_another_one_is_ready_and_stays(
    states: dict[str, str], ordered: tuple[str, ...], answer: DrainAnswer
) -> None:
    assert may_drain("a", states=states, ordered=ordered) is answer


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(start: str) -> None:
    assert csv_cell(f"{start}HYPERLINK()") == f"'{start}HYPERLINK()"


@pytest.mark.parametrize(
    ("value", "cell"), [(None, ""), (-5, "-5"), (0.5, "0.5"), ("a=b", "a=b"), (True, "True")]
)
def test_other_cells_are_as_they_are(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


def test_counts_are_the_differences_of_totals() -> None:
    assert differences([10, 12, 12, 20], from_nothing=False) == [2, 0, 8]


def test_a_life_that_began_within_the_hour_counts_from_nothing() -> None:
    assert differences([None, None, 5, 6], from_nothing=True) == [0, 5, 1]


def test_a_life_that_was_only_not_heard_before_does_not_count_its_whole_past_at_once() -> None:
    assert differences([None, 5000, 5001], from_nothing=False) == [0, 1]


def test_what_was_counted_while_nobody_was_heard_is_in_the_step_that_ends_the_gap() -> None:
    assert differences([1, None, None, 7], from_nothing=False) == [0, 0, 6]


def test_a_total_never_counts_backwards() -> None:
    assert differences([9, 3], from_nothing=False) == [0]


def test_nothing_at_all_makes_no_counts() -> None:
    assert differences([], from_nothing=True) == []


@pytest.mark.parametrize(("text", "label"), [("abc", "abc"), ("abcd", "ab…")])
def test_a_label_is_cut_where_it_is_too_long(text: str, label: str) -> None:
    assert label_of(text, 3) == label
