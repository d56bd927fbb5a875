"""Classification from CSV to scores, on generated data."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn import metrics as reference

from trainlib import fit, load_config, load_run, predict
from trainlib import test as score_test
from trainlib.data.phantom import make_classification_dataset
from trainlib.folders.results import Run

Cli = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
FINDINGS = ["smooth", "spiculated", "hollow"]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PNG pictures of three findings: 10 training, 6 validation and 7 test cases."""
    return make_classification_dataset(
        tmp_path_factory.mktemp("findings") / "data", spatial_dims=2, cases=(10, 6, 7), file_format="png"
    )


@pytest.fixture
def write(tmp_path: Path, pictures: Path) -> Write:
    """Write a config for the pictures; of `data` and `trainer` single keys are replaced."""

    def write(name: str = "config.yaml", **sections: Any) -> Path:
        data = {"root": str(pictures), "train_csv": "train.csv", "valid_csv": "valid.csv", "test_csv": "test.csv"}
        size = {"ResizeWithPadOrCropd": {"spatial_size": [32, 32]}}
        content: dict[str, Any] = {
            "run": {"name": "tiny", "root": str(tmp_path / "runs")},
            "task": "classification",
            "data": data | {"spatial_dims": 2, "batch_size": 4, "num_workers": 0},
            "transforms": {
                "base": ["LoadImaged", "EnsureChannelFirstd", "NormalizeIntensityd", size],
                "train": [{"RandFlipd": {"spatial_axis": 0}}, {"RandGaussianNoised": {"std": 0.1}}],
            },
            "model": {"DenseNet": {"init_features": 4, "growth_rate": 4, "block_config": [2], "dropout_prob": 0.1}},
            "trainer": {"max_epochs": 2},
            "emissions": None,
            "report": None,
        }
        for section, value in sections.items():
            both = isinstance(value, dict) and isinstance(content.get(section), dict) and section != "model"
            content[section] = content[section] | value if both else value
        path = tmp_path / name
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


def csv_with(folder: Path, source: Path, keep: Callable[[pd.DataFrame], pd.DataFrame]) -> str:
    """Write a CSV with some rows of another, its paths absolute."""
    table = keep(pd.read_csv(source))
    table["image"] = [str(source.parent / name) for name in table["image"]]
    path = folder / f"some_{source.name}"
    table.to_csv(path, index=False)
    return str(path)


def of_split(run: Run, split: str) -> pd.DataFrame:
    return run.cases[run.cases["split"] == split]


def test_a_run_writes_a_row_for_each_case_with_every_probability(write: Write, pictures: Path) -> None:
    run = fit(load_config(write()))
    table = of_split(run, "test")
    expected = pd.read_csv(pictures / "test.csv")
    assert table["label"].tolist() == expected["label"].tolist()
    probabilities = table[[f"probability_{name}" for name in sorted(FINDINGS)]].to_numpy()
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert table["prediction"].tolist() == [sorted(FINDINGS)[i] for i in probabilities.argmax(axis=1)]
    assert len(of_split(run, "valid")) == 6
    assert run.config.data.classes == sorted(FINDINGS)
    assert load_run(run.folder.path).config == run.config


def test_the_metrics_are_those_of_scikit_learn_over_the_whole_split(write: Write) -> None:
    config = load_config(write())
    run = fit(config)
    found = score_test(config, run.folder.best)
    table = of_split(run, "test")
    classes = sorted(FINDINGS)
    probabilities = table[[f"probability_{name}" for name in classes]].to_numpy()
    labels, predicted = table["label"], table["prediction"]
    expected = {
        "test/auroc": reference.roc_auc_score(labels, probabilities, multi_class="ovr", labels=classes),
        "test/accuracy": reference.accuracy_score(labels, predicted),
        "test/balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
    }
    for i, name in enumerate(classes):
        expected[f"test/auroc/{name}"] = reference.roc_auc_score(labels == name, probabilities[:, i])
        expected[f"test/average_precision/{name}"] = reference.average_precision_score(
            labels == name, probabilities[:, i]
        )
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert run.scores("test")["auroc"] == pytest.approx(expected["test/auroc"], abs=1e-6)


