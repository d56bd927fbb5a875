"""The most confident mistakes."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.report.classification.helpers import (
    BINARY,
    LABELS,
    SEVERAL,
    make_classification,
    predicted,
    report_of,
    split_table,
    table_of,
)
from trainlib.report.classification.mistakes import Mistake, worst_mistakes
from trainlib.report.classification.predictions import predictions_of
from trainlib.report.load import read_content


def mistakes(run: Path) -> list[Mistake]:
    content = read_content(run)
    found = predictions_of(content.cases, content.config, content.split)
    assert found is not None
    return worst_mistakes(content, found)


def test_they_are_the_six_wrong_cases_with_the_most_probable_wrong_class(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    table = pd.read_csv(run / "cases.csv").query("split == 'test' and label != prediction")
    table["sure"] = [row[f"probability_{row['prediction']}"] for _, row in table.iterrows()]
    wanted = table.sort_values("sure", ascending=False, kind="stable").head(6)
    found = mistakes(run)
    assert [mistake.case for mistake in found] == wanted["case"].tolist()
    for mistake, row in zip(found, wanted.to_dict("records"), strict=True):
        assert dict(mistake.facts) == {
            "True": row["label"],
            "Predicted": row["prediction"],
            "Probability": f"{row['sure']:.4f}",
            "Of the true class": f"{row['probability_' + row['label']]:.4f}",
        }


def test_their_pictures_are_in_the_page(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    names = [mistake.case for mistake in mistakes(run)]
    for i, name in enumerate(names):
        Image.new("RGB", (10, 10), (i, 0, 0)).save(run / "pictures" / "test" / f"{name}.png")
    page = report_of(run)
    images = [base64.b64decode(str(image["src"]).split(",")[1]) for image in page.attributes("img")][1:]
    assert images == [(run / "pictures" / "test" / f"{name}.png").read_bytes() for name in names]


def test_a_missing_picture_is_told(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    name = mistakes(run)[2].case
    (run / "pictures" / "test" / f"{name}.png").unlink()
    assert f"There is no picture of {name}." in report_of(run).text
    for picture in (run / "pictures" / "test").iterdir():
        picture.unlink()
    assert "There are no pictures of the test cases (pictures/test/)." in report_of(run).text


def test_a_multi_label_case_shows_its_surest_wrong_label(tmp_path: Path) -> None:
    targets = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]])
    likely = np.array([[0.9, 0.1, 0.7], [0.1, 0.2, 0.04], [0.9, 0.9, 0.9], [0.1, 0.98, 0.6]])
    table = table_of("test", ["a", "b", "c", "d"], LABELS, likely, targets)
    found = mistakes(make_classification(tmp_path / "run", LABELS, multilabel=True, table=table))
    assert [mistake.case for mistake in found] == ["d", "b", "a"]
    assert found[0].facts == [
        ("True", "none"),
        ("Predicted", "effusion, nodule"),
        ("Surest mistake", "effusion, wrongly predicted"),
        ("Probability of effusion", "0.9800"),
    ]
    assert found[1].facts[2:] == [("Surest mistake", "nodule, missed"), ("Probability of nodule", "0.0400")]


def test_without_a_mistake_it_is_said(tmp_path: Path) -> None:
    table = split_table("test", BINARY, 40, False)
    run = make_classification(tmp_path / "run", BINARY, table=table[table["label"] == table["prediction"]])
    assert "Every test case is predicted rightly." in report_of(run).text


def test_the_number_of_wrong_cases_is_told(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    likely, targets = predicted(run, "test", SEVERAL)
    wrong = int((likely.argmax(axis=1) != targets).sum())
    assert wrong > 6
    assert f"6 of {wrong} wrong test cases, those whose wrong class was held most probable." in report_of(run).text
