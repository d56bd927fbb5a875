"""The report as a whole: its numbers, its safety, and that it is one file."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import trainlib.report
from tests.report.helpers import Page, case_table, make_run
from trainlib.errors import ConfigError
from trainlib.report import write_report

DIGITS = {"dice": 3, "nsd": 3, "hd95": 2, "asd": 2, "hd": 2}
EVIL = "<script>alert(1)<\\script><img src=x onerror=alert(2)> \"'&amp; $x^2$ {{ 7*7 }}"


def report_of(run: Path) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_the_numbers_equal_those_that_pandas_computes_from_the_table_of_cases(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv")
    test = table[table["split"] == "test"]
    mean, median = (getattr(test.groupby("class", sort=False)[[*DIGITS]], name)() for name in ("mean", "median"))
    shown = report_of(run).tables[0][1:]
    for row, name in zip(shown[2::2], ("organ", "lesion"), strict=True):
        assert row[:2] == [name, "mean"]
        assert [cell.split()[0] for cell in row[2:7]] == [f"{mean[m][name]:.{d}f}" for m, d in DIGITS.items()]
    for row, name in zip(shown[3::2], ("organ", "lesion"), strict=True):
        assert [cell.split()[0] for cell in row[1:6]] == [f"{median[m][name]:.{d}f}" for m, d in DIGITS.items()]
    headline = [[cell.split()[0] for cell in cells] for cells in (shown[0][2:7], shown[1][1:6])]
    assert headline == [[f"{t[m].mean():.{d}f}" for m, d in DIGITS.items()] for t in (mean, median)]
    counts = test.groupby("class", sort=False)["outcome"].value_counts().unstack(fill_value=0)
    for row, name in zip(shown[2::2], ("organ", "lesion"), strict=True):
        expected = [7, *(counts.get(o, {}).get(name, 0) for o in ("missed", "false_positive", "absent"))]
        assert row[7:] == [str(int(number)) for number in expected]
    assert shown[0][7:] == ["7", "1", "1", "1"]


def test_the_intervals_are_percentiles_over_resampled_cases(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", report={"resamples": 500})
    table = pd.read_csv(run / "cases.csv")
    lesion = table[(table["split"] == "test") & (table["class"] == "lesion")]["dice"].dropna().to_numpy()
    draws = np.random.default_rng(7).integers(len(lesion), size=(500, len(lesion)))
    shown = report_of(run).tables[0]
    for row, column, statistic in ((shown[5], 2, np.mean), (shown[6], 1, np.median)):
        low, high = np.percentile([statistic(lesion[draw]) for draw in draws], [2.5, 97.5])
        assert row[column].split()[1] == f"{low:.3f}\N{EN DASH}{high:.3f}"


def test_the_interval_of_all_classes_keeps_the_classes_of_a_case_together(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv")
    opposite = table["class"].map({"organ": 1, "lesion": -1}) * table.groupby("class").cumcount() / 100
    table.assign(dice=0.5 + opposite, outcome="found").to_csv(run / "cases.csv", index=False)
    overall, organ = (report_of(run).tables[0][row][2].split() for row in (1, 3))
    assert overall[1] == "0.500\N{EN DASH}0.500"
    assert organ[1] != overall[1]


def test_every_case_stands_in_the_table_with_its_numbers(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv")
    [shown] = [rows for rows in report_of(run).tables if rows[0][:2] == ["Split", "Case"]]
    assert len(shown) == 1 + len(table)
    by_case = {(row[1], row[2]): row for row in shown[1:]}
    for row in table.to_dict("records"):
        found = by_case[row["case"], row["class"]]
        assert found[0] == {"test": "test", "valid": "validation"}[row["split"]]
        dash = "\N{EN DASH}"
        assert found[3] == (dash if np.isnan(row["dice"]) else f"{row['dice']:.3f}")
        assert found[5] == (dash if np.isnan(row["hd95"]) else f"{row['hd95']:.2f}")
        assert found[-1] == row["outcome"].replace("_", " ")


def test_it_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    page = report_of(make_run(tmp_path / "run"))
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "base", "form"), tag
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/")), (tag, value)
    style = page.source.split("<style>")[1].split("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style
    references = re.findall(r"url\(([^)]*)\)", page.source)
    assert all(reference.startswith("#") for reference in references)


def test_only_its_own_script_may_run(tmp_path: Path) -> None:
    page = report_of(make_run(tmp_path / "run"))
    [policy] = [meta["content"] for meta in page.attributes("meta") if "http-equiv" in meta]
    [script] = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy


def harmless(page: Page) -> bool:
    """Tell whether the only script is the report's own, and no name became an element or an attribute."""
    [script] = page.scripts
    own = script == (Path(trainlib.report.__file__).parent / "templates" / "table.js").read_text()
    handlers = [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    return own and not handlers and all("alt" in image for image in page.attributes("img"))


def test_a_class_named_like_a_script_does_no_harm(tmp_path: Path) -> None:
    page = report_of(make_run(tmp_path / "run", classes=["background", EVIL, "lesion"]))
    assert harmless(page)
    assert page.tables[0][3][0] == EVIL
    assert len(page.attributes("img")) == 4  # the GIF and three cases


def test_a_class_that_stands_in_the_table_alone_does_no_harm(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "cases.csv")
    evil = "<script>alert(1)</script>"
    table["class"] = table["class"].replace("organ", evil)
    table.to_csv(run / "cases.csv", index=False)
    epochs = pd.read_csv(run / "logs" / "metrics.csv").rename(columns={"valid/dice/organ": f"valid/dice/{evil}"})
    epochs.to_csv(run / "logs" / "metrics.csv", index=False)
    page = report_of(run)
    assert harmless(page)
    assert page.tables[0][3][0] == evil


def test_names_with_quotes_tags_and_control_characters_do_no_harm(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run & 'more' \"<i>\"")
    names = {"test_00": EVIL, "test_01": "a\x00b\x1b\u202ec\x7f", "test_02": "x" * 5000, "test_03": "'\" onload='x"}
    table = pd.read_csv(run / "cases.csv")
    table["case"] = table["case"].replace(names)
    table.loc[table["case"] == "test_04", "outcome"] = '"><script>alert(3)</script>'
    table.to_csv(run / "cases.csv", index=False)
    for file, old in (("command.txt", "first"), ("environment.json", "box"), ("components.json", "UNet")):
        path = run / "snapshot" / file
        path.write_text(path.read_text().replace(old, "<svg onload=alert(4)>"))
    (run / "snapshot" / "<img src=x onerror=alert(5)>").write_text("")
    emissions = pd.read_csv(run / "emissions.csv").assign(note="<script>alert(6)</script>", country="<b onclick=x>")
    emissions.to_csv(run / "emissions.csv", index=False)
    page = report_of(run)
    assert harmless(page)
    assert EVIL in [row[1] for rows in page.tables for row in rows if len(row) > 8]
    assert "<svg onload=alert(4)>" in page.text


def test_a_case_cannot_bring_in_a_picture_from_elsewhere(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "secret.png")
    secret = base64.b64encode((tmp_path / "secret.png").read_bytes()).decode()
    table = pd.read_csv(run / "cases.csv")
    table["case"] = "../../../secret"
    table.to_csv(run / "cases.csv", index=False)
    page = report_of(run)
    assert secret not in page.source
    assert "There are no pictures of the test cases" in page.text


def test_gif_and_pictures_are_in_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = case_table(["organ", "lesion"])
    means = table[table["split"] == "test"].groupby("case")["dice"].mean().sort_values()
    wanted = [run / "progress.gif", *(run / "pictures/test" / f"{means.index[i]}.png" for i in (6, 3, 0))]
    images = report_of(run).attributes("img")
    assert [base64.b64decode(str(image["src"]).split(",")[1]) for image in images] == [p.read_bytes() for p in wanted]
    assert [(image["width"], image["height"]) for image in images] == [("30", "40"), *[("60", "20")] * 3]


def test_ids_are_unique_and_what_is_referred_to_exists(tmp_path: Path) -> None:
    page = report_of(make_run(tmp_path / "run"))
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for _, attributes in page.tags if attributes.get("href")]
    assert {str(link)[1:] for link in [*links, *re.findall(r"url\((#[^)]*)\)", page.source)]} <= set(ids)


