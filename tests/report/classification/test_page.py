"""The page of a classification as a whole: whatever the classes are called and the table lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.report.classification.helpers import (
    BINARY,
    LABELS,
    SEVERAL,
    make_classification,
    report_of,
    table_named,
)
from tests.report.helpers import change_cases
from tests.report.test_report import harmless

NAMES = ["<script>alert(1)<\\script>", 'a, "quoted"', "with_under_score", "NA", "007", "label", " $x_1$ "]


@pytest.mark.parametrize("multilabel", [False, True])
def test_any_name_of_a_class_is_read_and_written_as_it_is(tmp_path: Path, multilabel: bool) -> None:
    run = make_classification(tmp_path / "run", NAMES, multilabel=multilabel)
    page = report_of(run)
    assert harmless(page)
    assert "What is missing" not in page.text
    assert [row[0] for row in page.tables[0][2:]] == [name.strip() for name in NAMES]
    table = pd.read_csv(run / "classification_report.csv", dtype=str, keep_default_na=False)
    assert table["class"].tolist() == [*NAMES, "all classes (mean)"] * 2


@pytest.mark.parametrize(("classes", "multilabel"), [(BINARY, False), (SEVERAL, False), (LABELS, True)])
def test_links_ids_colours_and_headings_fit_together(tmp_path: Path, classes: list[str], multilabel: bool) -> None:
    page = report_of(make_classification(tmp_path / "run", classes, multilabel=multilabel))
    assert "What is missing" not in page.text
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"])[1:] for tag, attributes in page.tags if tag in ("a", "use")]
    assert set(links) <= set(ids)
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", page.source))
    assert used <= set(re.findall(r"(--[a-z0-9-]+)\s*:", page.source))
    charts = re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)
    assert not any(re.search(r"#[0-9a-fA-F]{6}\b", chart) for chart in charts)


def test_the_first_screen_says_what_was_trained_on_what(tmp_path: Path) -> None:
    text = report_of(make_classification(tmp_path / "run", SEVERAL)).text
    assert "DenseNet for the 2-D classification into normal, benign and malignant, trained on 5 cases" in text
    labels = report_of(make_classification(tmp_path / "labels", LABELS, multilabel=True)).text
    assert "for the 2-D multi-label classification of cardiomegaly, effusion and nodule, trained on" in labels


def test_every_case_stands_in_the_table_the_test_cases_first(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    cases = pd.read_csv(run / "cases.csv")
    shown = table_named(report_of(run), "Split", "Case")[1:]
    assert [row[0] for row in shown] == ["test"] * 60 + ["validation"] * 40
    by_case = {row[1]: row for row in shown}
    for case in cases.to_dict("records"):
        right = "right" if case["label"] == case["prediction"] else "wrong"
        found = by_case[case["case"]]
        assert found[2:5] == [case["label"], case["prediction"], right]
        assert found[5:7] == [f"{case['probability_' + case[key]]:.4f}" for key in ("prediction", "label")]
        assert found[7:] == [f"{case['probability_' + name]:.4f}" for name in SEVERAL]


def test_the_table_of_a_multi_label_task_lists_the_labels_of_each_case(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", LABELS, multilabel=True)
    case = pd.read_csv(run / "cases.csv").iloc[-1]
    shown = {row[1]: row for row in table_named(report_of(run), "Split", "Case")}[case["case"]]
    for column, kind in ((2, "label"), (3, "prediction")):
        assert shown[column] == (", ".join(name for name in LABELS if case[f"{kind}_{name}"]) or "none")
    assert shown[5] == str(sum(case[f"label_{name}"] != case[f"prediction_{name}"] for name in LABELS))


def test_the_validation_gets_charts_of_the_logged_metrics(tmp_path: Path) -> None:
    several = report_of(make_classification(tmp_path / "several", SEVERAL)).text
    assert "AUROC in validation higher is better normal benign malignant mean over classes" in several
    assert "Accuracy in validation higher is better accuracy balanced accuracy" in several
    binary = report_of(make_classification(tmp_path / "binary", BINARY)).text
    assert "AUROC in validation of malignant, higher is better" in binary


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"probability_benign": ""}, "probability_benign of case valid_000 holds nothing, expected a probability"),
        ({"probability_benign": 1.5}, "probability_benign of case valid_000 holds 1.5, expected a probability"),
        ({"probability_benign": "much"}, "column probability_benign: Unable to parse string"),
        ({"label": "other"}, "label of case valid_000 holds 'other', expected one of data.classes"),
    ],
)
def test_a_table_from_which_no_honest_figure_follows_is_not_used(
    tmp_path: Path, columns: dict[str, object], told: str
) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    change_cases(run, **columns)
    page = report_of(run)
    assert told in page.text
    assert "No case has been scored, so there are no metrics." in page.text
    assert not (run / "classification_report.csv").exists()


def test_a_wrong_label_of_a_multi_label_task_is_told(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", LABELS, multilabel=True)
    change_cases(run, label_nodule=2)
    assert "label_nodule of case valid_000 holds 2, expected 0 or 1." in report_of(run).text


def test_a_table_without_a_class_of_the_config_is_told(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    pd.read_csv(run / "cases.csv").drop(columns="probability_normal").to_csv(run / "cases.csv", index=False)
    assert "cases.csv cannot be used: it has no column probability_normal." in report_of(run).text


@pytest.mark.parametrize("gone", ["cases.csv", "logs/metrics.csv", "config classes"])
def test_there_is_a_report_whatever_is_absent(tmp_path: Path, gone: str) -> None:
    run = make_classification(tmp_path / "run", BINARY)
    if gone == "config classes":
        config = run / "config.yaml"
        config.write_text(
            re.sub(r"classes:\n(  - \w+\n)+", "classes: [<script>alert(1)</script>, b]\n", config.read_text())
        )
    else:
        (run / gone).unlink()
    page = report_of(run)
    assert harmless(page)
    assert "What is missing" in page.text
    assert 'id="mistakes"' in page.source


def test_predictions_that_the_probabilities_do_not_lead_to_are_told(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", BINARY)
    table = pd.read_csv(run / "cases.csv")
    other = table.index[table["split"] == "test"][:3]
    table.loc[other, "prediction"] = table.loc[other, "prediction"].map({"benign": "malignant", "malignant": "benign"})
    table.to_csv(run / "cases.csv", index=False)
    assert (
        "The predictions of 3 cases in cases.csv are not those that the probabilities lead to." in report_of(run).text
    )
