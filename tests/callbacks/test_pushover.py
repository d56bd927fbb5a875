"""Messages on a training: what is told, when, and that no secret is left anywhere."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from tests.callbacks.pushover_server import HANG, KEY, PASSWORD, SECRETS, TOKEN, serving
from trainlib import fit, load_config
from trainlib.callbacks import Record, pushover
from trainlib.callbacks.delivery import ATTACHMENT_LIMIT, Message
from trainlib.callbacks.pushover import Pushover
from trainlib.callbacks.snapshot import Snapshot
from trainlib.config.load import read_config
from trainlib.errors import ConfigError, Interrupted, StepError
from trainlib.folders.run import RunFolder
from trainlib.preflight import quick_problems

WriteConfig = Callable[..., Path]

# Fails, or is interrupted, in the second of two epochs of three steps.
LOSS = """
import torch
from trainlib.errors import Interrupted

class Loss(torch.nn.Module):
    steps = 0
    def forward(self, output, label):
        Loss.steps += self.training
        if Loss.steps == 5:
            raise {error}
        return output.square().mean()

def get_loss(config):
    return Loss()
"""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A file of credentials, with a proxy for addresses that the tests do not use."""
    path = tmp_path / "pushover.yaml"
    proxies = {"https": f"http://me:{PASSWORD}@127.0.0.1:9"}
    path.write_text(yaml.safe_dump({"app_token": TOKEN, "user_key": KEY, "proxies": proxies}))
    return path


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What is handed over to be sent."""
    messages: list[Message] = []
    box = SimpleNamespace(start=lambda: None, put=messages.append, close=lambda seconds: None)
    monkeypatch.setattr(pushover, "Outbox", lambda *_, **__: box)
    return messages


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that the messages go by."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(pushover, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def messages(write_config: WriteConfig, credentials: Path, tmp_path: Path) -> Callable[..., Pushover]:
    """Make the callback for a run in `tmp_path`."""

    def make(**sections: Any) -> Pushover:
        section = {"credentials": str(credentials), **sections.pop("pushover", {})}
        config = load_config(write_config(pushover=section, trainer={"max_epochs": 9}, **sections))
        return Pushover(config, RunFolder(tmp_path / "heart"))

    return make


def trainer_of(epoch: int, value: float | None = None, monitor: str = "valid/dice") -> Any:
    """What the callback sees of a Trainer in an epoch, counted from 0."""
    return SimpleNamespace(
        current_epoch=epoch,
        max_epochs=9,
        callback_metrics={} if value is None else {monitor: torch.tensor(value)},
        datamodule=SimpleNamespace(cases={"train": [0] * 6, "valid": [0] * 3}),
    )


def train(callback: Pushover, values: list[float | None], first: int = 0, **settings: Any) -> None:
    """Go through some epochs with these values of the monitored metric."""
    callback.on_train_start(trainer_of(first), None)
    for epoch, value in enumerate(values, first):
        callback.on_train_epoch_end(trainer_of(epoch, value, **settings), None)


def table(folder: Path, values: list[float], monitor: str = "valid/dice") -> None:
    """Write a table of epochs."""
    (folder / "logs").mkdir(parents=True)
    rows = [f"{epoch},{value}\n" for epoch, value in enumerate(values)]
    (folder / "logs" / "metrics.csv").write_text(f"epoch,{monitor}\n{''.join(rows)}")


def test_a_training_is_told_in_order_with_its_figures_and_no_secret_stays_behind(
    write_config: WriteConfig, credentials: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as server, caplog.at_level(logging.DEBUG):
        section = {"credentials": str(credentials), "api": server.address}
        path = write_config(pushover=section, emissions=None, data={"num_workers": 2})  # forked beside the thread
        run = fit(load_config(path), record=Record(("trainlib",)))
    start, better, end = server.received
    titles = [request.fields["title"] for request in server.received]
    first = run.metrics["valid/dice"].iloc[0]
    assert titles == ["tiny: started", f"tiny: valid/dice {first:.4g}", "tiny: finished"]
    assert "2 epochs on " in start.fields["message"]
    assert "6 training and 3 validation cases" in start.fields["message"]
    frame = run.folder.frames[0]
    assert better.attachment == (frame.name, "image/png", frame.read_bytes())
    assert end.attachment == ("progress.gif", "image/gif", run.folder.gif.read_bytes())
    dice = run.cases.query("split == 'test'").groupby("class")["dice"].mean()
    assert f"Test, 3 cases: dice {dice.mean():.4g}, " in end.fields["message"]
    assert f"Dice: organ {dice['organ']:.3f}, lesion {dice['lesion']:.3f}" in end.fields["message"]
    assert f"Best valid/dice {run.metrics['valid/dice'].max():.4g} (epoch " in end.fields["message"]
    assert all("priority" not in request.fields for request in server.received)
    leaks = [
        (file, secret)
        for file in run.folder.path.rglob("*")
        for secret in SECRETS
        if file.is_file() and secret.encode() in file.read_bytes()
    ]
    assert leaks == []
    assert [secret for secret in SECRETS if secret in caplog.text] == []
    checkpoint = torch.load(run.folder.last, weights_only=True)
    assert not any("Pushover" in key for key in checkpoint["callbacks"])

    silent = fit(load_config(write_config(run={"name": "silent"}, emissions=None)))
    theirs = torch.load(silent.folder.last, weights_only=True)["state_dict"]
    assert checkpoint["state_dict"].keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in checkpoint["state_dict"].items())


def test_a_server_that_hangs_delays_only_the_end_and_only_a_little(
    write_config: WriteConfig, credentials: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Pushover, "patience", 0.2)
    with serving(HANG) as server:
        section = {"credentials": str(credentials), "api": server.address, "min_interval": 0.0}
        config = load_config(write_config(pushover=section, emissions=None, progress=None))
        began = time.monotonic()
        run = fit(config)
        # One message alone keeps its sender for 40 s: three tries of 10 s and two pauses.
        assert time.monotonic() - began < 30
    assert len(run.metrics) == 2
    assert server.received[0].fields["title"] == "tiny: started"
    assert "could not be delivered to Pushover within 0.2 s" in run.folder.log.read_text()
    assert [secret for secret in SECRETS if secret in caplog.text] == []


@pytest.mark.parametrize(
    ("error", "title", "text", "priority"),
    [
        (
            "LookupError('the loss fell over\\nin the second line')",
            "tiny: failed",
            "LookupError: the loss fell over",
            "1",
        ),
        (
            "RuntimeError('the loss fell over\\nin the second line')",
            "tiny: failed",
            "StepError: train.csv:6 (case_004.nii.gz), train.csv:2 (case_000.nii.gz): loss: fails",
            "1",
        ),
        ("Interrupted(15)", "tiny: interrupted", "Interrupted after ", None),
    ],
)
def test_a_training_that_breaks_off_is_told(
    write_config: WriteConfig,
    credentials: Path,
    tmp_path: Path,
    error: str,
    title: str,
    text: str,
    priority: str | None,
) -> None:
    script = tmp_path / "failing.py"
    script.write_text(LOSS.format(error=error))
    with serving() as server:
        config = load_config(
            write_config(
                pushover={"credentials": str(credentials), "api": server.address},
                emissions=None,
                patch={"loss": str(script)},
            )
        )
        with pytest.raises((LookupError, StepError, Interrupted)):
            fit(config)
    end = server.received[-1]
    assert end.fields["title"] == title
    assert end.fields["message"].startswith(text)
    assert "second line" not in end.fields["message"]
    assert "1 of 2 epochs done" in end.fields["message"]
    assert end.fields.get("priority") == priority
    assert end.attachment is None


def test_only_improvements_are_told_with_what_was_before(
    messages: Callable[..., Pushover], sent: list[Message], clock: SimpleNamespace
) -> None:
    with messages(pushover={"min_interval": 0.0}) as callback:
        train(callback, [float("nan"), 0.5, 0.4, 0.5, None, 0.75])
    assert [message.title for message in sent] == [
        "heart: started",
        "heart: valid/dice 0.5",
        "heart: valid/dice 0.75",
        "heart: finished",
    ]
    assert sent[1].text == "valid/dice 0.5 in epoch 2\n2 of 9 epochs done"
    assert sent[2].text == "valid/dice 0.75 in epoch 6, before 0.5 in epoch 2\n6 of 9 epochs done"
    assert [message.passing for message in sent] == [False, True, True, False]


def test_where_less_is_better_a_smaller_value_is_an_improvement(
    messages: Callable[..., Pushover], sent: list[Message], clock: SimpleNamespace
) -> None:
    with messages(pushover={"min_interval": 0.0}, checkpoint={"monitor": "valid/loss"}) as callback:
        train(callback, [0.5, 0.6, 0.25], monitor="valid/loss")
    assert [message.title for message in sent[1:-1]] == ["heart: valid/loss 0.5", "heart: valid/loss 0.25"]


def test_an_improvement_that_comes_too_early_is_told_when_it_is_time(
    messages: Callable[..., Pushover], sent: list[Message], clock: SimpleNamespace
) -> None:
    with messages(pushover={"min_interval": 60.0}) as callback:
        callback.on_train_start(trainer_of(0), None)
        for epoch, (now, value) in enumerate([(0, 0.1), (30, 0.2), (50, 0.3), (61, 0.1), (200, 0.2), (201, 0.4)]):
            clock.now = 1000.0 + now
            callback.on_train_epoch_end(trainer_of(epoch, value), None)
    assert [message.text.splitlines()[0] for message in sent[1:-1]] == [
        "valid/dice 0.1 in epoch 1",
        "valid/dice 0.3 in epoch 3, before 0.1 in epoch 1",
        "valid/dice 0.4 in epoch 6, before 0.3 in epoch 3",
    ]


def test_a_resumed_run_announces_no_old_news(
    messages: Callable[..., Pushover], sent: list[Message], clock: SimpleNamespace, tmp_path: Path
) -> None:
    value = torch.tensor(0.7).item()  # longer than it stands in the table
    table(tmp_path / "heart", [0.5, float(f"{value:.9g}"), 0.6, 0.9])
    with messages(pushover={"min_interval": 0.0}) as callback:
        train(callback, [0.65, 0.7, 0.8], first=3)
    assert sent[0].title == "heart: continued at epoch 4"
    assert "Best valid/dice 0.7 (epoch 2)" in sent[0].text
    assert [message.text.splitlines()[0] for message in sent[1:-1]] == [
        "valid/dice 0.8 in epoch 6, before 0.7 in epoch 2"
    ]


def test_a_run_resumed_when_all_was_done_still_tells_its_best(
    messages: Callable[..., Pushover], sent: list[Message], tmp_path: Path
) -> None:
    table(tmp_path / "heart", [0.5, 0.7, 0.6])
    with messages():
        pass
    assert [message.title for message in sent] == ["heart: finished"]
    assert "Best valid/dice 0.7 (epoch 2)" in sent[0].text


def frames(folder: Path, count: int) -> None:
    """Write progress pictures."""
    (folder / "progress").mkdir(parents=True)
    for epoch in range(1, count + 1):
        (folder / "progress" / f"epoch_{epoch:05d}.png").write_bytes(b"picture")


def test_an_improvement_told_late_brings_the_picture_of_its_own_epoch(
    messages: Callable[..., Pushover], sent: list[Message], clock: SimpleNamespace, tmp_path: Path
) -> None:
    frames(tmp_path / "heart", 3)
    with messages(pushover={"min_interval": 60.0}) as callback:
        callback.on_train_start(trainer_of(0), None)
        for epoch, (now, value) in enumerate([(0, 0.1), (30, 0.8), (61, 0.2), (200, 0.9)]):
            clock.now = 1000.0 + now
            callback.on_train_epoch_end(trainer_of(epoch, value), None)
    late, without = sent[2:4]
    assert late.text.startswith("valid/dice 0.8 in epoch 2")
    assert late.picture == tmp_path / "heart" / "progress" / "epoch_00002.png"
    assert without.text.startswith("valid/dice 0.9 in epoch 4")
    assert without.picture is None


@pytest.mark.parametrize("pictures", [True, False])
def test_pictures_can_be_kept_at_home(
    messages: Callable[..., Pushover], sent: list[Message], tmp_path: Path, pictures: bool
) -> None:
    frames(tmp_path / "heart", 1)
    (tmp_path / "heart" / "progress.gif").write_bytes(b"picture")
    with messages(pushover={"min_interval": 0.0, "pictures": pictures}) as callback:
        train(callback, [0.5])
    assert [message.title for message in sent[1:]] == ["heart: valid/dice 0.5", "heart: finished"]
    assert [message.picture is not None for message in sent] == [False, pictures, pictures]


def test_the_time_at_the_end_is_enough_for_a_server_that_answers_within_a_second(
    messages: Callable[..., Pushover], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "heart").mkdir()
    (tmp_path / "heart" / "progress.gif").write_bytes(bytes(ATTACHMENT_LIMIT))
    with serving() as server:
        server.delay = 0.9
        with messages(pushover={"api": server.address}):
            pass
    [end] = server.received
    assert end.fields["title"] == "heart: finished"
    assert end.attachment == ("progress.gif", "image/gif", bytes(ATTACHMENT_LIMIT))
    assert "could not be delivered" not in caplog.text


@pytest.mark.parametrize(
    ("gif", "frames", "expected"),
    [
        (100, [100, 100], "progress.gif"),
        (ATTACHMENT_LIMIT + 1, [100, 100], "epoch_00002.png"),
        (None, [100, 100], "epoch_00002.png"),
        (ATTACHMENT_LIMIT + 1, [100, ATTACHMENT_LIMIT + 1], None),
        (None, [], None),
    ],
)
def test_the_end_brings_the_gif_or_else_the_last_picture_that_pushover_takes(
    messages: Callable[..., Pushover],
    sent: list[Message],
    tmp_path: Path,
    gif: int | None,
    frames: list[int],
    expected: str | None,
) -> None:
    (tmp_path / "heart" / "progress").mkdir(parents=True)
    if gif is not None:
        (tmp_path / "heart" / "progress.gif").write_bytes(bytes(gif))
    for i, size in enumerate(frames, 1):
        (tmp_path / "heart" / "progress" / f"epoch_{i:05d}.png").write_bytes(bytes(size))
    with messages():
        pass
    assert (sent[0].picture and sent[0].picture.name) == expected


@pytest.mark.parametrize(("error", "patience"), [(Interrupted(2), 1), (KeyboardInterrupt(), 1), (ValueError("x"), 2)])
def test_an_error_passes_and_an_interruption_leaves_less_time_for_the_last_message(
    messages: Callable[..., Pushover],
    sent: list[Message],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    patience: float,
) -> None:
    waited: list[float] = []
    box = SimpleNamespace(start=lambda: None, put=sent.append, close=waited.append)
    monkeypatch.setattr(pushover, "Outbox", lambda *_, **__: box)
    with pytest.raises(type(error)) as caught, messages():
        raise error
    assert caught.value is error
    assert waited == [patience]
    assert sent[0].urgent is isinstance(error, Exception)
    assert "before the training" in sent[0].text


@pytest.mark.parametrize("failing", [False, True])
def test_a_message_that_cannot_be_written_harms_nothing(
    messages: Callable[..., Pushover],
    sent: list[Message],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    failing: bool,
) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise OSError("no words")

    (tmp_path / "heart").mkdir()
    (tmp_path / "heart" / "cases.csv").write_text("nothing\n1\n")
    error = OddError() if failing else None
    assert messages().__enter__().__exit__(type(error), error, None) is None
    assert sent == []
    assert "The last message to Pushover could not be written: " in caplog.text


def test_a_hook_that_fails_does_not_take_the_end_with_it(
    messages: Callable[..., Pushover], sent: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    with messages() as callback:
        callback.on_train_start(SimpleNamespace(), None)
    assert "Pushover failed and is switched off: AttributeError" in caplog.text
    assert [message.title for message in sent] == ["heart: finished"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (100_000, "27 h 46 min")],
)
def test_the_duration_is_told_with_its_two_largest_units(
    messages: Callable[..., Pushover], sent: list[Message], clock: SimpleNamespace, seconds: float, expected: str
) -> None:
    with messages():
        clock.now += seconds
    assert sent[0].text.startswith(f"Finished after {expected} on ")


def test_credentials_that_cannot_be_used_are_told_before_the_training(
    write_config: WriteConfig, credentials: Path
) -> None:
    credentials.write_text(f"app_token: {TOKEN}\n")
    path = write_config(pushover={"credentials": str(credentials)})
    line = path.read_text().splitlines().index(f"  credentials: {credentials}") + 1
    expected = f"pushover.credentials: {credentials}: user_key is missing. Copy it from https://pushover.net."
    [problem] = quick_problems(read_config(path), "fit")
    assert str(problem) == f"{path}:{line}: {expected}"
    assert quick_problems(read_config(path), "test") == []
    with pytest.raises(ConfigError, match="user_key is missing"):
        fit(load_config(path))
    assert list(Path(load_config(path).run.root).glob("tiny*")) == []


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Run git in a repository that is the working directory."""
    (tmp_path / "project" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")

    def run(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    run("init")
    return run


@pytest.mark.parametrize("start", [".", "sub"])
@pytest.mark.parametrize("change", ["changed", "renamed", "linked", "copied"])
def test_the_snapshot_of_a_git_repository_leaves_the_credentials_out(
    write_config: WriteConfig,
    tmp_path: Path,
    git: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    start: str,
) -> None:
    file = Path("sub/pushover [1].yaml").absolute()
    file.write_text("app_token: old\nuser_key: old\n")
    Path("notes.txt").write_text("before\n")
    git("add", ".")
    git("commit", "-m", "first")
    if change == "renamed":
        file.write_text(f"app_token: {TOKEN}\nuser_key: {KEY}\n")
        git("commit", "-am", "second")
        git("mv", str(file), "moved.yaml")
        file = Path("moved.yaml").absolute()
    file.write_text(f"app_token: {TOKEN}\nuser_key: {KEY}\n")
    if change == "linked":
        Path("link.yaml").symlink_to(file)
        file = Path("link.yaml").absolute()
    Path("notes.txt").write_text("after\n" + (TOKEN if change == "copied" else ""))
    monkeypatch.chdir(start)
    config = load_config(write_config(pushover={"credentials": str(file)}))
    folder = RunFolder(tmp_path / "run")
    Snapshot(config, folder, Record()).setup(SimpleNamespace(is_global_zero=True), None, "fit")
    diff = (folder.snapshot / "git.diff").read_text()
    assert "+after" in diff
    assert "notes.txt" in diff
    assert "app_token: old" not in diff
    leaks = [file for file in folder.path.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert leaks == []


def leaks(folder: Path, *secrets: str) -> list[tuple[Path, str]]:
    """List the files below a folder in which a secret stands."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [(file, secret) for file in files for secret in secrets if secret.encode() in file.read_bytes()]


def test_the_snapshot_masks_credentials_that_the_config_does_not_name(
    write_config: WriteConfig, tmp_path: Path, git: Callable[..., None]
) -> None:
    Path("notes.txt").write_text("before\n")
    git("add", ".")
    git("commit", "-m", "first")
    proxies = f"proxies:\n  http: http://me:{PASSWORD}@127.0.0.1:9\n"
    Path("push2.yaml").write_text(f"app_token: {TOKEN}\nuser_key: {KEY}\n{proxies}")
    git("add", ".")
    git("config", "color.ui", "always")
    git("config", "diff.external", "true")
    Path("notes.txt").write_text("after\n")
    config = load_config(write_config(pushover=None))
    Snapshot(config, RunFolder(tmp_path / "run"), Record()).setup(SimpleNamespace(is_global_zero=True), None, "fit")
    diff = (tmp_path / "run" / "snapshot" / "git.diff").read_text()
    assert "+app_token: ***\n+user_key: ***\n+proxies:\n+  ***\n" in diff
    assert "\n-before\n+after\n" in diff
    assert leaks(tmp_path / "run", *SECRETS) == []


def test_the_snapshot_masks_former_credentials_of_a_file_that_was_moved(
    write_config: WriteConfig, tmp_path: Path, git: Callable[..., None]
) -> None:
    Path("push.yaml").write_text(f"app_token: {TOKEN}\nuser_key: {KEY}\n")
    git("add", ".")
    git("commit", "-m", "first")
    git("mv", "push.yaml", "moved.yaml")
    Path("moved.yaml").write_text("app_token: new\nuser_key: new\n")
    config = load_config(write_config(pushover={"credentials": str(Path("moved.yaml").absolute())}))
    Snapshot(config, RunFolder(tmp_path / "run"), Record()).setup(SimpleNamespace(is_global_zero=True), None, "fit")
    assert "-app_token: ***\n-user_key: ***\n" in (tmp_path / "run" / "snapshot" / "git.diff").read_text()
    assert leaks(tmp_path / "run", *SECRETS) == []


def test_credentials_outside_the_repository_leave_the_snapshot_as_it_is(
    write_config: WriteConfig, tmp_path: Path, git: Callable[..., None], credentials: Path
) -> None:
    Path("notes.txt").write_text("before\n")
    git("add", ".")
    git("commit", "-m", "first")
    Path("notes.txt").write_text("after\n")
    config = load_config(write_config(pushover={"credentials": str(credentials)}))
    Snapshot(config, RunFolder(tmp_path / "run"), Record()).setup(SimpleNamespace(is_global_zero=True), None, "fit")
    assert "+after" in (tmp_path / "run" / "snapshot" / "git.diff").read_text()