def test_a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one(write: Write) -> None:
    def weights(run: Run) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = torch.load(run.folder.last, weights_only=True)["state_dict"]
        return state

    sections: dict[str, Any] = {"data": {"balance": True, "test_csv": None}, "scheduler": None}
    straight = fit(load_config(write(**sections, trainer={"max_epochs": 4}, run={"name": "straight"})))
    fit(load_config(write(**sections)))
    resumed = fit(load_config(write(**sections, trainer={"max_epochs": 4})), ckpt_path="last")
    assert all(torch.equal(value, weights(straight)[name]) for name, value in weights(resumed).items())
    assert resumed.metrics.drop(columns="seconds").equals(straight.metrics.drop(columns="seconds"))


def test_predict_gives_what_test_gave_and_needs_no_labels(write: Write, pictures: Path, tmp_path: Path) -> None:
    config = load_config(write())
    run = fit(config)
    unlabelled = csv_with(tmp_path, pictures / "test.csv", lambda table: table[["image"]])
    folder = predict(load_config(write(data={"predict_csv": unlabelled})), run.folder.best)
    table = pd.read_csv(folder / "predictions.csv")
    tested = of_split(run, "test").reset_index(drop=True)
    for column in ("prediction", *(f"probability_{name}" for name in FINDINGS)):
        assert table[column].tolist() == tested[column].tolist()
    assert [path.name for path in folder.iterdir()] == ["predictions.csv"]


def test_a_multi_label_task_has_columns_for_each_class(write: Write, tmp_path: Path) -> None:
    data = make_classification_dataset(
        tmp_path / "data", spatial_dims=2, cases=(8, 8, 8), file_format="png", multilabel=True
    )
    run = fit(load_config(write(data={"root": str(data), "label_cols": FINDINGS})))
    table, truth = of_split(run, "test"), pd.read_csv(data / "test.csv")
    for name in FINDINGS:
        assert table[f"label_{name}"].tolist() == truth[name].tolist()
        assert (table[f"prediction_{name}"] == (table[f"probability_{name}"] > 0.5)).all()
    scores = [reference.roc_auc_score(truth[name], table[f"probability_{name}"]) for name in FINDINGS]
    assert run.scores("test")["auroc"] == pytest.approx(np.mean(scores), abs=1e-6)
    assert run.config.loss.name == "BCEWithLogitsLoss"


