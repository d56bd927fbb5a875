"""Callbacks and loggers of Lightning and of others that a config names."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import yaml
from lightning import Callback
from lightning.pytorch.loggers import Logger

from trainlib import fit, load_config
from trainlib.build.check import check_components
from trainlib.checkpoints.starting import read_weights
from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.errors import ConfigError

DATA = {"train_csv": "train.csv", "valid_csv": "valid.csv", "classes": ["background", "organ", "lesion"]}
Write = Callable[..., Path]


class Witness(Callback):
    """Writes down what it sees."""

    def __init__(self, word: str = "seen") -> None:
        self.word = word
        self.epochs: list[dict[str, float]] = []
        seen.append(self)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


class Book(Logger):
    """Keeps what it is told."""

    def __init__(self, title: str, save_dir: str) -> None:
        super().__init__()
        self.title, self.folder = title, save_dir
        self.settings: dict[str, Any] = {}
        self.points: list[tuple[int, dict[str, float]]] = []
        books.append(self)

    name = property(lambda self: self.title)
    version = property(lambda self: 0)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.settings = params

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.points.append((step or 0, metrics))


class Average(torch.nn.Module):
    """Neither callback nor logger."""


seen: list[Witness] = []
books: list[Book] = []
HERE = __name__


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()
    books.clear()


def mistakes_of(**sections: Any) -> list[tuple[Any, str]]:
    return check_components(Config.model_validate({"data": DATA, **sections}))


def test_a_callback_by_its_dotted_path_sees_the_training(write_config: Write) -> None:
    run = fit(load_config(write_config(callbacks=[{f"{HERE}.Witness": {"word": "mine"}}])))
    trained = [witness for witness in seen if witness.epochs]
    assert [witness.word for witness in trained] == ["mine"]
    assert [epoch["train/loss"] for epoch in trained[0].epochs] == pytest.approx(run.metrics["train/loss"].tolist())


def test_a_logger_gets_the_settings_and_the_figures_of_every_epoch(write_config: Write) -> None:
    config = load_config(write_config(trainer={"logger": [{f"{HERE}.Book": {"title": "a"}}, "CSVLogger"]}))
    run = fit(config)
    [book] = books
    assert (book.title, book.folder) == ("a", str(run.folder.logs))
    assert book.settings["model"] == config.model_dump()["model"]
    losses = [metrics["train/loss"] for _, metrics in book.points if "train/loss" in metrics]
    assert losses == pytest.approx(run.metrics["train/loss"].tolist())
    [table] = run.folder.logs.glob("lightning_logs/version_0/metrics.csv")
    rows = [row for row in csv.DictReader(table.open()) if row["valid/dice"]]
    assert [float(row["valid/dice"]) for row in rows] == pytest.approx(run.metrics["valid/dice"].tolist())
    assert list(run.folder.logs.glob("events.out.tfevents.*"))


def test_an_average_of_the_weights_is_scored_kept_and_gone_on_from(write_config: Write) -> None:
    ema = {"callbacks": [{"EMAWeightAveraging": {"decay": 0.5}}]}
    whole = fit(load_config(write_config(**ema, run={"name": "whole"})))
    checkpoint = torch.load(whole.folder.last, weights_only=True)
    average, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    assert average.keys() == current.keys()
    assert any(not torch.equal(average[name], current[name]) for name in average)
    fit(load_config(write_config(**ema, run={"name": "parts"}), ["trainer.max_epochs=1", "scheduler=null"]))
    parts = fit(load_config(write_config(**ema, run={"name": "parts"}), ["scheduler=null"]), ckpt_path="last")
    straight = fit(load_config(write_config(**ema, run={"name": "straight"}), ["scheduler=null"]))
    assert parts.metrics.drop(columns="seconds").equals(straight.metrics.drop(columns="seconds"))
    one, other = read_weights(parts.folder.last), read_weights(straight.folder.last)
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_extras_are_written_as_they_are_read(tmp_path: Path) -> None:
    content = {
        "data": DATA,
        "callbacks": ["DeviceStatsMonitor", {"EMAWeightAveraging": {"decay": 0.9}}],
        "trainer": {"max_epochs": 3, "logger": {"CSVLogger": {"name": "table"}}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    config = load_config(tmp_path / "config.yaml", ["callbacks[1].EMAWeightAveraging.decay=0.8"])
    assert config.callbacks[1].kwargs == {"decay": 0.8}
    assert [logger.kwargs for logger in config.loggers] == [{"name": "table"}]
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "again.yaml") == config
    jsonschema.validate(content, Config.model_json_schema())
    assert check_components(config) == []


@pytest.mark.parametrize(
    ("callback", "key", "text"),
    [
        (
            {"EMAWeightAveraging": {"decey": 0.9}},
            ("callbacks", 1, "EMAWeightAveraging", "decey"),
            "callbacks[1].EMAWeightAveraging.decey is not a keyword of EMAWeightAveraging. Did you mean decay?",
        ),
        (
            "EMAWeightAverage",
            ("callbacks", 1, "EMAWeightAverage"),
            "callbacks[1]: EMAWeightAverage is not a known callback. Did you mean EMAWeightAveraging?",
        ),
        (
            {"EarlyStopping": {"monitor": "valid/dice"}},
            ("callbacks", 1, "EarlyStopping"),
            "callbacks[1]: EarlyStopping cannot be used here. Use the section early_stopping, under which a run can "
            "be resumed.",
        ),
        (
            "RichProgressBar",
            ("callbacks", 1, "RichProgressBar"),
            "callbacks[1]: RichProgressBar cannot be used here. trainlib shows one itself; "
            "trainer.enable_progress_bar: false hides it.",
        ),
        (
            f"{HERE}.Average",
            ("callbacks", 1, f"{HERE}.Average"),
            f"callbacks[1]: {HERE}.Average is not a known callback: it does not derive from lightning.Callback.",
        ),
    ],
)
def test_a_wrong_callback_is_told(callback: Any, key: tuple[Any, ...], text: str) -> None:
    assert mistakes_of(callbacks=["DeviceStatsMonitor", callback]) == [(key, text)]


def test_a_wrong_logger_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mistakes_of(trainer={"max_epochs": 1, "logger": {"CSVLogger": {"nmae": "x"}}}) == [
        (
            ("trainer", "logger", "CSVLogger", "nmae"),
            "trainer.logger.CSVLogger.nmae is not a keyword of CSVLogger. Did you mean name?",
        )
    ]
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr("trainlib.build.extras.find_spec", lambda name: None)
    assert mistakes_of(trainer={"max_epochs": 1, "logger": ["CSVLogger", "WandbLogger"]}) == [
        (
            ("trainer", "logger", 1, "WandbLogger"),
            "trainer.logger[1]: WandbLogger needs the package wandb. Install it: pip install wandb.",
        )
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.logger=true", "trainer.logger: expected a name, or a name with its keywords, found True"),
        ("trainer.logger={A: {}, B: {}}", "trainer.logger: expected one name with its keywords, found A, B"),
        ("callbacks=EMA", "callbacks: expected a list, found 'EMA'"),
    ],
)
def test_what_is_no_component_is_refused(tmp_path: Path, override: str, message: str) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data": DATA}))
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "config.yaml", [override])


def test_callbacks_of_the_trainer_have_a_section_of_their_own() -> None:
    found = mistakes_of(trainer={"max_epochs": 1, "callbacks": ["DeviceStatsMonitor"]})
    assert found == [(("trainer", "callbacks"), "trainer.callbacks is set by trainlib. Use the section callbacks.")]
