"""Checkpoints that cannot be used: damaged, of something else, or with code in them, which is never run."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.hostile.conditions import permissions_count
from tests.hostile.place import Damage, Place, both, folder, nothing, replaced, written
from tests.hostile.runner import FIT, Row, check, nothing_was_run

RESUME = (*FIT, "--ckpt_path", "given.ckpt")
TEST = ("test", "-c", "config.yaml", "--ckpt_path", "given.ckpt")
PREDICT = ("predict", "-c", "config.yaml", "--ckpt_path", "given.ckpt", "--out", "predicted")
BEST = "runs/broken/checkpoints/best.ckpt"
UNREADABLE = "--ckpt_path: given.ckpt cannot be read as a checkpoint; it is damaged or of another kind"
CARRIED = "Weights cannot be carried over."


class Code:
    """What pickle makes of it runs a command."""

    def __reduce__(self) -> Any:
        return os.system, ("touch ran",)


def given(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Damage:
    """Write the checkpoint of the run elsewhere, with a change."""

    def damage(place: Place) -> None:
        content = torch.load(place.path / BEST, weights_only=True)
        change(content)
        torch.save(content, place.path / "given.ckpt")

    return damage


def first_bytes(count: int) -> Damage:
    return lambda place: (place.path / "given.ckpt").write_bytes((place.path / BEST).read_bytes()[:count])


def saved(content: Any) -> Damage:
    return lambda place: torch.save(content, place.path / "given.ckpt")


def smaller_weights(content: dict[str, Any]) -> None:
    weights = content["state_dict"]
    weights[next(iter(weights))] = torch.zeros(1)


def without_schedule(content: dict[str, Any]) -> None:
    for name in ("optimizer", "scheduler"):
        del content["trainlib"]["config"][name]


def unreadable(place: Place) -> None:
    given()(place)
    (place.path / "given.ckpt").chmod(0)


def it_is_scored(place: Place, output: str) -> None:
    assert (place.path / "runs/broken_2/cases.csv").is_file()
    assert f"run folder   {place.path}/runs/broken_2" in output


FILES = [
    Row(f"{what}, {command[0]}", damage, (told,), command, then=nothing_was_run)
    for what, damage, told in [
        ("no checkpoint", nothing, "--ckpt_path: there is no checkpoint given.ckpt."),
        ("a folder for a checkpoint", folder("given.ckpt"), "--ckpt_path: there is no checkpoint given.ckpt."),
        ("an empty checkpoint", written("given.ckpt", ""), f"{UNREADABLE} (it is empty)."),
        ("a text for a checkpoint", written("given.ckpt", "weights"), f"{UNREADABLE} (torch has not written it)."),
        ("a checkpoint that is cut off", first_bytes(5000), f"{UNREADABLE} (it is cut off)."),
        ("a pickle with code in it", written("given.ckpt", pickle.dumps({"trainlib": Code()})),
         f"{UNREADABLE} (torch has not written it)."),
        ("a checkpoint with code in it", saved({"trainlib": Code()}),
         f"{UNREADABLE} (it holds posix.system, which is code and no data; nothing of it was run)."),
        ("a checkpoint of another tool", saved({"state_dict": {}}),
         "--ckpt_path: given.ckpt was not written by trainlib."),
    ]
    for command in (RESUME, TEST, PREDICT)
]  # fmt: skip

CONTENT = [
    Row("a checkpoint that may not be read", unreadable, (f"{UNREADABLE} (Permission denied).",), RESUME,
        under=permissions_count),
    Row("a checkpoint without weights", given(lambda content: content.pop("state_dict")),
        ("--ckpt_path: given.ckpt lacks state_dict, which every checkpoint of trainlib has. It was changed by "
         "something else; take another one.",), TEST),
    Row("a checkpoint without its config", given(lambda content: content["trainlib"].pop("config")),
        ("--ckpt_path: given.ckpt lacks trainlib.config, which every checkpoint of trainlib has. ...",), PREDICT),
    Row("a checkpoint without the state of the training", given(lambda content: content.pop("loops")),
        ("--ckpt_path: given.ckpt lacks loops, which every checkpoint of trainlib has. ...",), RESUME),
    Row("a checkpoint that does not know its epoch", given(lambda content: content.update(loops={})),
        ("--ckpt_path: given.ckpt lacks loops.fit_loop, which every checkpoint of trainlib has. ...",), RESUME),
    Row("a checkpoint that does not know its length", given(lambda content: content["trainlib"].pop("horizon")),
        ("--ckpt_path: given.ckpt lacks trainlib.horizon, which every checkpoint of trainlib has. ...",), RESUME),
    Row("a checkpoint without kind of optimizer", given(lambda content: content["trainlib"].update(optimizer=3)),
        ("--ckpt_path: given.ckpt lacks trainlib.optimizer, which every checkpoint of trainlib has. ...",), RESUME),
    Row("a checkpoint without optimizer and schedule in its config", given(without_schedule),
        ("--ckpt_path: given.ckpt lacks trainlib.config.optimizer, trainlib.config.scheduler, which ...",), RESUME),
    Row("weights of other shapes", given(smaller_weights),
        ("The weights in given.ckpt do not fit the network: network... is of shape (1,), expected of shape "
         "(2, 1, 3, 3, 3). A script that builds the network may have changed since.",), TEST),
    Row("weights that are lacking", given(lambda content: content["state_dict"].clear()),
        ("The weights in given.ckpt do not fit the network: network... is missing, and ... more. A script that builds "
         "the network may have changed since.",), RESUME),
    Row("another network", both(given(), replaced("UNet:", "AttentionUnet:")),
        (f"model is AttentionUnet(...), but given.ckpt was trained with UNet(...). {CARRIED}",), RESUME),
    Row("a network of other channels", both(given(), replaced("[2, 4]", "[2, 8]")),
        (f"model.UNet.channels is [2, 8], but given.ckpt was trained with [2, 4]. {CARRIED}",), RESUME),
    Row("other channels, to test", both(given(), replaced("[2, 4]", "[2, 8]")),
        (f"model.UNet.channels is [2, 8], but given.ckpt was trained with [2, 4]. {CARRIED}",), TEST),
    Row("another number of classes", both(given(), replaced("[background, organ]", "[background, organ, lesion]")),
        ("data.classes is ['background', 'organ', 'lesion'], but given.ckpt was trained with "
         f"['background', 'organ']. {CARRIED}",), RESUME),
    Row("another number of classes, to predict", both(given(), replaced("[background, organ]", "[background, a, b]")),
        (f"data.classes is ['background', 'a', 'b'], but given.ckpt was trained with ['background', 'organ']. "
         f"{CARRIED}",), PREDICT),
    Row("classes of other names", both(given(), replaced("organ]", "liver]")),
        ("data.classes is ['background', 'liver'], but given.ckpt was trained with ['background', 'organ']. "
         f"{CARRIED}",), RESUME),
]  # fmt: skip

RUNS = [
    Row("a run without checkpoints", lambda place: shutil.rmtree(place.path / "runs/broken/checkpoints"),
        ("runs/broken has no checkpoint best or last yet.",), ("test", "runs/broken")),
    Row("a folder that is no run", nothing, ("data is not a run folder: it has no config.yaml.",),
        ("predict", "data", "--csv", "data/test.csv")),
    Row("a run whose config is damaged", written("runs/broken/config.yaml", "data: [\n"),
        ("...config.yaml:2: is not valid YAML: did not find expected node content...",), ("report", "runs/broken")),
    Row("no CSV of new cases", nothing, ("...data.predict_csv: there is no CSV file .../new.csv.",),
        ("predict", "runs/broken", "--csv", "new.csv")),
    Row("predictions where there are files", nothing,
        ("--out: data holds files already. Choose another folder, or add --overwrite.",),
        ("predict", "runs/broken", "--csv", "data/test.csv", "--out", "data")),
    Row("a training that is over", given(), words=RESUME, then=it_is_scored),
    Row("predictions into a file", written("taken", ""),
        ("--out: taken cannot be made (File exists). Choose another folder.",),
        ("predict", "runs/broken", "--csv", "data/test.csv", "--out", "taken")),
]  # fmt: skip

ROWS = [*FILES, *CONTENT, *RUNS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_checkpoint_that_cannot_be_used_is_refused(row: Row, trained_place: Place) -> None:
    check(row, trained_place)


def test_the_code_in_these_checkpoints_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"trainlib": Code()}, "given.ckpt")
    torch.load("given.ckpt", weights_only=False)
    assert Path("ran").exists()
    Path("ran").unlink()
    pickle.loads(pickle.dumps(Code()))
    assert Path("ran").exists()
