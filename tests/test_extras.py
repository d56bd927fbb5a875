"""Callbacks and loggers of Lightning and of others that a config names."""

from __future__ import annotations

import csv
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import torch
import yaml
from lightning import Callback
from lightning.fabric.loggers.logger import Logger as FabricLogger
from lightning.pytorch.loggers import LitLogger, Logger

from trainlib import fit, load_config
from trainlib.build.check import check_components
from trainlib.build.extras import extra_loggers
from trainlib.build.guarding import guard, own_runs
from trainlib.config.debug import debug_config
from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.config.sources import dotted
from trainlib.errors import ConfigError, InputError
from trainlib.weights.reading import read_weights

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


class Unreachable(Book):
    """Loses its server."""

    def __init__(self, title: str, save_dir: str, after: int) -> None:
        super().__init__(title, save_dir)
        self.after = after

    @property
    def experiment(self) -> None:
        """Asked for by Lightning of every logger that it has."""
        if self.after == 0:
            raise ConnectionError("no route to host\nat all")

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.experiment  # noqa: B018

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        super().log_metrics(metrics, step)
        if len(self.points) > self.after:
            raise ConnectionError("no route to host\nat all")


class FabricBook(FabricLogger):
    """Knows nothing of what the Trainer asks of a logger beyond Fabric."""

    name = property(lambda self: "a")
    version = property(lambda self: 0)

    def __init__(self, root_dir: str) -> None:
        self.folder = root_dir
        self.points: list[dict[str, float]] = []
        books.append(self)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.settings = params

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.points.append(metrics)


class Average(torch.nn.Module):
    """Neither callback nor logger."""


seen: list[Witness] = []
books: list[Any] = []
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


@pytest.mark.parametrize("after", [0, 1])
def test_a_logger_that_fails_is_told_once_and_the_training_goes_on(
    write_config: Write, after: int, caplog: pytest.LogCaptureFixture
) -> None:
    logger = {f"{HERE}.Unreachable": {"title": "a", "after": after}}
    with caplog.at_level(logging.WARNING, logger="trainlib"):
        run = fit(load_config(write_config(trainer={"logger": [logger, "CSVLogger"]}), ["data.test_csv=null"]))
    assert [record.getMessage() for record in caplog.records] == [
        f"trainer.logger[0]: {HERE}.Unreachable failed and is switched off: ConnectionError: no route to host. "
        "The training goes on without it."
    ]
    assert len(run.metrics) == 2
    assert len(books[0].points) == (0 if after == 0 else 2)
    assert list(run.folder.logs.glob("lightning_logs/version_0/metrics.csv"))


def test_a_logger_of_fabric_follows_a_training(write_config: Write) -> None:
    run = fit(load_config(write_config(trainer={"logger": f"{HERE}.FabricBook"}), ["data.test_csv=null"]))
    [book] = books
    assert book.folder == str(run.folder.logs)
    assert book.settings["trainer"]["max_epochs"] == 2
    losses = [metrics["train/loss"] for metrics in book.points if "train/loss" in metrics]
    assert losses == pytest.approx(run.metrics["train/loss"].tolist())


def test_the_logger_of_lightning_ai_is_built_and_writes_into_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainlib.build.extras.find_spec", lambda name: name == "litlogger")

    class Experiment(dict[str, str]):
        """Keeps what it is told."""

        def __init__(self, name: str, log_dir: str, **others: Any) -> None:
            self.name, self.log_dir = name, log_dir

        def print_url(self) -> None:
            """Say nothing."""

    monkeypatch.setitem(sys.modules, "litlogger", SimpleNamespace(Experiment=Experiment))
    trainer = {"max_epochs": 1, "logger": {"LitLogger": {"name": "liver"}}}
    assert mistakes_of(trainer=trainer) == []
    [logger] = extra_loggers(Config.model_validate({"data": DATA, "trainer": trainer}), tmp_path)
    assert isinstance(logger, LitLogger)
    begun: Any = logger.experiment
    assert (begun.name.partition("-")[0], begun.log_dir) == ("liver", str(tmp_path / "liver"))
    assert "AdamW" in begun["optimizer"]


def test_mlflow_gets_a_database_in_the_run_folder_unless_it_is_told_where_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class MLFlowLogger(Book):
        """Has the settings of the one of Lightning."""

        def __init__(self, title: str = "", tracking_uri: str = "", artifact_location: str = "", save_dir: str = ""):
            super().__init__(tracking_uri, artifact_location)

    monkeypatch.setattr(sys.modules[HERE], "MLFlowLogger", MLFlowLogger, raising=False)
    for given, uri in (({"title": "a"}, f"sqlite:///{tmp_path}/mlflow.db"), ({"tracking_uri": "http://a"}, "http://a")):
        trainer = {"max_epochs": 1, "logger": {f"{HERE}.MLFlowLogger": given}}
        [logger] = extra_loggers(Config.model_validate({"data": DATA, "trainer": trainer}), tmp_path)
        assert logger.title == uri


