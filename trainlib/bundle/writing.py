"""Write a run as a MONAI bundle."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml

from trainlib.bundle.conversion import to_torchscript
from trainlib.bundle.inference import inference_config
from trainlib.bundle.metadata import card_of, metadata_of, scores_of
from trainlib.bundle.scripts import write_scripts
from trainlib.bundle.trained import Trained, open_trained
from trainlib.bundle.training import training_config, untold
from trainlib.bundle.trial import try_bundle
from trainlib.errors import ConfigError
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
    target = Path(folder)
    archive = target.with_name(f"{target.name}.zip")
    for path in (target, archive) if zipped else (target,):
        if path.exists():
            raise ConfigError(f"{path} exists already. Choose another folder.")
    trained = open_trained(run)
    _refuse_foreign(trained)
    with atomic_folder(target) as temporary:
        _write(trained, temporary)
        try_bundle(temporary, trained)
    if not zipped:
        return target
    try:
        with atomic_path(archive) as temporary_file:
            made = shutil.make_archive(
                str(temporary_file.with_suffix("")), "zip", root_dir=target.absolute().parent, base_dir=target.name
            )
            assert Path(made) == temporary_file
    finally:
        shutil.rmtree(target)
    return archive


def _refuse_foreign(trained: Trained) -> None:
    """Refuse what MONAI alone cannot repeat."""
    if trained.config.model.name == "bundle" and trained.config.patch.model is None:
        raise ConfigError(
            "model: the network comes from a bundle itself, whose configs describe it. Put checkpoint and scores there."
        )


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
    scripts = write_scripts(folder, config, {name for content in configs.values() for name in _targets(content)})
    (folder / "models").mkdir()
    with atomic_path(folder / "models" / "model.pt") as temporary:
        torch.save(trained.network.state_dict(), temporary)
    split, scores = scores_of(trained.run)
    metadata = metadata_of(trained, scores)
    try:
        log.info("models/model.ts: %s.", to_torchscript(trained, folder / "models" / "model.ts", metadata))
    except ConfigError as error:
        notes.append(f"There is no `models/model.ts`: {error}")
        log.warning("models/model.ts is not written. %s", error)
    write_text(folder / "configs" / "metadata.json", json.dumps(metadata, indent=2) + "\n")
    write_text(folder / "docs" / "README.md", card_of(trained, split, scores, scripts, notes))
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
