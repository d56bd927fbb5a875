"""How findings are told."""

from __future__ import annotations

import logging

import pytest

from trainlib.debug.finding import Finding, as_lines, made, ranked, summary
from trainlib.words import first_few

OK, WARNING, PROBLEM = Finding("a", "ok", "good"), Finding("bee", "warning", "hm"), Finding("c", "problem", "no")


def test_the_gravest_finding_is_told_last_where_it_is_read() -> None:
    other = Finding("d", "ok", "fine")
    assert [line.split() for line in as_lines([OK, PROBLEM, other, WARNING])] == [
        ["ok", "a", "good"],
        ["ok", "d", "fine"],
        ["WARNING", "bee", "hm"],
        ["PROBLEM", "c", "no"],
    ]
    assert ranked([OK, PROBLEM, WARNING]) == [PROBLEM, WARNING, OK]


def test_long_texts_are_wrapped_under_their_beginning() -> None:
    lines = as_lines([Finding("loss", "ok", "word " * 60)])
    assert len(lines) > 2
    assert max(map(len, lines)) <= 110
    assert {line.index("word") for line in lines} == {lines[0].index("word")}


@pytest.mark.parametrize(
    ("findings", "sentence"),
    [
        ([OK], "1 check, nothing found."),
        ([OK, OK], "2 checks, nothing found."),
        ([OK, WARNING], "No problems and 1 warning found."),
        ([PROBLEM, PROBLEM, WARNING], "2 problems and 1 warning found."),
        ([PROBLEM], "1 problem and no warnings found."),
    ],
)
def test_the_summary_counts(findings: list[Finding], sentence: str) -> None:
    assert summary(findings) == sentence


def test_a_check_that_fails_is_told_with_its_traceback_and_the_others_are_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Finding:
        raise ValueError("no such thing")

    with caplog.at_level(logging.WARNING):
        found = made([("a", lambda: OK), ("network", broken), ("c", lambda: PROBLEM)])
    text = "This check could not be made: ValueError: no such thing."
    assert found == [OK, Finding("network", "warning", text), PROBLEM]
    assert caplog.records[0].exc_info is not None


def test_many_names_are_counted() -> None:
    assert first_few(["a", "b"]) == "a, b"
    assert first_few(list("abcdefg")) == "a, b, c, d, e and 2 more"
