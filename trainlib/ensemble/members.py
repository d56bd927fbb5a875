"""The members of an ensemble: ordinary runs, each trained once, whatever interrupts it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainlib.callbacks import Record
from trainlib.config.schema import Config
from trainlib.data.splits import read_split
from trainlib.errors import CheckpointError
from trainlib.folders.ensemble import Ensemble
from trainlib.folders.results import Run
from trainlib.folders.run import RunFolder
from trainlib.folders.standing import Standing, standing_of
from trainlib.run import fit
from trainlib.run import test as score_test
from trainlib.system.files import write_text
from trainlib.system.lock import held


@dataclass(frozen=True)
class Member:
    """A member.

    Attributes:
        name: Its name and that of its folder.
        config: Its config: that of the ensemble with its own cases or seed.
        folder: Its run folder.
        held_out: Folder of the scores on the fold that it was not trained on; None where members differ in seeds.
    """

    name: str
    config: Config
    folder: RunFolder
    held_out: RunFolder | None

    @property
    def run(self) -> Run:
        """The run."""
        return Run(self.folder, self.config)

    @property
    def held_out_config(self) -> Config:
        """The config with the validation cases as test cases, so that they are scored like these."""
        return _with(self.config, data={"test_csv": self.config.data.valid_csv})

    @property
    def note(self) -> Path:
        """File that says that nothing is left to do."""
        return self.folder.path / "member.json"

    @property
    def finished(self) -> bool:
        """Whether the training came to its end and all cases were scored.

        What `fit` writes does not tell: the table of cases has rows from the first validation on, and the number of
        epochs is open under early stopping. So it is noted when it is done.
        """
        needed = [self.note, self.folder.config, self.folder.cases]
        needed += [self.held_out.cases] if self.held_out is not None else []
        return all(path.is_file() for path in needed) and (self.folder.best.is_file() or self.folder.last.is_file())


def members_of(ensemble: Ensemble) -> list[Member]:
    """Return the members of an ensemble with their configs."""
    return [_member(ensemble, name) for name in ensemble.members]


def joint_config(ensemble: Ensemble) -> Config:
    """Return the config of what all members do together: their test cases are the same."""
    data: dict[str, Any] = {"cache_dir": str(ensemble.config.cache_dir)}  # that of the runs beside the ensemble
    if ensemble.folder.test_csv.is_file():
        data |= {"limit_cases": None, "test_csv": str(ensemble.folder.test_csv)}
    return _with(ensemble.config, data=data)


def _member(ensemble: Ensemble, name: str) -> Member:
    folder, config = ensemble.folder, joint_config(ensemble)
    trainer = config.trainer | {"enable_progress_bar": False}  # the table of all members shows more
    sections: dict[str, Any] = {"run": {"name": name, "root": str(folder.path), "overwrite": False}}
    if ensemble.kind == "folds":
        sections["data"] = {f"{split}_csv": str(folder.fold_csv(name, split)) for split in ("train", "valid")}
        sections["data"]["limit_cases"] = None  # the folds have been made of the first cases
    else:
        config = config.model_copy(update={"seed": int(name.rpartition("_")[2])})
    config = _with(config.model_copy(update={"trainer": trainer}), **sections)
    return Member(name, config, folder.member(name), folder.held_out(name) if ensemble.kind == "folds" else None)


def _with(config: Config, **sections: dict[str, Any]) -> Config:
    """Copy a config with other values of some keys."""
    update = {name: getattr(config, name).model_copy(update=values) for name, values in sections.items()}
    return config.model_copy(update=update)


def train_member(member: Member, record: Record | None = None) -> None:
    """Train a member, or go on with it; one that is finished is left as it is.

    Args:
        member: The member.
        record: How the ensemble was started, for the snapshot.

    Raises:
        InputError: Something in the config, its CSVs, files or checkpoint is wrong.
        ResourceError: The machine ran out of something, or another process trains the member.
        Interrupted: A signal ended the training.
    """
    with held(member.folder.path.with_name(f".{member.name}.lock"), member.name):
        if member.finished:
            return
        # The headers of all files were read when the ensemble was opened.
        fit(member.config, ckpt_path=_checkpoint_to_continue(member), record=record, check=False)
        if member.held_out is not None:
            _score_held_out(member, member.held_out)
        write_text(member.note, json.dumps({"finished": datetime.now(UTC).isoformat(timespec="seconds")}) + "\n")


def _checkpoint_to_continue(member: Member) -> Path | None:
    """Find the checkpoint to go on from; what was killed before the first one is removed and begun anew.

    Raises:
        CheckpointError: There was one, and it is gone; what else the folder holds is not for us to delete.
    """
    folder = member.folder
    if folder.last.is_file():
        return folder.last
    if standing(member).epoch > 1:
        raise CheckpointError(
            f"{folder.last} is missing, so that the training cannot go on. Put it back, or delete {folder.path} to "
            "train this member anew."
        )
    if folder.path.exists():
        shutil.rmtree(folder.path)
    return None


def _score_held_out(member: Member, folder: RunFolder) -> None:
    """Score the cases that the member was not trained on, in the geometry of their label files."""
    if folder.path.exists():  # an interruption left some of it
        shutil.rmtree(folder.path)
    score_test(member.held_out_config, member.run.checkpoint, folder=folder)


def standing(member: Member) -> Standing:
    """Tell how far a member is."""
    config = member.config
    epochs = int(config.trainer.get("max_epochs") or 0)
    return standing_of(
        member.folder,
        member.name,
        epochs=epochs,
        monitor=config.checkpoint.monitor,
        mode=config.monitor_mode,
        state="finished" if member.finished else None,
    )


def cases_held_out(member: Member) -> list[str]:
    """Name the cases of a fold in the order of its CSV."""
    return [case.name for case in read_split(member.held_out_config, "test")]
