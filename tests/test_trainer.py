"""Arguments of the config that reach Lightning's Trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightning.pytorch.profilers import SimpleProfiler

from trainlib import load_config
from trainlib.trainer import make_trainer


def test_a_profiler_of_the_config_is_used(write_config: Callable[..., Path], tmp_path: Path) -> None:
    profiler = make_trainer(load_config(write_config(trainer={"profiler": "simple"})), []).profiler
    assert isinstance(profiler, SimpleProfiler)
    with profiler.profile("a step"):
        pass
    assert "a step" in profiler.summary()
