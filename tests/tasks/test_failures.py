"""What fails on a case while it is trained, validated, tested or predicted names the case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trainlib import fit, load_config, predict
from trainlib import test as score_test
from trainlib.build.resolve import ComponentError
from trainlib.config.schema import Config
from trainlib.errors import InputError, StepError
from trainlib.folders.run import RunFolder
from trainlib.tasks.failures import cases_of, component, listed_cases, named

WriteConfig = Callable[..., Path]

# Fails for images of one shape, at one of the stages.
NETWORK = """
import torch
from monai.networks.nets import UNet
class Picky(UNet):
    def forward(self, image):
        if {condition}:
            raise {error}("cannot do that\\nand more")
        return super().forward(image)
def get_model(config):
    return Picky(3, 1, 3, [4, 8], [2])
"""
WINDOW = "tuple(image.shape[2:]) != (16, 16, 8)"


@pytest.fixture
def picky(write_config: WriteConfig, tmp_path: Path) -> Callable[..., Path]:
    """Write a config for a network that fails where a condition holds."""

    def write(condition: str, error: str = "ValueError", **sections: object) -> Path:
        script = tmp_path / f"picky_{abs(hash(condition + error))}.py"
        script.write_text(NETWORK.format(condition=condition, error=error))
        return write_config(patch={"model": str(script)}, trainer={"max_epochs": 1}, progress=None, **sections)

    return write


def test_a_network_that_fails_on_a_batch_names_its_cases(picky: Callable[..., Path]) -> None:
    path = picky("self.training", data={"batch_size": 6})
    with pytest.raises(ComponentError) as caught:
        fit(load_config(path))
    cases, _, rest = str(caught.value).partition(": model: ")
    assert sorted(cases.split(", ")) == [f"train.csv:{i + 2} (case_{i:03}.nii.gz)" for i in range(6)]
    script = load_config(path).patch.model
    assert rest == f"fails ({script}:7) on images of shape (6, 1, 16, 16, 8): ValueError: cannot do that."


def test_an_inferer_that_fails_on_a_whole_image_names_the_case(picky: Callable[..., Path]) -> None:
    path = picky(WINDOW, inferer="SimpleInferer")
    sentence = r"^valid\.csv:2 \(case_006\.nii\.gz\): inferer: fails \(.*\.py:7\) on images of shape "
    with pytest.raises(ComponentError, match=sentence):
        fit(load_config(path))


def test_test_and_prediction_name_the_case_too(picky: Callable[..., Path]) -> None:
    run = fit(load_config(picky(WINDOW, data={"test_csv": None})))  # in windows there is nothing to fail on
    whole = load_config(picky(WINDOW, inferer="SimpleInferer"))
    for call in (score_test, predict):
        with pytest.raises(ComponentError, match=r"^test\.csv:2 \(case_009\.nii\.gz\): inferer: fails \("):
            call(whole, run.folder.last)


def test_any_other_error_keeps_its_traceback_and_the_cases_stand_below_it(picky: Callable[..., Path]) -> None:
    with pytest.raises(KeyError) as caught:
        fit(load_config(picky("self.training", "KeyError", data={"batch_size": 6})))
    [note] = caught.value.__notes__
    assert note.startswith("It happened with train.csv:")
    assert note.count("case_00") == 6


POST = """
class Brittle:
    calls = 0
    def __call__(self, data):
        Brittle.calls += 1
        if Brittle.calls > 2:
            raise KeyError("nothing here")
        return data
