"""The report of an ensemble: what it tells, and what it tells of what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.report.ensemble.helpers import FOLDS, make_ensemble
from tests.report.helpers import Page
from trainlib.errors import ConfigError
from trainlib.folders.ensemble import Ensemble
from trainlib.report import write_report


def report_of(ensemble: Ensemble) -> Page:
    return Page(write_report(ensemble.folder.path).read_text(encoding="utf-8"))


def figure(ensemble: Ensemble, *key: str) -> pd.Series:
    table = pd.read_csv(ensemble.folder.summary, keep_default_na=False, na_values=[""]).fillna({"class": ""})
    [row] = table.set_index(["set", "model", "class", "metric"]).loc[[key]].to_dict("records")
    return pd.Series(row)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    return make_ensemble(tmp_path_factory.mktemp("report") / "heart")


@pytest.fixture(scope="module")
def page(ensemble: Ensemble) -> Page:
    return report_of(ensemble)


def test_the_first_screen_tells_what_was_done_and_what_came_out(ensemble: Ensemble, page: Page) -> None:
    text = page.text
    assert (
        "UNet for the 3-D segmentation of organ and lesion: 3 models, each trained on all but one of 3 folds of 12 "
        in text
    )
    assert "cases and scored on the one that it has not seen; tested together on 5 cases." in text
    dice = figure(ensemble, "cv", "all folds", "", "dice")
    told = f"Dice, cross-validated {dice['value']:.3f} 95 % CI {dice['low']:.3f}\N{EN DASH}{dice['high']:.3f} "
    assert told + f"± {dice['std']:.3f} over the folds" in text
    mean, middle = figure(ensemble, "test", "mean", "", "dice"), figure(ensemble, "test", "fold_2", "", "dice")
    assert f"Dice, test, mean of members {mean['value']:.3f} 95 % CI" in text
    assert f"median member {middle['value']:.3f}" in text


def test_the_table_of_cross_validation_has_all_classes_and_each(ensemble: Ensemble, page: Page) -> None:
    [table] = [rows for rows in page.tables if rows[0][0] == "Class"]
    assert [row[0] for row in table[1:]] == ["All classes", "organ", "lesion"]
    for row, group in zip(table[1:], ("", "organ", "lesion"), strict=True):
        found = figure(ensemble, "cv", "all folds", group, "hd95")
        assert row[3].startswith(f"{found['value']:.2f}")
        assert f"± {found['std']:.2f} over folds" in row[3]


def test_the_table_of_the_test_set_has_every_model(ensemble: Ensemble, page: Page) -> None:
    [table] = [rows for rows in page.tables if rows[0][0] == "Model"]
    assert [row[0] for row in table[1:]] == [*FOLDS, "mean", "vote", "STAPLE"]
    for row, model in zip(table[1:], (*FOLDS, "mean", "vote", "staple"), strict=True):
        assert row[1].startswith(f"{figure(ensemble, 'test', model, '', 'dice')['value']:.3f}")


def test_only_the_best_figure_of_a_column_is_bold(page: Page) -> None:
    body = page.source.split('aria-label="Figures on the test set"')[1].split("</table>")[0].split("<tbody>")[1]
    columns = [re.findall(r'<td class="number">(<b>)?', row) for row in body.split("</tr>")[:-1]]
    assert [sum(bool(row[place]) for row in columns) for place in range(4)] == [1, 1, 1, 1]
    assert columns[-1][0] == "<b>"  # the helper makes models better one after the other


def test_each_figure_has_one_chart_with_a_dot_for_every_member_and_fold(page: Page) -> None:
    first = page.source.split('class="headline-chart"')[1].split("</section>")[0].split("<figure")[1:]
    others = page.source.split('<section id="members">')[1].split("<table")[0].split("<figure")[1:]
    titles = [re.findall(r"<figcaption>\s*<b>(.*?)</b>", chart)[0] for chart in (*first, *others)]
    assert titles == ["Dice", "NSD", "HD95 (mm)", "ASD (mm)"]
    for chart in (*first, *others):
        names = re.findall(r"<title>([^:<]+): ", chart)
        assert sorted(names) == sorted([*FOLDS, "all folds", *FOLDS, "mean", "vote", "STAPLE"])


def test_every_id_is_used_once_and_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.source)
    [policy] = [found["content"] for found in page.attributes("meta") if "http-equiv" in found]
    assert str(policy).startswith("default-src 'none'; img-src data:;")


def test_links_lead_to_the_reports_that_exist(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path / "heart")
    ensemble.folder.member("fold_2").report.unlink()
    page = report_of(ensemble)
    links = {str(found["href"]) for found in page.attributes("a")} - {None}
    assert "fold_1/report.html" in links
    assert "fold_2/report.html" not in links
    assert "fold_2/held_out/report.html" in links
    assert all((ensemble.folder.path / link).is_file() for link in links if not link.startswith("#"))


def test_the_worst_cases_come_first_with_their_pictures(ensemble: Ensemble, page: Page) -> None:
    part = page.source.split('<section id="worst">')[1].split("</section>")[0]
    cv = pd.read_csv(ensemble.folder.cv)
    order = cv.groupby("case")["dice"].mean().sort_values().index[:6].tolist()
    assert re.findall(r"<h3>(\S+) ", part) == order
    assert part.count('<img src="data:image/png;base64,') == 6


def test_every_case_is_in_the_table_with_its_model(ensemble: Ensemble, page: Page) -> None:
    [table] = [rows for rows in page.tables if rows[0][0] == "Cases"]
    assert len(table) == 1 + 3 * 4 * 2 + 5 * 2
    assert {(row[0], row[1]) for row in table[1:]} == {("held out", name) for name in FOLDS} | {("test", "mean")}


def test_seeds_have_a_test_set_alone(tmp_path: Path) -> None:
    page = report_of(make_ensemble(tmp_path / "heart", members=("seed_1", "seed_2")))
    assert "2 models, trained on the same cases with different seeds; tested together on 5 cases." in page.text
    assert "cross-validated" not in page.text.lower()
    assert not [rows for rows in page.tables if rows[0][0] == "Class"]


def test_folds_without_a_test_set_say_so(tmp_path: Path) -> None:
    page = report_of(make_ensemble(tmp_path / "heart", test=False))
    assert "There is no test set (data.test_csv is null), so the members are not scored together." in page.text
    assert "tested together" not in page.text
    assert "Dice, cross-validated" in page.text


def test_what_is_not_finished_is_told_with_the_command(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path / "heart")
    ensemble.folder.summary.unlink()
    metrics = ensemble.folder.member("fold_2").metrics
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:3]))
    ensemble.folder.member("fold_3").config.unlink()
    text = report_of(ensemble).text
    assert "There is no summary.csv." in text
    assert "fold_3, fold_2: not trained to the end." in text
    assert "trainlib ensemble -c CONFIG --folds 3" in text
    assert "No figures yet." in text


def test_an_ensemble_of_which_nothing_was_begun_has_no_report(tmp_path: Path) -> None:
    ensemble = make_ensemble(tmp_path / "heart")
    for name in FOLDS:
        ensemble.folder.member(name).config.unlink()
    with pytest.raises(ConfigError, match="no member of the ensemble was begun yet"):
        write_report(ensemble.folder.path)


def test_names_of_classes_are_text_wherever_they_stand(tmp_path: Path) -> None:
    evil = "<script>alert(1)<\\script>"
    page = report_of(make_ensemble(tmp_path / "heart", classes=["background", evil, "b"]))
    assert "<script>alert" not in page.source
    assert len(page.scripts) == 1
    assert evil in page.text


def test_the_first_screen_says_which_figures_are_those_of_the_ensemble(page: Page, tmp_path: Path) -> None:
    assert "To quote for the ensemble: the test figures of the mean, on cases that had no part in any choice. For " in (
        page.text
    )
    folds = report_of(make_ensemble(tmp_path / "folds", test=False))
    assert "To quote: the cross-validated figures stand for a single model" in folds.text
    seeds = report_of(make_ensemble(tmp_path / "seeds", members=("seed_1", "seed_2")))
    assert "To quote for the ensemble: the test figures of the mean, on cases that had no part in any choice." in (
        seeds.text
    )
    assert "single model" not in seeds.text


def test_sentences_below_the_worst_cases_have_a_space_between_them(page: Page) -> None:
    part = page.source.split('<section id="worst">')[1].split("</section>")[0]
    assert "that was not trained on it. Outline: label; fill: prediction." in " ".join(part.split())
    assert "that was not trained on it. Outline" in page.text