def test_charts_take_their_colours_from_the_page(tmp_path: Path) -> None:
    source = report_of(make_run(tmp_path / "run")).source
    charts = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    assert len(charts) == 4 + 5
    assert all("currentColor" in chart for chart in charts[4:])
    assert not any("<style" in chart for chart in charts)
    assert not any(re.search(r"#[0-9a-fA-F]{6}\b", chart) for chart in charts)
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", source))
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", source))
    assert used <= defined


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    first, second = (write_report(run).read_text() for _ in range(2))
    assert re.sub("Written on [0-9-]+", "", first) == re.sub("Written on [0-9-]+", "", second)


def test_it_needs_neither_torch_nor_pyplot_and_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    code = f"""
import sys, matplotlib
matplotlib.rcParams["text.usetex"] = True
matplotlib.rcParams["font.size"] = 31
before = matplotlib.rcParams.copy()  # a plain dict would choose a backend, and import pyplot
from trainlib.report import write_report
write_report({str(run)!r})
assert matplotlib.rcParams.copy() == before
found = {{"torch", "lightning", "monai", "matplotlib.pyplot"}} & set(sys.modules)
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run folder: it has no config\.yaml\."):
        write_report(tmp_path)
    (tmp_path / "config.yaml").write_text("data: [unclosed")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_it_and_prints_where_it_is(
    tmp_path: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    run = make_run(tmp_path / "run")
    done = cli("report", run)
    assert (done.returncode, done.stdout.strip()) == (0, str(run / "report.html"))
    assert (run / "report.html").is_file()
    refused = cli("report", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.strip() == f"{tmp_path} is not a run folder: it has no config.yaml."
