"""A network becomes ONNX and TorchScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from trainlib.bundle import conversion
from trainlib.bundle.conversion import export_run
from trainlib.bundle.trained import Trained, open_trained
from trainlib.errors import ConfigError


def test_torchscript_gives_the_output_of_the_network(run: Path, tmp_path: Path) -> None:
    [(path, words)] = export_run(run, tmp_path, torchscript=True)
    assert words.startswith("scripted")
    trained = open_trained(run)
    torch.testing.assert_close(
        torch.jit.load(path)(trained.example), trained.network(trained.example), rtol=0, atol=1e-4
    )


def test_onnx_gives_the_output_of_the_network_for_batches_of_any_size(run: Path, tmp_path: Path) -> None:
    onnxruntime: Any = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    [(path, _)] = export_run(run, tmp_path, onnx=True)
    trained = open_trained(run)
    images = torch.cat([trained.example, -trained.example, 2 * trained.example])
    [found] = onnxruntime.InferenceSession(path).run(None, {"image": images.numpy()})
    with torch.inference_mode():
        torch.testing.assert_close(torch.as_tensor(found), trained.network(images), rtol=1e-4, atol=1e-4)


def test_the_files_of_a_run_lie_in_it(run: Path) -> None:
    [(path, _)] = export_run(run, torchscript=True)
    assert path == run / "exported" / "model.ts"


class Moody(nn.Module):
    """A network that gives something else once it is scripted."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * 2 if torch.jit.is_scripting() else image


class Shy(nn.Module):
    """A network that gives something else once it is exported as ONNX."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * 2 if torch.onnx.is_in_onnx_export() else image


class Unruly(nn.Module):
    """A network that can be neither scripted nor traced."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_tracing():
            raise RuntimeError("not with me")
        return {str: image}[str]


@pytest.mark.parametrize(
    ("network", "said"),
    [(Moody(), "as TorchScript the network gives other outputs"), (Unruly(), "cannot be written as TorchScript")],
)
def test_what_cannot_be_converted_is_told(run: Path, tmp_path: Path, network: nn.Module, said: str) -> None:
    trained = open_trained(run)
    with pytest.raises(ConfigError, match=said):
        conversion.to_torchscript(Trained(trained.run, trained.config, trained.checkpoint, network), tmp_path / "m.ts")
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_file_that_gives_other_outputs_is_not_left(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    trained = open_trained(run)
    with pytest.raises(ConfigError, match="as ONNX the network gives other outputs, by up to"):
        conversion.to_onnx(Trained(trained.run, trained.config, trained.checkpoint, Shy()), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'trainlib\[onnx\]'"):
        export_run(run, tmp_path, onnx=True)


def test_the_commands_tell_what_they_wrote(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    done = cli("export", run, "--torchscript", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'model.ts'}  scripted" in done.stdout
    done = cli("export", run)
    assert done.returncode == 2
    assert "Say what to write: --onnx, --torchscript, or both." in done.stderr
    done = cli("bundle", run, tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert f"bundle       {tmp_path / 'bundle'}" in done.stdout
    done = cli("bundle", run, tmp_path / "bundle")
    assert (done.returncode, done.stderr.strip()) == (
        2,
        f"{tmp_path / 'bundle'} exists already. Choose another name.",
    )
