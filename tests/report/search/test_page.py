"""The report of a search says what its folder holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.tune.helpers import RATE, make_search
from trainlib.errors import ConfigError
from trainlib.report import write_report
from trainlib.tune.results import write_results

SPACE = {
    RATE: {"loguniform": [1e-5, 10]},
    "transforms.prob": {"uniform": [0, 1]},
    "model": {"choice": ["UNet", "SegResNet"]},
}


def results() -> list[tuple[dict[str, Any], str, list[float]]]:
    made = []
    for i in range(8):
        parameters = {RATE: 10.0 ** (i - 5), "transforms.prob": i % 3 / 4, "model": ["UNet", "SegResNet"][i % 2]}
        state = "failed" if i == 7 else "finished" if i in (0, 5) else "stopped"
        made.append((parameters, state, [0.1 + i / 20, 0.2 + i / 10][: 1 if state == "stopped" else 2]))
    return made


@pytest.fixture
def page(write_config: Callable[..., Path], tmp_path: Path) -> str:
    search = make_search(write_config, tmp_path / "<liver>_tune", results(), space=SPACE, trials=8)
    write_results(search)
    return write_report(search.folder.path).read_text()


class Checker(HTMLParser):
    """Sees that every element is closed, and what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []  # type: ignore[list-item]
        self.loaded += [value for name in ("src",) if (value := found.get(name))]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(page: str) -> None:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.loaded == []
    assert len(checker.ids) == len(set(checker.ids))
    assert "default-src &#39;none&#39;" in page
    assert "&lt;liver&gt;_tune" in page
    assert "<liver>" not in page


def test_the_page_names_the_best_trial_and_those_that_failed(page: str) -> None:
    assert "trial 5 has the highest valid/dice: 0.7000 in epoch 2." in page
    assert "2 finished, 5 stopped, 1 failed" in page
    assert "trial_00007: train/loss is nan after epoch 1: it diverged." in page
    assert re.search(r"<code>optimizer.SGD.lr</code></th><td>1</td>", page)
    assert "With so few trials this is a hint, no proof." in page


def test_every_trial_has_a_row_a_curve_and_a_dot_for_each_setting(page: str) -> None:
    table = page[page.index('<table class="cases"') :]
    assert re.findall(r'<th scope="row"><a href="(trial_\d+)/">', table) == [f"trial_{i:05d}" for i in range(8)]
    assert len(re.findall(r"<title>trial \d+: valid/dice", page)) == 7 * (1 + len(SPACE))  # the one that failed is none


def test_no_dot_lies_on_another_or_on_an_axis(page: str) -> None:
    charts = [svg for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if "<circle" in svg]
    assert len(charts) == 1 + len(SPACE)
    for svg in charts:
        dots = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]
        assert len(dots) == 7
        assert all(abs(a - c) + abs(b - d) > 3 for i, (a, b) in enumerate(dots) for c, d in dots[:i])
        left, bottom = 0.115 * 400, float(re.findall(r'viewBox="0 0 \d+ (\d+)"', svg)[0]) - 38
        assert all(x > left + 8 for x, _ in dots)
        assert all(y < bottom + 14 - 8 for _, y in dots)


def test_a_search_of_which_no_trial_has_begun_has_no_report(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", [(results()[0][0], "waiting", [])], space=SPACE)
    with pytest.raises(ConfigError, match="no trial of the search has begun"):
        write_report(search.folder.path)


def test_a_search_with_one_trial_has_a_report(write_config: Callable[..., Path], tmp_path: Path) -> None:
    search = make_search(write_config, tmp_path / "s", results()[:1], space=SPACE)
    text = write_report(search.folder.path).read_text()
    assert "Too few trials came to anything" in text
    assert "not finished" in text
