"""The network in forms that need no Python code of its own: TorchScript and ONNX."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from trainlib.build.patches import describe
from trainlib.bundle.trained import Trained, first, open_trained
from trainlib.errors import ConfigError
from trainlib.system.files import atomic_path

log = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference between the outputs of the network and of what it was converted to.

Where the largest output is above 1, it is the share of it: single precision has seven digits.
"""


class _First(torch.nn.Module):
    """A network whose first output alone is of interest."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()  # or the exporter would leave dropout switched on

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return first(self.network(image))


def to_torchscript(trained: Trained, path: Path, metadata: Mapping[str, Any] | None = None) -> str:
    """Write the network as TorchScript, with its metadata inside, and check it.

    It is scripted, which keeps it open for windows of any size, or else traced with the window of the training.

    Args:
        trained: The run.
        path: The file.
        metadata: What to put in as ``metadata.json``.

    Returns:
        What was done, in words.

    Raises:
        ConfigError: The network cannot be converted, or its outputs differ afterwards.
    """
    reasons = []
    for how in ("scripted", "traced"):
        try:
            with _quiet(), torch.inference_mode():
                converted = torch.jit.script(trained.network) if how == "scripted" else _traced(trained)
                content = io.BytesIO()
                files = {"metadata.json": json.dumps(metadata)} if metadata else {}
                torch.jit.save(converted, content, _extra_files=files)
                content.seek(0)
                output = first(torch.jit.load(content)(trained.example))
        except Exception as error:  # of many kinds
            reasons.append(f"{how}: {describe(error)}")
            continue
        difference = _compared(trained, output, "TorchScript")
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())
        return f"{how}; its output differs by {difference:.1e} at most"
    raise ConfigError(f"model: the network cannot be written as TorchScript ({'; '.join(reasons)}).")


def _traced(trained: Trained) -> Any:
    return torch.jit.trace(_First(trained.network), trained.example[:1], check_trace=False)


def to_onnx(trained: Trained, path: Path) -> str:
    """Write the network as ONNX, for batches of any size and the window of the training, and check it.

    Args:
        trained: The run.
        path: The file.

    Returns:
        What was done, in words.

    Raises:
        ConfigError: A package is missing, the network cannot be converted, or its outputs differ afterwards.
    """
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise ConfigError(f"--onnx: the package {package} is needed. Install it with: pip install 'trainlib[onnx]'")
    with atomic_path(path) as temporary:
        try:
            output = _exported(trained, temporary)
        except Exception as error:  # of many kinds
            raise ConfigError(f"model: the network cannot be written as ONNX ({describe(error)}).") from error
        difference = _compared(trained, output, "ONNX")
    return f"its output differs by {difference:.1e} at most"


def _exported(trained: Trained, path: Path) -> torch.Tensor:
    """Write the network as ONNX, and return the output of what was written."""
    import onnxruntime

    with _quiet(), torch.inference_mode():
        torch.onnx.export(
            _First(trained.network),
            (trained.example[:1],),
            str(path),
            input_names=["image"],
            output_names=["pred"],
            dynamic_axes={"image": {0: "batch"}, "pred": {0: "batch"}},
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    [output] = session.run(None, {"image": trained.example.numpy()})
    return torch.as_tensor(output)


def _compared(trained: Trained, output: torch.Tensor, form: str) -> float:
    """Return the largest difference to the output of the network itself.

    Raises:
        ConfigError: It is larger than `TOLERANCE`.
    """
    expected = trained.logits(trained.example)
    if output.shape != expected.shape:
        raise ConfigError(
            f"model: as {form} the network gives shape {tuple(output.shape)}, not {tuple(expected.shape)}."
        )
    difference = float((output - expected).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise ConfigError(f"model: as {form} the network gives other outputs, by up to {difference:.1e}.")
    return difference


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the converters say of themselves: what they got wrong, the comparison finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def export_run(
    run: str | Path, out: str | Path | None = None, *, onnx: bool = False, torchscript: bool = False
) -> list[tuple[Path, str]]:
    """Write the network of a run in one form or both.

    Args:
        run: The run folder.
        out: Where the files go; by default ``exported`` in the run folder. Those that are there are replaced.
        onnx: Whether to write ``model.onnx``.
        torchscript: Whether to write ``model.ts``.

    Returns:
        Each file with what was done, in words.

    Raises:
        InputError: The run cannot be opened, or its network not be converted.
    """
    trained = open_trained(run)
    folder = Path(out) if out is not None else trained.run.folder.path / "exported"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out: {folder} is a file. Choose another folder.")
    done = []
    if torchscript:
        done.append((path := folder / "model.ts", to_torchscript(trained, path)))
    if onnx:
        done.append((path := folder / "model.onnx", to_onnx(trained, path)))
    return done
