"""Findings: their order, and what is shown of many."""

from __future__ import annotations

from trainlib.check.finding import Finding, count, counted, first_of_kind, ranked


def finding(severity: str, kind: str, row: int = 2) -> Finding:
    return Finding(severity, kind, "It is wrong.", "Correct it.", "train.csv", row, "a.png")  # type: ignore[arg-type]


def test_errors_come_first_and_kinds_stay_together() -> None:
    found = [finding("warning", "a"), finding("error", "b", 3), finding("error", "c", 4), finding("error", "b", 5)]
    assert [(f.kind, f.row) for f in ranked(found)] == [("b", 3), ("b", 5), ("c", 4), ("a", 2)]


def test_the_first_five_of_many_are_shown_and_the_rest_is_counted() -> None:
    found = [finding("error", "a", row) for row in range(2, 14)] + [finding("warning", "a")]
    assert [(f.row, more) for f, more in first_of_kind(found)] == [(2, 0), (3, 0), (4, 0), (5, 0), (6, 7), (2, 0)]


def test_a_single_one_is_shown_rather_than_counted() -> None:
    found = [finding("error", "a", row) for row in range(2, 8)]
    assert [more for _, more in first_of_kind(found)] == [0] * 6


def test_a_finding_reads_as_any_other_mistake() -> None:
    assert str(finding("error", "a").problem()) == "train.csv:2 (a.png): It is wrong. Correct it."
    everywhere = Finding("error", "cache", "It is full.", "Free some space.")
    assert str(everywhere.problem()) == "It is full. Free some space."


def test_numbers_have_their_noun() -> None:
    assert [counted(n, "case") for n in (0, 1, 1200)] == ["0 cases", "1 case", "1,200 cases"]
    assert count([finding("error", "a"), finding("warning", "a")], "error") == 1
