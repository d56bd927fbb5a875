"""Means over cases and classes against hand computation."""

import math

import numpy as np
import pytest

from trainlib.metrics.summary import summarise

NAN = math.nan


def row(name, dice, hd=NAN, outcome="found"):
    return {"class": name, "dice": dice, "hd": hd, "hd95": hd, "asd": hd, "nsd": NAN, "outcome": outcome}


def test_the_headline_is_the_mean_over_classes_of_the_mean_over_cases():
    # Over all rows alike it would be 0.65.
    rows = [row("liver", 0.9), row("tumour", 0.2), row("liver", 0.7), row("liver", 0.8)]
    summary = summarise(rows, metrics=["dice"])
    assert summary["dice/liver"] == pytest.approx(0.8)
    assert summary["dice/tumour"] == pytest.approx(0.2)
    assert summary["dice"] == pytest.approx(0.5)


def test_nan_is_left_out_of_the_means():
    rows = [row("liver", 0.9, 2.0), row("liver", NAN, outcome="absent"), row("liver", 0.5, 4.0)]
    summary = summarise(rows)
    assert summary["dice"] == summary["dice/liver"] == pytest.approx(0.7)
    assert summary["hd"] == summary["hd/liver"] == pytest.approx(3.0)


def test_a_class_that_is_absent_everywhere_is_left_out():
    rows = [row("vessel", NAN, outcome="absent"), row("liver", 0.6)]
    summary = summarise(rows)
    assert summary == {"dice": 0.6, "dice/liver": 0.6, "missed": 0.0, "false_positive": 0.0}


def test_a_metric_that_was_not_computed_is_left_out():
    summary = summarise([row("liver", 0.6, 3.0)])
    assert not any(key.startswith("nsd") for key in summary)
    assert summary["hd95"] == 3.0


def test_only_counts_remain_if_all_is_absent():
    assert summarise([row("liver", NAN, outcome="absent")]) == {"missed": 0.0, "false_positive": 0.0}


def test_missed_and_invented_structures_count_in_the_means_and_by_number():
    rows = [
        row("liver", 1.0, 0.0),
        row("tumour", 0.0, 30.0, "missed"),
        row("liver", 0.0, 30.0, "false_positive"),
        row("tumour", 0.0, 30.0, "missed"),
    ]
    summary = summarise(rows)
    assert (summary["missed"], summary["false_positive"]) == (2.0, 1.0)
    assert summary["dice"] == pytest.approx(0.25)
    assert summary["hd"] == pytest.approx((15 + 30) / 2)


def test_keys_stand_in_the_order_of_metrics_and_of_first_appearance():
    rows = [row("b", NAN, outcome="absent"), row("a", 0.5, 1.0), row("b", 0.7, 2.0)]
    summary = summarise(rows, metrics=("hd", "dice"))
    assert list(summary) == ["hd", "hd/b", "hd/a", "dice", "dice/b", "dice/a", "missed", "false_positive"]


def test_no_rows_give_an_empty_summary():
    assert summarise([]) == {}


def test_a_metric_that_the_rows_do_not_have_is_an_error():
    with pytest.raises(KeyError, match="dise"):
        summarise([row("liver", 0.5)], metrics=["dise"])


def test_many_random_rows_agree_with_numpy_in_any_order():
    rng = np.random.default_rng(0)
    values = rng.random((200, 3))
    values[rng.random((200, 3)) < 0.2] = np.nan
    rows = [row(f"c{index}", float(value)) for case in values for index, value in enumerate(case)]
    expected = np.nanmean(values, axis=0)
    for order in (np.arange(600), rng.permutation(600)):
        summary = summarise([rows[index] for index in order])
        assert summary["dice"] == pytest.approx(expected.mean(), rel=1e-12)
        assert [summary[f"dice/c{index}"] for index in range(3)] == pytest.approx(list(expected), rel=1e-12)


def test_the_values_are_plain_floats():
    rows = [row("liver", np.float64(0.5), np.float32(2.0)), row("liver", 0.25, 1.0, "missed")]
    assert all(type(value) is float for value in summarise(rows).values())
