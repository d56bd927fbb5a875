"""The commands that hand a model on: bundle, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainlib.cli.app import app
from trainlib.cli.output import refuse, silence_libraries, start_logging, told
from trainlib.errors import Problem

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]


@app.command()
def bundle(
    run: Run,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder of the bundle.")],
    zipped: Annotated[bool, typer.Option("--zip", help="Write DIR.zip in place of the folder.")] = False,
) -> None:
    """Write a run as a MONAI bundle, which predicts without trainlib."""
    from trainlib.bundle.writing import write_bundle

    silence_libraries()
    start_logging()
    with told():
        print(f"bundle       {write_bundle(run, folder, zipped=zipped)}")


@app.command()
def export(
    run: Run,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx.")] = False,
    torchscript: Annotated[bool, typer.Option("--torchscript", help="Write model.ts.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the files; default: RUN/exported.")] = None,
) -> None:
    """Write the network of a run as ONNX or TorchScript, and check that its output stays the same."""
    if not (onnx or torchscript):
        refuse([Problem("Say what to write: --onnx, --torchscript, or both.")])
    from trainlib.bundle.conversion import export_run

    silence_libraries()
    start_logging()
    with told():
        for path, words in export_run(run, out, onnx=onnx, torchscript=torchscript):
            print(f"{path}  {words}")
