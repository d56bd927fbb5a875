"""Whatever happens to a config or a CSV, the outcome is a run, or sentences: never another error."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.fuzzing.configs import CLASSIFICATION, SEGMENTATION, config_texts, overrides
from tests.fuzzing.tables import HEADER, ROWS, csv_texts
from tests.hostile.place import SPLITS, Place
from trainlib.cli import app
from trainlib.cli.checking import checked
from trainlib.config.schema import Config

# What keeps the training of an accepted config short, on this machine and to itself.
SHORT = [
    "trainer.max_epochs=1", "trainer.min_epochs=null", "trainer.max_steps=-1", "trainer.min_steps=null",
    "trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "trainer.limit_test_batches=1",
    "trainer.accelerator=cpu", "run.name=fuzzed", "run.root=runs", "run.overwrite=false", "data.cache=none",
    "data.num_workers=0", "emissions=null", "pushover=null", "report=null", "progress=null",
]  # fmt: skip
COMMON = settings(
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
quickly = settings(COMMON, max_examples=120, derandomize=True)
trained = settings(COMMON, max_examples=12, derandomize=True)
CONFIGS, CSVS, OVERRIDES = config_texts(), csv_texts(), overrides()
VALID_CSV = "\n".join(map(",".join, [HEADER, *ROWS])).encode()
VALID_CONFIG = yaml.safe_dump(SEGMENTATION).encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place of which config and training CSV are written for each example; the working directory."""
    place = Place(tmp_path_factory.mktemp("fuzz") / "place")
    place.fill()
    for split in ("valid", "test"):
        rows = [[f"i{i}.nii.gz", f"l{i}.nii.gz", "sick", f"{split}{i}"] for i in SPLITS[split]]
        (place.data / f"{split}.csv").write_text("\n".join(map(",".join, [HEADER, *rows])))
    before, logger = Path.cwd(), logging.getLogger("trainlib")
    state = (logger.level, logger.propagate, list(logger.handlers))
    os.chdir(place.path)
    yield place
    os.chdir(before)
    logger.setLevel(state[0])
    logger.propagate = state[1]
    logger.handlers[:] = state[2]


def check(place: Place, config: bytes, csv: bytes, words: list[str]) -> Config | None:
    """Do what stands before a training; return the config that is accepted."""
    place.config.write_bytes(config)
    (place.data / "train.csv").write_bytes(csv)
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return checked([Path("config.yaml")], words, "fit")
        except typer.Exit as refusal:
            status = refusal.exit_code
    assert status == 2
    *lines, last = errors.getvalue().split("\n")[:-1]
    assert re.match(rf"{len(lines)} mistakes?; nothing was started\.", last), errors.getvalue()
    assert_sentences(lines)
    return None


def assert_sentences(lines: list[str]) -> None:
    assert lines
    for line in lines:
        assert line.isprintable()
        assert len(line) > 20
        assert line.rstrip()[-1] in ".?)'", line


def run(place: Place, config: bytes, csv: bytes) -> None:
    """Train, if it comes to that; the outcome is a run, or sentences and the exit status that goes with them."""
    if check(place, config, csv, SHORT) is None:
        event("refused")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CliRunner().invoke(app, ["fit", "-c", "config.yaml", *SHORT])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    event(f"trained, exit status {result.exit_code}")
    assert result.exit_code in (0, 1, 2)  # 1: the loss is not finite, or the machine ran out of something
    if result.exit_code:
        assert_sentences(result.stderr.splitlines())


def test_what_was_not_changed_is_accepted(place: Place) -> None:
    assert isinstance(check(place, VALID_CONFIG, VALID_CSV, []), Config)


@quickly
@given(config=CONFIGS, words=OVERRIDES)
def test_a_changed_config_is_accepted_or_refused_in_sentences(place: Place, config: bytes, words: list[str]) -> None:
    event("accepted" if check(place, config, VALID_CSV, words) else "refused")


@quickly
@given(csv=CSVS, task=st.sampled_from(["segmentation", "classification"]))
def test_a_changed_csv_is_accepted_or_refused_in_sentences(place: Place, csv: bytes, task: str) -> None:
    config = SEGMENTATION if task == "segmentation" else CLASSIFICATION
    # The classes are left to the CSV where it holds them.
    data = config["data"] | {"group_col": "patient"} | ({"classes": []} if task == "classification" else {})
    event("accepted" if check(place, yaml.safe_dump(config | {"data": data}).encode(), csv, []) else "refused")


@trained
@given(config=config_texts(most=1), csv=st.one_of(st.just(VALID_CSV), CSVS))
def test_what_is_accepted_can_be_trained(place: Place, config: bytes, csv: bytes) -> None:
    run(place, config, csv)


@pytest.mark.slow
@settings(COMMON, max_examples=2000)
@given(
    config=st.one_of(CONFIGS, config_texts(most=1)),
    csv=st.one_of(st.just(VALID_CSV), CSVS),
    words=OVERRIDES,
    train=st.integers(0, 9),
)
def test_two_thousand_changes_are_accepted_or_refused_in_sentences(
    place: Place, config: bytes, csv: bytes, words: list[str], train: int
) -> None:
    if train == 0:
        run(place, config, csv)
    else:
        event("accepted" if check(place, config, csv, words) else "refused")
