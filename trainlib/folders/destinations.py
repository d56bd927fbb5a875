"""Where scores and predictions go, so that nothing is replaced by accident."""

from __future__ import annotations

from pathlib import Path

from trainlib.config.schema import Config
from trainlib.data.splits import SPLITS_OF, Case, csv_of
from trainlib.data.writing import suffix_of
from trainlib.errors import ConfigError
from trainlib.folders.naming import folder_of, unique_folder
from trainlib.folders.results import load_run
from trainlib.folders.run import RunFolder


def results_folder(stage: str, config: Config, checkpoint: Path | None) -> RunFolder:
    """Choose where scores go: into the run for its own cases, else into a new folder, so that nothing is replaced."""
    folder, split = folder_of(checkpoint) if checkpoint else None, SPLITS_OF[stage][0]
    if folder is None:
        return RunFolder(unique_folder(Path(config.run.root) / f"{config.run.name}_{stage}"))
    csv = csv_of(config, split)
    own = load_run(folder.path).config
    own_csv = csv_of(own, split)
    if csv and own_csv and config.data_path(csv) == own.data_path(own_csv):
        return folder
    return RunFolder(unique_folder(folder.path / f"{stage}_{Path(str(csv)).stem}"))


def protect_inputs(target: Path, cases: list[Case], dims: int) -> None:
    """Refuse to write predictions over the images that they are made from."""
    inputs = {image.resolve() for case in cases for image in case.images}
    for case in cases:
        file = target / (case.name + suffix_of(case.images[0], dims))
        if file.resolve() in inputs:
            raise ConfigError(f"--out: the prediction {file} would overwrite an image. Choose another folder.")


def prediction_folder(checkpoint: Path | None, out: str | Path | None, overwrite: bool) -> Path:
    """Make the folder of predictions: the one that was asked for, else a new one in the run of the checkpoint."""
    if out is not None:
        target = Path(out)
        if target.is_dir() and any(target.iterdir()) and not overwrite:
            raise ConfigError(f"--out: {out} holds files already. Choose another folder, or add --overwrite.")
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out: {out} cannot be made ({error.strerror}). Choose another folder.") from None
        return target
    folder = folder_of(checkpoint) if checkpoint else None
    if folder is None:
        what = f"{checkpoint} is in no run folder" if checkpoint else "the network comes from no run"
        raise ConfigError(f"--out is missing: {what}, so name one for the predictions.")
    return unique_folder(folder.predictions)
