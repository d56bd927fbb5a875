"""A run folder that is written in a moment, and a page taken apart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

CLASSES = ["background", "organ", "lesion"]
EPOCHS = 6


def make_run(path: Path, *, classes: list[str] | None = None, **sections: Any) -> Path:
    """Write the folder of a run of 6 epochs on 5 training, 3 validation and 7 test cases.

    Args:
        path: The folder.
        classes: The classes, background first.
        sections: Sections of the config, merged with those of the run.
    """
    names = classes or CLASSES
    data: dict[str, Any] = {"root": "/nowhere/data", "train_csv": "train.csv", "valid_csv": "valid.csv"}
    data |= {"test_csv": "test.csv", "classes": names}
    config: dict[str, Any] = {"run": {"name": "tiny", "root": "/nowhere/runs"}, "seed": 7, "data": data}
    config["trainer"] = {"max_epochs": EPOCHS}
    for section, value in sections.items():
        merged = isinstance(value, dict) and isinstance(config.get(section), dict)
        config[section] = config[section] | value if merged else value
    for folder in ("logs", "checkpoints", "snapshot/csvs", "pictures/test", "pictures/valid"):
        (path / folder).mkdir(parents=True)
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    for file in ("best", "last"):
        (path / "checkpoints" / f"{file}.ckpt").write_bytes(b"weights")
    epoch_table(names[1:]).to_csv(path / "logs" / "metrics.csv", index=False)
    (path / "logs" / "trainlib.log").write_text("2026-01-02 03:04:05  epoch 6/6  train/loss 0.5\n")
    table = case_table(names[1:])
    table.to_csv(path / "cases.csv", index=False)
    for split, case in set(zip(table["split"], table["case"], strict=True)):
        Image.new("RGB", (60, 20), (10, 20, len(case))).save(path / "pictures" / split / f"{case}.png")
    Image.new("RGB", (30, 40)).save(path / "progress.gif")
    write_snapshot(path)
    emission_table().to_csv(path / "emissions.csv", index=False)
    return path


def case_table(names: list[str]) -> pd.DataFrame:
    """Make scores: a structure of the last class is missed, one is absent, one is invented."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for split, count in (("valid", 3), ("test", 7)):
        for case in range(count):
            for name in names:
                row = {"split": split, "case": f"{split}_{case:02d}", "class": name, "dice": rng.uniform(0.5, 1)}
                row |= {metric: rng.uniform(1, 20) for metric in ("hd", "hd95", "asd")} | {"nsd": rng.uniform(0.3, 1)}
                rows.append(row | {"label_ml": rng.uniform(1, 9), "prediction_ml": 2.0, "outcome": "found"})
    worst = {"dice": 0.0, "hd": 90.0, "hd95": 90.0, "asd": 90.0, "nsd": 0.0}
    rows[-1] |= worst | {"outcome": "missed"}
    rows[-1 - len(names)] |= worst | {"outcome": "false_positive"}
    rows[-1 - 2 * len(names)] |= dict.fromkeys(worst, np.nan) | {"outcome": "absent"}
    return pd.DataFrame(rows)


def epoch_table(names: list[str]) -> pd.DataFrame:
    """Make what is logged in 6 epochs; the fifth has the best Dice, and surface metrics come with the third."""
    epochs = np.arange(EPOCHS)
    dice = np.array([0.1, 0.3, 0.5, 0.6, 0.8, 0.7])
    table = pd.DataFrame({"epoch": epochs, "step": (epochs + 1) * 3, "lr-AdamW": 0.01 / (epochs + 1)})
    table["train/loss"], table["valid/loss"] = 2.0 - dice, 2.1 - dice
    table = table.join(pd.DataFrame({f"valid/dice/{name}": dice for name in names}))
    table["valid/dice"], table["valid/missed"], table["valid/false_positive"] = dice, 0, 0
    table["valid/hd95"] = np.where(epochs == 2, 4.5, np.nan)
    table["seconds"] = 2.5
    return table


def emission_table() -> pd.DataFrame:
    """Make the energy of a training in two parts."""
    part = {"country": "", "country_source": "unknown", "intensity_kg_per_kwh": 0.475, "cpu": "A CPU", "gpu": ""}
    part |= {"note": "country unknown, world average", "tracking": "CPU: load x TDP", "codecarbon": "3.3.2"}
    table = pd.DataFrame({"part": [1, 2], "started": ["2026-01-02T03:04:05+00:00", "2026-01-03T03:04:05+00:00"]})
    table["duration_s"], table["energy_kwh"], table["emissions_kg"] = [100, 20], [0.5, 0.1], [0.2372, 0.0475]
    table = table.assign(**part)
    for name in ("duration_s", "energy_kwh", "emissions_kg"):
        table[f"total_{name}"] = table[name].cumsum()
    return table


def write_snapshot(run: Path, folder: str = "snapshot", command: str = "trainlib fit -c first.yaml") -> None:
    """Write a snapshot into a run."""
    target = run / folder
    (target / "csvs").mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 5), ("valid", 3), ("test", 7)):
        (target / "csvs" / f"{split}.csv").write_text("image,label\n" + "a.nii,b.nii\n" * count)
    (target / "trainlib").mkdir(exist_ok=True)
    (target / "trainlib" / "__init__.py").write_text("")
    (target / "requirements.txt").write_text("torch==2.13.0\nnumpy==2.4.0\n")
    (target / "command.txt").write_text(command + "\n")
    environment = {"time": "2026-01-02T03:04:05+00:00", "host": "box", "cores": 4, "gpus": [], "trainlib": "0.1.0"}
    (target / "environment.json").write_text(json.dumps(environment | {"working_directory": "/home/me"}))
    (target / "components.json").write_text(json.dumps({"model": "UNet from monai.networks.nets"}))


def change_cases(run: Path, **columns: Any) -> pd.DataFrame:
    """Set columns of cases.csv, and return the table."""
    table = pd.read_csv(run / "cases.csv").assign(**columns)
    table.to_csv(run / "cases.csv", index=False)
    return table


@dataclass
class Page(HTMLParser):
    """A page as a browser sees it.

    Attributes:
        tags: Every element with its attributes.
        scripts: Content of the scripts.
        tables: Every table as rows of cells.
    """

    source: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)

    @property
    def text(self) -> str:
        """All that is read, with single spaces."""
        return " ".join(" ".join(self._text).split())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)
        if tag == "script":
            self.scripts.append("")
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._inside.append("cell")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside.pop()
        elif tag in ("td", "th"):
            self._inside.pop()
            row = self.tables[-1][-1]
            row[-1] = " ".join(row[-1].split())

    def handle_data(self, data: str) -> None:
        inside = self._inside[-1] if self._inside else ""
        if inside == "script":
            self.scripts[-1] += data
        elif inside != "style":
            self._text.append(data)
            if inside == "cell":
                self.tables[-1][-1][-1] += data
