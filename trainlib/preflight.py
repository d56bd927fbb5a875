"""Find what is wrong with a config, its CSVs and its components before anything is read or trained."""

from __future__ import annotations

import math
import os.path
from collections.abc import Iterator, Sequence

from trainlib.config.credentials import read_credentials
from trainlib.config.load import Loaded
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.contradictions import contradictions
from trainlib.errors import ConfigError, Problem
from trainlib.places import unwritable_places

# What decides on the shapes that network, inferer and loss must have; a mistake in it makes a trial of them idle.
_SHAPING = {"task", "data", "transforms", "model", "loss", "inferer", "patch"}


def quick_problems(loaded: Loaded, command: str = "fit", *, continued: bool = False) -> list[Problem]:
    """Find what can be seen without importing torch: CSVs, files, patch scripts, settings that exclude each other.

    Args:
        loaded: A config as it was read; its own problems are not repeated.
        command: ``fit``, ``validate``, ``test`` or ``predict``; what it does not read is not looked at.
        continued: Whether a run is continued, which needs no weights to start from.
    """
    from trainlib.data.splits import SPLITS_OF, check_splits

    config = loaded.config
    if config is None:
        return []
    mistakes = [*contradictions(config)]
    if command == "fit":
        mistakes += [*_unusable_credentials(config), *unwritable_places(config)]
        mistakes += [] if continued else _absent_weights(config)
    problems = [Problem(text, loaded.sources.locate(key)) for key, text in mistakes if not _rests_on(loaded, key)]
    read = ["root", "image_cols", "label_cols", "group_col"]
    # Without classes, as where they are wrong altogether, cells are not compared with them.
    read += ["classes", "label_map"] if config.task == "classification" and config.data.classes else []
    if any(_rests_on(loaded, ("data", name)) for name in read):
        return problems
    splits = [split for split in SPLITS_OF[command] if ("data", f"{split}_csv") not in loaded.wrong]
    absent = {split: key for split in splits if (key := _absent_csv(config, split)) is not None}
    for key in absent.values():
        path = config.data_path(getattr(config.data, key[1]))
        problems.append(Problem(f"{dotted(key)}: there is no CSV file {path}.", loaded.sources.locate(key)))
    problems += check_splits(config, [split for split in splits if split not in absent])
    late = [] if problems or loaded.wrong else _validations(config, splits)
    return problems + [Problem(text, loaded.sources.locate(key)) for key, text in late]


def _validations(config: Config, splits: Sequence[str]) -> Iterator[tuple[Key, str]]:
    """Find a validation that would never come, for an epoch has fewer batches."""
    from trainlib.data.splits import read_split

    trainer = config.trainer
    interval, limit = trainer.get("val_check_interval"), trainer.get("limit_train_batches")
    if "train" not in splits or not isinstance(interval, int) or trainer.get("check_val_every_n_epoch", 1) is None:
        return
    cases = len(read_split(config, "train")[: config.data.limit_cases])
    size = config.data.batch_size
    left_over = config.task == "classification" and cases > size > 1 and cases % size == 1  # which is left out
    batches = math.ceil(cases / size) - left_over
    if isinstance(limit, int | float):
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    if interval > batches:
        text = f"expected {batches} at most, for an epoch has no more batches, found {interval}."
        yield ("trainer", "val_check_interval"), f"trainer.val_check_interval: {text}"


def _absent_csv(config: Config, split: str) -> tuple[str, str] | None:
    """Return the key of a split's CSV where there is no such file."""
    name = "test_csv" if split == "predict" and config.data.predict_csv is None else f"{split}_csv"
    csv = getattr(config.data, name)
    return ("data", name) if csv is not None and not os.path.isfile(config.data_path(csv)) else None


def _rests_on(loaded: Loaded, key: Key) -> bool:
    """Tell whether what is found at `key` would rest on the stand-in for a setting that was reported already."""
    sources: set[Key] = {key}
    if key == ("checkpoint", "monitor"):
        sources.add(("data", "classes"))
    if key[-1] in ("roi_size", "spatial_size"):
        sources.add(("data", "spatial_dims"))
    return any(wrong[: len(source)] == source[: len(wrong)] for source in sources for wrong in loaded.wrong)


def _unusable_credentials(config: Config) -> Iterator[tuple[Key, str]]:
    if config.pushover is not None:
        try:
            read_credentials(config.pushover.credentials)
        except ConfigError as error:
            yield ("pushover", "credentials"), str(error)


def _absent_weights(config: Config) -> Iterator[tuple[Key, str]]:
    path = config.model.weights
    if path is not None and not os.path.exists(path):
        yield ("model", "weights"), f"model.weights: there is no file or run folder {path}."


def spelling_problems(loaded: Loaded) -> list[Problem] | None:
    """Find components, keywords and arguments of the Trainer that do not exist; imports nothing that takes long.

    Returns:
        What is wrong; None before the index of them has been made, which takes imports.
    """
    from trainlib.build.catalogue import kept_catalogue
    from trainlib.build.spelling import spelling_mistakes

    if (index := kept_catalogue()) is None:
        return None
    if loaded.config is None:
        return []
    mistakes = spelling_mistakes(loaded.config, index)
    return [Problem(text, loaded.sources.locate(key)) for key, text in mistakes if not _is_known(loaded, key)]


def component_problems(loaded: Loaded, told: Sequence[Problem] = ()) -> list[Problem]:
    """Find what is wrong with components, their keywords and the Trainer's arguments; imports MONAI.

    Args:
        loaded: A config as it was read.
        told: What need not be told again.
    """
    config = loaded.config
    if config is None:
        return []
    from trainlib.build.catalogue import catalogue
    from trainlib.build.check import check_components

    if not config.data.classes:  # which was told; two stand in for them, so that a network can be built
        config = config.model_copy(update={"data": config.data.model_copy(update={"classes": ["first", "second"]})})
    mistakes = check_components(config)
    catalogue()  # which is made for the next time, now that all is imported
    if config.data.channels is not None and not _SHAPING & {key[0] for key in (*loaded.wrong, *dict(mistakes))}:
        from trainlib.tasks.rehearsal import misfits

        mistakes += misfits(config)
    problems = [Problem(text, loaded.sources.locate(key)) for key, text in mistakes if not _is_known(loaded, key)]
    return [problem for problem in problems if problem not in told]


def _is_known(loaded: Loaded, key: Key) -> bool:
    """Tell whether a mistake of a component was told already, or rests on one that was."""
    script = getattr(loaded.config and loaded.config.patch, str(key[-1]), None) if key[0] == "patch" else None
    return _rests_on(loaded, key) or (script is not None and not os.path.isfile(script))