def test_a_full_disk_still_ends_the_training() -> None:
    book = Book("a", "b")
    book.log_metrics = lambda *_: exec("raise OSError(28, 'No space left on device')")  # type: ignore[method-assign]
    works = guard(book, "trainer.logger")
    with pytest.raises(OSError, match="No space left"):
        book.log_metrics({"a": 1.0})
    assert works()


def test_each_training_has_a_run_of_weights_and_biases_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = SimpleNamespace(run=None)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    ended = []
    with own_runs():
        wandb.run = SimpleNamespace(finish=lambda: ended.append("own"))
    assert ended == ["own"]
    with own_runs():  # which was begun by the user
        pass
    assert ended == ["own"]


def test_a_trial_sends_nothing() -> None:
    config = Config.model_validate({"data": DATA, "trainer": {"max_epochs": 9, "logger": ["CSVLogger"]}})
    assert debug_config(config).loggers == []


def test_another_logger_in_a_later_file_replaces_the_one_before(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(yaml.safe_dump({"data": DATA, "trainer": {"logger": {"CSVLogger": {"name": "a"}}}}))
    other.write_text(yaml.safe_dump({"trainer": {"logger": {"TensorBoardLogger": {"name": "b"}}}}))
    assert [logger.name for logger in load_config([one, other]).loggers] == ["TensorBoardLogger"]
    other.write_text(yaml.safe_dump({"trainer": {"logger": {"CSVLogger": {"version": 1}}, "max_epochs": 3}}))
    config = load_config([one, other])
    assert (config.loggers[0].kwargs, config.trainer["max_epochs"]) == ({"name": "a", "version": 1}, 3)


def test_an_average_of_the_weights_is_scored_kept_and_gone_on_from(write_config: Write) -> None:
    ema = {"callbacks": [{"EMAWeightAveraging": {"decay": 0.5}}], "data": {"test_csv": None}}
    parts = fit(load_config(write_config(**ema, run={"name": "parts"}), ["trainer.max_epochs=1", "scheduler=null"]))
    checkpoint = torch.load(parts.folder.best, weights_only=True)
    average, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    assert average.keys() == current.keys()
    assert any(not torch.equal(average[name], current[name]) for name in average)
    # Its scores, which were computed from a checkpoint that knows of no callback, are those of the training.
    assert parts.metrics["valid/dice"].iloc[-1] == pytest.approx(parts.scores("valid")["dice"], abs=1e-6)
    parts = fit(load_config(write_config(**ema, run={"name": "parts"}), ["scheduler=null"]), ckpt_path="last")
    straight = fit(load_config(write_config(**ema, run={"name": "straight"}), ["scheduler=null"]))
    assert parts.metrics.drop(columns="seconds").equals(straight.metrics.drop(columns="seconds"))
    for key in ("state_dict", "current_model_state"):
        one, other = (torch.load(run.folder.last, weights_only=True)[key] for run in (parts, straight))
        assert all(torch.equal(one[name], other[name]) for name in other)
    assert read_weights(parts.folder.last).keys() == {name.removeprefix("network.") for name in average}


def test_another_model_checkpoint_leaves_ours_alone(write_config: Write) -> None:
    extra = {"ModelCheckpoint": {"monitor": "valid/dice", "mode": "max", "save_top_k": 2, "save_last": True}}
    run = fit(load_config(write_config(callbacks=[extra]), ["data.test_csv=null"]))
    assert sorted(file.name for file in run.folder.checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert len(list((run.folder.logs / "checkpoints").glob("*.ckpt"))) == 3
    assert torch.load(run.folder.last, weights_only=True)["epoch"] == 1


@pytest.mark.slow
def test_two_processes_have_the_same_weights_and_tell_them_once(write_config: Write, tmp_path: Path, cli: Any) -> None:
    from trainlib.build.components import build_model

    model = {"UNet": {"channels": [4, 8], "strides": [2], "num_res_units": 1, "norm": "batch"}}
    torch.manual_seed(3)
    weights = build_model(Config.model_validate({"data": DATA, "model": model})).state_dict()
    missing = "model.2.0.conv.bias"
    torch.save({name: value for name, value in weights.items() if name != missing}, tmp_path / "start.pt")
    write_config(
        model=model | {"weights": str(tmp_path / "start.pt"), "freeze": ["model.0"]},
        callbacks=[{"EMAWeightAveraging": {"decay": 0.5}}, {"ModelCheckpoint": {"monitor": "valid/dice"}}],
        trainer={"devices": 2, "accelerator": "cpu", "strategy": "ddp", "logger": ["CSVLogger"]},
    )
    done = cli("fit", "-c", "config.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, (tmp_path / "runs/tiny/logs/trainlib.log").read_text()):
        assert text.count(f"not in the file, and as initialised: {missing}") == 1
    state = torch.load(tmp_path / "runs/tiny/checkpoints/last.ckpt", weights_only=True)["current_model_state"]
    frozen = [name for name in weights if name.startswith("model.0.")]
    assert all(torch.equal(state[f"network.{name}"], weights[name]) for name in frozen)
    tables = list((tmp_path / "runs/tiny/logs").glob("lightning_logs/version_*/metrics.csv"))
    assert len(tables) == 1
    assert len([row for row in csv.DictReader(tables[0].open()) if row["valid/dice"]]) == 2


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
            "StochasticWeightAveraging",
            ("callbacks", 1, "StochasticWeightAveraging"),
            "callbacks[1]: StochasticWeightAveraging cannot be used here. No checkpoint would hold its average. Use "
            "WeightAveraging or EMAWeightAveraging.",
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


def test_the_docs_name_every_callback_of_lightning_that_is_refused() -> None:
    from lightning.pytorch import callbacks

    names = [name for name, value in vars(callbacks).items() if isinstance(value, type) and name != "ProgressBar"]
    refused = {
        name for name in names if any("cannot be used here" in text for _, text in mistakes_of(callbacks=[name]))
    }
    page = (Path(__file__).parent.parent / "docs/finetuning.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert refused == {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


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
    ("logger", "keys", "remedy"),
    [
        ({"CometLogger": {"api_key": "hidden", "workspace": "w"}}, ["api_key"], "set COMET_API_KEY in the environment"),
        (
            {"MLFlowLogger": {"tracking_uri": "http://me:hidden@host"}},
            ["tracking_uri"],
            "MLFLOW_TRACKING_PASSWORD",
        ),
        ({"MLFlowLogger": {"tracking_uri": "postgresql://me:hidden@host/db"}}, ["tracking_uri"], "MLFLOW_TRACKING_URI"),
        ({"MLFlowLogger": {"tracking_uri": "https://hidden@host"}}, ["tracking_uri"], "MLFLOW_TRACKING_USERNAME"),
        ({"WandbLogger": {"settings": {"api_key": "hidden"}}}, ["settings.api_key"], "set WANDB_API_KEY"),
        (
            {f"{HERE}.Book": {"title": "a", "auth_token": "hidden", "password": 12345}},
            ["auth_token", "password"],
            "let the logger read it from the environment",
        ),
    ],
)
def test_credentials_of_a_logger_are_refused_and_not_told(
    logger: dict[str, Any], keys: list[str], remedy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("trainlib.build.extras.find_spec", lambda name: True)
    [name] = logger
    config = Config.model_validate({"data": DATA, "trainer": {"max_epochs": 1, "logger": ["CSVLogger", logger]}})
    found = check_components(config)
    assert [dotted(key) for key, _ in found] == [f"trainer.logger[1].{name}.{key}" for key in keys]
    for key, text in found:
        assert text.startswith(f"{dotted(key)}: a credential in a config is kept in every run and sent to loggers; ")
        assert remedy in text
        assert "hidden" not in text
        assert "12345" not in text
    with pytest.raises(InputError, match="a credential in a config"):
        extra_loggers(config, tmp_path)
    assert books == []


@pytest.mark.parametrize(
    "keywords",
    [
        {"tracking_uri": "http://host:5000", "artifact_location": "sftp://me@host/runs", "tags": {"token": None}},
        {"tracking_uri": "postgresql://me@host/db", "tags": {"contact": "me@host", "tokens": "12"}},
    ],
)
def test_what_is_no_credential_is_left_alone(keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainlib.build.extras.find_spec", lambda name: True)
    assert mistakes_of(trainer={"max_epochs": 1, "logger": {"MLFlowLogger": keywords}}) == []


def test_check_tells_a_credential(write_config: Write, cli: Any) -> None:
    done = cli("check", "-c", write_config(trainer={"logger": {"CometLogger": {"api_key": "hidden"}}}))
    assert done.returncode == 2
    assert "trainer.logger.CometLogger.api_key: a credential in a config" in done.stdout + done.stderr
    assert "hidden" not in done.stdout + done.stderr


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