def test_a_batch_that_leaves_one_case_over_does_without_it(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run = fit(load_config(write(data={"batch_size": 3, "test_csv": None})))
    assert "The 10 training cases leave one over: each epoch does without one case." in caplog.text
    assert run.metrics["step"].tolist() == [3, 6]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_class_that_a_split_lacks_is_told_and_left_out_of_means(
    write: Write, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, split: str
) -> None:
    some = csv_with(tmp_path, pictures / f"{split}.csv", lambda table: table[table["label"] != "hollow"])
    with caplog.at_level(logging.INFO):
        run = fit(load_config(write(data={f"{split}_csv": some})))
    assert f"No {split} case is hollow" in caplog.text
    scores = run.scores(split)
    assert np.isnan(scores["auroc/hollow"])
    assert scores["auroc"] == pytest.approx(np.mean([scores["auroc/smooth"], scores["auroc/spiculated"]]))


@pytest.mark.parametrize("count", [1, 2])
def test_a_test_split_of_one_class_or_one_case_is_scored_as_far_as_it_can_be(
    write: Write, pictures: Path, tmp_path: Path, count: int
) -> None:
    def keep(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["label"] == "smooth"].head(count)

    run = fit(load_config(write(data={"test_csv": csv_with(tmp_path, pictures / "test.csv", keep)})))
    scores = run.scores("test")
    assert np.isnan(scores["auroc"])
    assert scores["accuracy"] == (of_split(run, "test")["prediction"] == "smooth").mean()


def test_a_single_training_case_trains(write: Write, pictures: Path, tmp_path: Path) -> None:
    train = csv_with(tmp_path, pictures / "train.csv", lambda table: table.head(1))
    run = fit(load_config(write(data={"train_csv": train, "classes": FINDINGS, "test_csv": None})))
    assert run.metrics["train/loss"].notna().all()


def test_a_validation_of_one_class_is_watched_by_its_loss(write: Write, pictures: Path, tmp_path: Path) -> None:
    valid = csv_with(tmp_path, pictures / "valid.csv", lambda table: table[table["label"] == "smooth"])
    run = fit(load_config(write(data={"valid_csv": valid, "test_csv": None})))
    assert run.config.checkpoint.monitor == "valid/loss"
    assert run.folder.best.is_file()


def test_a_picture_of_matrix_and_probabilities_is_drawn_for_each_epoch(write: Write) -> None:
    run = fit(load_config(write(report={"resamples": 100}, data={"batch_size": 5})))
    assert len(run.folder.frames) == 2
    assert run.folder.gif.is_file()
    assert len(list((run.folder.pictures / "test").iterdir())) == 7


def test_a_label_that_is_no_class_is_told_with_its_row(write: Write, cli: Cli, pictures: Path, tmp_path: Path) -> None:
    train = csv_with(tmp_path, pictures / "train.csv", lambda table: table.replace("hollow", "holow"))
    done = cli("fit", "-c", write(data={"train_csv": train, "classes": FINDINGS}))
    assert done.returncode == 2
    assert "'holow' is not one of smooth, spiculated, hollow" in done.stderr
    assert "Did you mean hollow?" in done.stderr
    assert "some_train.csv:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_shows_the_metrics_of_the_classes(write: Write, cli: Cli) -> None:
    done = cli("fit", "-c", write())
    assert done.returncode == 0, done.stderr
    assert "data.classes: hollow, smooth, spiculated (the values of the column 'label' of train.csv)" in done.stdout
    for word in ("auroc", "balanced_accuracy", "overall", *FINDINGS):
        assert word in done.stdout


def test_cells_may_be_mapped_to_classes(write: Write, pictures: Path, tmp_path: Path) -> None:
    def numbered(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(label=table["label"].map({name: i for i, name in enumerate(FINDINGS)}))

    data: dict[str, Any] = {
        f"{split}_csv": csv_with(tmp_path, pictures / f"{split}.csv", numbered) for split in ("train", "valid", "test")
    }
    data |= {"classes": FINDINGS, "label_map": {0: "smooth", 1: "spiculated", 2: "hollow"}}
    run = fit(load_config(write(data=data)))
    assert of_split(run, "test")["label"].tolist() == pd.read_csv(pictures / "test.csv")["label"].tolist()


def test_a_checkpoint_is_scored_without_the_training_csv(
    write: Write, cli: Cli, pictures: Path, tmp_path: Path
) -> None:
    train = Path(csv_with(tmp_path, pictures / "train.csv", lambda table: table))
    run = fit(load_config(write(data={"train_csv": str(train)})))
    train.unlink()
    config = write(data={"train_csv": str(train)})
    for command in (["test"], ["predict", "--csv", pictures / "test.csv", "--out", tmp_path / "out"]):
        done = cli(*command, "-c", config, "--ckpt_path", run.folder.best)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "predictions.csv").is_file()
    assert cli("test", run.folder.path).returncode == 0


def test_one_typo_gives_one_sentence(write: Write, cli: Cli) -> None:
    done = cli("fit", "-c", write(seeed=3))
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if "config.yaml" in line]) == 1


def test_debug_is_refused_in_a_sentence(write: Write, cli: Cli) -> None:
    done = cli("fit", "-c", write(), "--debug")
    assert done.returncode == 2
    assert "--debug knows the mistakes of a segmentation only." in done.stderr


def test_strings_are_mapped_to_classes(write: Write) -> None:
    names = {"smooth": "harmless", "spiculated": "suspicious", "hollow": "suspicious"}
    run = fit(load_config(write(data={"classes": ["harmless", "suspicious"], "label_map": names})))
    assert set(of_split(run, "test")["label"]) == {"harmless", "suspicious"}


def test_a_label_column_that_is_not_there_gives_one_sentence_and_no_warning(write: Write, cli: Cli) -> None:
    done = cli("fit", "-c", write(data={"label_cols": "lable"}))
    assert done.returncode == 2
    assert "there is no column 'lable'" in done.stderr
    assert "Warning" not in done.stderr