"""


def test_post_processing_that_fails_names_case_and_place(write_config: WriteConfig, tmp_path: Path) -> None:
    script = tmp_path / "post.py"
    script.write_text(POST)
    config = load_config(
        write_config(
            patch={"transforms": str(script)}, transforms={"post": ["KeepLargestConnectedComponentd", "Brittle"]}
        )
    )
    sentence = (
        rf"^valid\.csv:4 \(case_008\.nii\.gz\): transforms\.post\[1\]\.Brittle: fails \({script}:7\) on a label map of "
        r"shape \(1, \d+, \d+, \d+\): KeyError: 'nothing here'\.$"
    )
    with pytest.raises(ComponentError, match=sentence):
        fit(config)


def test_a_case_with_several_crops_is_named_once_and_many_cases_are_counted() -> None:
    assert cases_of({"where": ["a", "a", "b", "b"], "case": ["x"] * 4}) == ["a", "b"]
    assert listed_cases("abcdefgh") == "a, b, c, d, e, f, g, h"
    assert listed_cases("abcdefghij") == "a, b, c, d, e, f, g, h and 2 more"


def test_a_lack_of_memory_is_not_taken_for_a_component_that_does_not_fit(write_config: WriteConfig) -> None:
    config = load_config(write_config())
    batch = {"where": ["v.csv:2 (a)"]}
    with pytest.raises(torch.OutOfMemoryError) as caught, named(batch), component("model", config, ""):
        raise torch.OutOfMemoryError("CUDA out of memory.")
    assert caught.value.__notes__ == ["It happened with v.csv:2 (a)."]


# Fails in the nth training step, in which it is given what it was given before.
LATE = """
from monai.networks.nets import UNet
class Mine(UNet):
    def __init__(self, after):
        super().__init__(3, 1, 3, [4, 8], [2])
        self.left = after
    def forward(self, image):
        self.left -= self.training
        if self.left < 0:
            raise RuntimeError({text!r})
        return super().forward(image)
"""
ECC = "CUDA error: uncorrectable ECC error encountered"


@pytest.fixture
def late(write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Make a config with a network that fails after so many training steps; an epoch has three."""

    def make(name: str, text: str, after: int) -> Config:
        (tmp_path / f"{name}.py").write_text(LATE.format(text=text))
        monkeypatch.syspath_prepend(tmp_path)
        return load_config(write_config(model={f"{name}.Mine": {"after": after}}, progress=None))

    return make


@pytest.mark.parametrize(
    ("text", "after", "why"),
    [
        ("a bug", 4, "It had worked on such an input before"),
        ("a bug", 1, "It had worked on such an input before"),
        (ECC, 4, "The GPU reports a fault"),
        (ECC, 0, "The GPU reports a fault"),
    ],
)
def test_what_fails_where_it_had_worked_is_no_fault_of_the_input(
    late: Callable[..., Config], tmp_path: Path, text: str, after: int, why: str
) -> None:
    name = f"late_{after}_{len(text)}"
    with pytest.raises(StepError) as caught:
        fit(late(name, text, after))
    told = str(caught.value)
    assert told.startswith("train.csv:")
    place = tmp_path / f"{name}.py"
    assert f"model: fails ({place}:10) on images of shape (2, 1, 16, 16, 8): RuntimeError: {text}. {why}; the" in told
    assert (caught.value.exit_status, isinstance(caught.value, InputError)) == (1, False)
    run = RunFolder(tmp_path / "runs" / "tiny")
    assert caught.value.checkpoint == (run.last if after > 3 else None)
    log = run.log.read_text()
    assert "Traceback" in log
    assert f"RuntimeError: {text}" in log


def test_a_network_that_never_worked_on_such_images_does_not_fit_them(late: Callable[..., Config]) -> None:
    with pytest.raises(ComponentError, match=r"model: fails \(.*late_never\.py:10\) on images of shape"):
        fit(late("late_never", "a bug", 0))


@pytest.mark.parametrize("text", ["NCCL error: remote process exited", "gloo: Connection closed by peer"])
def test_that_another_process_is_gone_is_not_put_on_a_component(write_config: WriteConfig, text: str) -> None:
    with pytest.raises(RuntimeError, match=text), component("model", load_config(write_config()), ""):
        raise RuntimeError(text)
