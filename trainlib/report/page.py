"""Put the report together: content in, one page of HTML out."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import trainlib
from trainlib.metrics.bootstrap import Interval
from trainlib.report.about import device_of, facts_of, sentence_of, setup_of
from trainlib.report.boxes import draw_boxes, shows_all
from trainlib.report.content import Content
from trainlib.report.curves import draw_curves
from trainlib.report.formats import METRICS, NOTHING, OUTCOMES, SIZES, SPLITS, Metric, count, moment
from trainlib.report.notices import notices_of
from trainlib.report.palette import tones_css
from trainlib.report.ranking import rank_cases
from trainlib.report.reproduction import reproduction_of
from trainlib.report.resources import emissions_of, hardware_of, times_of
from trainlib.report.scores import resamples_of, score_split
from trainlib.report.training import best_of, ending_of

_TEMPLATES = Path(__file__).parent / "templates"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def render(content: Content) -> str:
    """Write the page."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(_context(content))


def _context(content: Content) -> dict[str, Any]:
    """Gather everything that the templates name."""
    ending, best, split = ending_of(content), best_of(content), content.split
    scores, ranked, reproduction = score_split(content, split), rank_cases(content, split), reproduction_of(content)
    notices = notices_of(content, ending, scores, ranked, reproduction)
    return {
        **_frame(content),
        "sentence": sentence_of(content, ending),
        "facts": facts_of(content, best),
        "gif": content.gif,
        "notices": notices,
        "notices_of": lambda section: [notice for notice in notices if notice.section == section],
        "split_name": SPLITS[split],
        "scores": scores,
        "validation": score_split(content, "valid") if split == "test" else None,
        "resamples": resamples_of(content),
        "tolerance": content.config.metrics.nsd_tolerance,
        "ending": ending,
        "trained": content.trained,
        "best": best,
        "curves": draw_curves(content, best),
        "boxes": draw_boxes(content, split),
        "boxes_show_all": shows_all(content, split),
        "ranked": ranked,
        "table": case_table(content),
        "emissions": emissions_of(content),
        "times": times_of(content),
        "hardware": hardware_of(content),
        "config_text": content.config_text,
        "setup": setup_of(content),
        "reproduction": reproduction,
    }


def _frame(content: Content) -> dict[str, Any]:
    """Gather title, styles and script. The page allows its one script by its hash, and no network at all."""
    script = (_TEMPLATES / "table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
    classes = {*content.config.data.classes, *content.cases.get("class", [])}
    environment = content.environment
    return {
        "title": content.folder.path.name,
        "policy": policy + "base-uri 'none'; form-action 'none'",
        "style": Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "tones": Markup(tones_css(len(classes) + 1)),
        "script": Markup(script),
        "meta": [
            f"trainlib {environment.get('trainlib', trainlib.__version__)}",
            moment(str(environment.get("time", ""))),
            device_of(content),
        ],
        "written": f"{datetime.now(UTC):%Y-%m-%d}",
        "version": trainlib.__version__,
        "outcomes": OUTCOMES,
        "splits": SPLITS,
        "count": count,
        "interval": _interval,
    }


def case_table(content: Content) -> dict[str, Any]:
    """Bring every row of ``cases.csv`` into cells: text, what it is sorted by, and what it is."""
    columns = [metric for key, metric in {**METRICS, **SIZES}.items() if key in content.cases]
    cell = partial(_cell, content)
    rows = [
        [cell(row, name) for name in ("split", "case", "class")]
        + [_number(row[metric.key], metric) for metric in columns]
        + [cell(row, "outcome")]
        for row in _in_order(content)
    ]
    return {"columns": columns, "rows": rows}


def _in_order(content: Content) -> list[dict[str, Any]]:
    """List the rows of cases.csv, those of the split that comes first on the page first."""
    records = [{str(name): value for name, value in row.items()} for row in content.cases.to_dict("records")]
    return sorted(records, key=lambda row: row["split"] != content.split)


def _cell(content: Content, row: dict[str, Any], name: str) -> dict[str, Any]:
    value = str(row[name])
    names = {"split": SPLITS, "outcome": OUTCOMES}.get(name, {})
    return {"text": names.get(value, value), "kind": name, "value": value, "tone": content.tone(value)}


def _number(value: float, metric: Metric) -> dict[str, Any]:
    text = metric.show(value)
    return {"text": text, "kind": "number", "value": "" if text == NOTHING else repr(value), "tone": 0}


def _interval(metric: Metric, interval: Interval) -> str:
    return metric.interval(interval)


def _printable(value: Any) -> Any:
    """Put blanks in the place of control characters, which HTML does not allow."""
    return _CONTROL.sub(" ", value) if type(value) is str else value
