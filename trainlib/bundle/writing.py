"""Write a run as a MONAI bundle."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml

from trainlib.bundle.card import card_of, scores_of
from trainlib.bundle.conversion import to_torchscript
from trainlib.bundle.inference import first_suffix, inference_config
from trainlib.bundle.metadata import metadata_of
from trainlib.bundle.origin import take_over
from trainlib.bundle.references import ORIGIN
from trainlib.bundle.requirements import requirements_of
from trainlib.bundle.scripts import write_scripts
from trainlib.bundle.trained import Trained, open_trained
from trainlib.bundle.training import training_config, untold
from trainlib.bundle.trial import try_bundle
from trainlib.errors import ConfigError
from trainlib.system.diskspace import TEMPORARY
from trainlib.system.files import atomic_folder, atomic_path, write_text

log = logging.getLogger(__name__)

_LICENSE = (
    "The owner of this bundle has not chosen a licence yet: all rights are reserved.\n"
    "Replace this file by the licence under which the weights and configs may be used.\n"
)


def write_bundle(run: str | Path, folder: str | Path, *, zipped: bool = False) -> Path:
    """Write a run as a bundle that MONAI runs without trainlib.

    Args:
        run: The run folder.
        folder: The folder to write, which must not exist.
        zipped: Whether to write ``FOLDER.zip`` in place of the folder.

    Returns:
        The folder, or the archive.

    Raises:
        ConfigError: The target exists, or something of the run cannot be in a bundle.
        InputError: The run cannot be opened.
    """
    path = Path(folder).absolute()
    target = path.with_name(f"{path.name.removesuffix('.zip')}.zip") if zipped else path
    if target.exists():
        raise ConfigError(f"{target} exists already. Choose another name.")
    trained = open_trained(run)
    if not zipped:
        with atomic_folder(target) as temporary:
            _write_tried(trained, temporary)
        return target
    with atomic_path(target) as temporary, TemporaryDirectory(dir=target.parent, prefix=TEMPORARY) as place:
        _write_tried(trained, Path(place) / target.stem)
        shutil.make_archive(str(temporary.with_suffix("")), "zip", root_dir=place, base_dir=target.stem)
    return target


def _write_tried(trained: Trained, folder: Path) -> None:
    _write(trained, folder)
    try_bundle(folder, trained)


def _write(trained: Trained, folder: Path) -> None:
    config = trained.config
    configs = {"inference": inference_config(config)}
    notes = []
    if reason := untold(config):
        notes.append(f"There is no `configs/train.yaml`: {reason}.")
        log.info("configs/train.yaml is not written: %s.", reason)
    else:
        configs["train"] = training_config(config)
    for name, content in configs.items():
        write_text(folder / "configs" / f"{name}.yaml", yaml.safe_dump(content, sort_keys=False, width=1000))
    used = {name for content in configs.values() for name in _targets(content)}
    scripts = write_scripts(folder, config, used)
    if ORIGIN in used:
        notes.append(take_over(folder, config))
    needed = requirements_of(folder, used, first_suffix(config))
    (folder / "models").mkdir()
    with atomic_path(folder / "models" / "model.pt") as temporary:
        torch.save(trained.network.state_dict(), temporary)
    split, scores = scores_of(trained.run)
    metadata = metadata_of(trained, scores, needed.versions)
    try:
        log.info("models/model.ts: %s.", to_torchscript(trained, folder / "models" / "model.ts", metadata))
    except ConfigError as error:
        notes.append(f"There is no `models/model.ts`: {error}")
        log.warning("models/model.ts is not written. %s", error)
    write_text(folder / "configs" / "metadata.json", json.dumps(metadata, indent=2) + "\n")
    write_text(folder / "docs" / "README.md", card_of(trained, split, scores, needed, scripts, notes))
    write_text(folder / "LICENSE", _LICENSE)


def _targets(content: Any) -> Iterator[str]:
    """List what a config refers to."""
    if isinstance(content, dict):
        if "_target_" in content:
            yield content["_target_"]
        for value in content.values():
            yield from _targets(value)
    elif isinstance(content, list):
        for value in content:
            yield from _targets(value)
