from __future__ import annotations

import pytest

from trainlib.suggest import did_you_mean, nearest

FEW = ["max_epochs", "min_epochs", "devices"]
MANY = [f"setting_{letter * 3}" for letter in "abcdefghijklm"]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("max_epoch", "max_epochs"),
        ("MAX_EPOCHS", "max_epochs"),
        ("maxepochs", "max_epochs"),
        ("device", "devices"),
        ("zzz", None),
        ("", None),
    ],
)
def test_the_most_similar_name_is_found_whatever_its_case(name: str, match: str | None) -> None:
    assert nearest(name, FEW) == match


def test_nothing_is_near_where_there_is_nothing() -> None:
    assert nearest("a", []) is None
    assert did_you_mean("a", []) == ""


def test_a_higher_cutoff_wants_more_likeness() -> None:
    assert nearest("max_epo", FEW) == "max_epochs"
    assert nearest("max_epo", FEW, cutoff=0.9) is None


@pytest.mark.parametrize(
    ("name", "candidates", "sentence"),
    [
        ("max_epoch", FEW, " Did you mean trainer.max_epochs?"),
        ("zzz", FEW, " Choose from: devices, max_epochs, min_epochs."),
        ("zzz", [*FEW, "devices"], " Choose from: devices, max_epochs, min_epochs."),
        ("zzz", MANY, ""),
    ],
)
def test_a_hint_is_a_question_or_a_short_list(name: str, candidates: list[str], sentence: str) -> None:
    assert did_you_mean(name, candidates, "trainer.") == sentence
