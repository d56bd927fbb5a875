"""Fit, test and predict from end to end on generated data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from tests.reference import scores
from trainlib import fit, load_config, load_run, predict, validate
from trainlib import test as score_test
from trainlib.callbacks import Record
from trainlib.data.phantom import CLASSES
from trainlib.errors import CheckpointError, ConfigError, InputError
from trainlib.folders.results import Run
from trainlib.folders.run import RunFolder

WriteConfig = Callable[..., Path]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, phantom: Path) -> Run:
    """A run of `configs/demo.yaml` on the small phantom."""
    folder = tmp_path_factory.mktemp("finished")
    config = load_config(
        "configs/demo.yaml",
        [f"data.root={phantom}", f"run.root={folder}", "trainer.max_epochs=25", "data.batch_size=2"],
    )
    return fit(config, record=Record(("trainlib", "fit"), (Path("configs/demo.yaml"),)))


def test_the_run_folder_holds_everything(finished: Run) -> None:
    folder = finished.folder.path
    expected = ["config.yaml", "cases.csv", "logs/metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"]
    expected += ["snapshot/trainlib/run/training.py", "snapshot/csvs/train.csv", "snapshot/configs/demo.yaml"]
    expected += ["snapshot/requirements.txt", "snapshot/environment.json", "snapshot/command.txt"]
    assert [name for name in expected if not (folder / name).is_file()] == []
    assert list(folder.glob("logs/events.out.tfevents.*"))
    assert list(folder.rglob(".writing-*")) == []
    assert "torch==" in (folder / "snapshot/requirements.txt").read_text()
    assert json.loads((folder / "snapshot/components.json").read_text())["model"] == "UNet from monai.networks.nets"


def test_metrics_have_plain_names_and_a_row_for_each_epoch(finished: Run) -> None:
    metrics = finished.metrics
    assert metrics["epoch"].tolist() == list(range(25))
    assert metrics["step"].tolist() == [3 * (epoch + 1) for epoch in range(25)]
    assert {"train/loss", "lr-AdamW", "valid/loss", "valid/dice", "valid/dice/organ"} <= set(metrics.columns)
    assert metrics["train/loss"].iloc[-1] < metrics["train/loss"].iloc[0]


def test_cases_hold_every_case_class_and_split_once(finished: Run) -> None:
    cases = finished.cases
    assert cases.groupby("split").size().to_dict() == {"valid": 6, "test": 6}
    assert not cases.duplicated(["split", "case", "class"]).any()
    assert cases[["dice", "hd", "hd95", "asd"]].notna().all().all()


def test_figures_of_the_test_cases_follow_from_the_written_files(finished: Run, phantom: Path) -> None:
    cases = finished.cases.query("split == 'test'").set_index(["case", "class"])
    links = pd.read_csv(finished.folder.predictions / "predictions.csv")
    labels = pd.read_csv(phantom / "test.csv")["label"]
    compared = 0
    for link, label_file in zip(links.itertuples(), labels, strict=True):
        label = nib.load(phantom / label_file)
        prediction = nib.load(finished.folder.predictions / link.prediction)
        values, truth = np.asarray(prediction.dataobj), np.asarray(label.dataobj)
        for value, name in enumerate(CLASSES):
            if value and (values == value).any():
                expected = scores(values == value, truth == value, label.header.get_zooms())
                row = cases.loc[(link.case, name)]
                assert {key: row[key] for key in expected} == pytest.approx(expected, abs=1e-4)
                compared += 1
    assert compared >= 4


def test_predictions_have_the_geometry_of_their_input(finished: Run, phantom: Path) -> None:
    links = pd.read_csv(finished.folder.predictions / "predictions.csv")
    assert links["image"].map(lambda path: Path(path).name).tolist() == links["prediction"].tolist()
    orientations = set()
    for link in links.itertuples():
        image, prediction = nib.load(link.image), nib.load(finished.folder.predictions / link.prediction)
        assert prediction.shape == image.shape
        assert np.array_equal(prediction.affine, image.affine)
        assert prediction.get_data_dtype() == np.uint8
        orientations.add(nib.aff2axcodes(image.affine))
    assert len(orientations) > 1


def test_predict_needs_no_labels_and_gives_what_test_gave(finished: Run, phantom: Path, tmp_path: Path) -> None:
    shutil.copytree(phantom / "images", tmp_path / "images")
    pd.read_csv(phantom / "test.csv")[["image"]].to_csv(tmp_path / "new.csv", index=False)
    config = load_run(finished.folder.path).config
    data = config.data.model_copy(update={"root": str(tmp_path), "predict_csv": "new.csv"})
    out = predict(
        config.model_copy(update={"data": data}), finished.checkpoint, out=tmp_path / "out", probabilities=True
    )
    links = pd.read_csv(out / "predictions.csv")
    for link in links.itertuples():
        values = np.asarray(nib.load(out / link.prediction).dataobj)
        assert np.array_equal(values, np.asarray(nib.load(finished.folder.predictions / link.prediction).dataobj))
        probabilities = np.asarray(nib.load(out / link.probabilities).dataobj)
        assert probabilities.shape == (*values.shape, 3)
        assert np.allclose(probabilities.sum(axis=-1), 1, atol=1e-4)
        assert np.array_equal(probabilities.argmax(axis=-1), values)


def test_predict_refuses_a_folder_that_holds_files(finished: Run, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").touch()
    with pytest.raises(ConfigError, match="holds files already"):
        predict(finished.config, finished.checkpoint, out=tmp_path)


def test_scoring_a_checkpoint_again_gives_the_same_table(finished: Run) -> None:
    before = finished.folder.cases.read_bytes()
    metrics = score_test(finished.config, finished.checkpoint)
    validate(finished.config, finished.checkpoint)
    assert finished.folder.cases.read_bytes() == before
    per_class = finished.cases.query("split == 'test'").groupby("class")["dice"].mean()
    assert metrics["test/dice"] == pytest.approx(per_class.mean(), abs=1e-6)


def test_the_written_config_repeats_the_run(finished: Run, tmp_path: Path) -> None:
    config = load_config(finished.folder.config, [f"run.root={tmp_path}"])
    again = fit(config)
    assert without_times(again) == without_times(finished)
    assert again.folder.cases.read_bytes() == finished.folder.cases.read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_do_not_depend_on_the_number_of_workers(write_config: WriteConfig, workers: int) -> None:
    one = fit(load_config(write_config()))
    other = fit(load_config(write_config(data={"num_workers": workers})))
    assert other.folder.path.name == "tiny_2"
    assert without_times(one) == without_times(other)
    assert one.folder.cases.read_bytes() == other.folder.cases.read_bytes()


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_results_do_not_depend_on_the_cache(write_config: WriteConfig, cache: str) -> None:
    one = fit(load_config(write_config()))
    other = fit(load_config(write_config(data={"cache": cache})))
    assert without_times(one) == without_times(other)


def test_a_config_of_data_alone_trains(write_config: WriteConfig, tmp_path: Path, phantom: Path) -> None:
    path = tmp_path / "alone.yaml"
    path.write_text(
        f"data: {{root: {phantom}, train_csv: train.csv, valid_csv: valid.csv, test_csv: test.csv, "
        f"classes: [{', '.join(CLASSES)}]}}"
    )
    overrides = [f"run.root={tmp_path}/runs", "trainer.max_epochs=1", "trainer.limit_train_batches=1"]
    run = fit(load_config(path, overrides))
    assert run.config.model.name == "UNet"
    assert run.metrics["train/loss"].notna().all()


def test_a_run_without_a_test_csv_is_only_validated(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(data={"test_csv": None})))
    assert set(run.cases["split"]) == {"valid"}
    assert not run.folder.predictions.exists()


def test_several_image_columns_become_channels(tmp_path: Path, phantom: Path, write_config: WriteConfig) -> None:
    for split in ("train", "valid", "test"):
        table = pd.read_csv(phantom / f"{split}.csv")
        table["image"] = [str(phantom / path) for path in table["image"]]
        table["label"] = [str(phantom / path) for path in table["label"]]
        table.assign(t2=table["image"]).to_csv(tmp_path / f"{split}.csv", index=False)
    run = fit(load_config(write_config(data={"root": str(tmp_path), "image_cols": ["image", "t2"]})))
    weights = torch.load(run.checkpoint, weights_only=True)["state_dict"]
    assert next(iter(weights.values())).shape[1] == 2


def test_surface_metrics_appear_in_the_validations_that_ask_for_them(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(metrics={"surface_every": 2}, trainer={"max_epochs": 4})))
    assert run.metrics["valid/hd95"].notna().tolist() == [False, True, False, True]


def test_early_stopping_ends_a_training_that_does_not_improve(write_config: WriteConfig) -> None:
    config = load_config(
        write_config(
            early_stopping={"patience": 2}, optimizer={"SGD": {"lr": 1e-12}}, scheduler=None, trainer={"max_epochs": 9}
        )
    )
    assert len(fit(config).metrics) < 9


def test_a_checkpoint_of_other_classes_is_refused(finished: Run) -> None:
    config = load_config(finished.folder.config, ["data.classes=[background, organ, lesion, vessel]"])
    with pytest.raises(CheckpointError, match=r"data.classes is \['background', .*Weights cannot be carried over"):
        score_test(config, finished.checkpoint)


def test_a_network_that_does_not_fit_the_window_is_told_before_training(write_config: WriteConfig) -> None:
    window = [{"SpatialPadd": {"spatial_size": [15, 15, 15]}}, {"RandSpatialCropd": {"roi_size": [15, 15, 15]}}]
    config = load_config(write_config(transforms={"train": window}))
    with pytest.raises(InputError, match=r"model: for an input of shape \(1, 1, 15, 15, 15\) the output has shape"):
        fit(config)
    assert list(Path(config.run.root).glob("tiny*")) == []


def test_a_label_stored_in_another_orientation_scores_the_same(finished: Run, phantom: Path, tmp_path: Path) -> None:
    shutil.copytree(phantom, tmp_path / "data")
    for path in (tmp_path / "data" / "labels").iterdir():
        nib.save(nib.load(path).as_reoriented([[0, -1], [1, -1], [2, 1]]), path)
    config = load_config(finished.folder.config, [f"data.root={tmp_path / 'data'}"])
    metrics = score_test(config, finished.checkpoint)
    expected = finished.cases.query("split == 'test'").groupby("class")["dice"].mean().mean()
    assert metrics["test/dice"] == pytest.approx(expected, abs=1e-6)


def test_scores_of_other_cases_go_to_a_folder_of_their_own(finished: Run, phantom: Path) -> None:
    before = finished.folder.cases.read_bytes()
    score_test(load_config(finished.folder.config, ["data.test_csv=valid.csv"]), finished.checkpoint)
    assert finished.folder.cases.read_bytes() == before
    other = finished.folder.path / "test_valid"
    assert (other / "cases.csv").is_file()
    assert len(list((other / "predictions").glob("*.nii.gz"))) == 3


def test_scoring_never_deletes_a_run(write_config: WriteConfig, tmp_path: Path) -> None:
    run = fit(load_config(write_config()))
    shutil.copy(run.folder.best, tmp_path / "elsewhere.ckpt")
    config = load_config(write_config(run={"overwrite": True}))
    score_test(config, tmp_path / "elsewhere.ckpt")
    assert run.folder.best.is_file()
    assert (tmp_path / "runs" / "tiny_test" / "cases.csv").is_file()


def test_predictions_never_overwrite_the_images(finished: Run, phantom: Path, tmp_path: Path) -> None:
    shutil.copytree(phantom, tmp_path / "data")
    config = load_config(finished.folder.config, [f"data.root={tmp_path / 'data'}"])
    with pytest.raises(ConfigError, match="would overwrite an image"):
        predict(config, finished.checkpoint, out=tmp_path / "data" / "images", overwrite=True)


def test_a_class_that_no_case_has_can_be_monitored(write_config: WriteConfig, phantom: Path, tmp_path: Path) -> None:
    config = write_config(
        data={"classes": [*CLASSES, "vessel"]},
        checkpoint={"monitor": "valid/dice/vessel"},
        model={"UNet": {"channels": [4, 8], "strides": [2]}},
    )
    assert "valid/dice/vessel" in fit(load_config(config)).metrics.columns


def test_names_of_cases_and_classes_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("split,case,class,dice\ntest,001,NA,\n")
    [row] = Run(RunFolder(tmp_path), None).cases.to_dict("records")
    assert (row["case"], row["class"]) == ("001", "NA")
    assert np.isnan(row["dice"])


def without_times(run: Run) -> str:
    """The table of the epochs without its one column of times."""
    table = pd.read_csv(run.folder.metrics, dtype=str, keep_default_na=False)
    return table.drop(columns="seconds").to_csv(index=False)
