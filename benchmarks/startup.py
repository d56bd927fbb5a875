"""The processor time until trainlib answers, against peers, and until `fit` takes its first step, against a script."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.children import ROOT, in_turn, trainlib
from benchmarks.harness import Row, write_section
from benchmarks.peers import PEERS, Peer, command_of

WRONG = """data: {{root: {root}, train_csv: train.csv, valid_csv: valid.csv, classes: [background, heart, lesion]}}
model: {{UNett: {{channels: [8, 16]}}}}
optimizer: {{AdamW: {{learning_rate: 0.1}}}}
"""


def against(what: str, ours: Sequence[str], peers: Sequence[Peer], aim: str, status: int = 0) -> list[Row]:
    """Measure a command of trainlib, and the help of each peer, in turn."""
    commands = {peer: command_of(peer) for peer in peers}
    there = [command for command in commands.values() if not isinstance(command, str)]
    own, *theirs = in_turn(ours, *there, status=status if not there else None)
    rest = iter(theirs)
    rows = []
    for peer, command in commands.items():
        absent = isinstance(command, str)
        name = f"`{peer.shown}`"
        rows.append(
            Row(what, name, own, None if absent else next(rest), "s", aim, f"absent: {command}" if absent else "")
        )
    return rows


def help_and_mistakes(data: Path, scratch: Path) -> list[Row]:
    """Measure what answers at once."""
    rows = against("`trainlib --help`", trainlib("--help"), PEERS, "<= 0.3 s")
    for text, root in (("without its CSVs", scratch / "nowhere"), ("with its CSVs", data)):
        config = scratch / f"wrong_{root.name}.yaml"
        config.write_text(WRONG.format(root=root))
        [taken] = in_turn(trainlib("fit", "-c", str(config)), status=2)
        rows.append(Row(f"a config with mistakes, {text}", "", taken, None, "s", "<= 0.6 s", "no peer does it"))
    return rows


def first_step(data: Path, scratch: Path) -> Row:
    """Measure from the command to the end of the first step, on data that is cached already."""
    from trainlib.data.phantom import CLASSES

    probe = f"callbacks=[{{benchmarks.probe.FirstStep: {{path: {scratch}/note.json}}}}]"
    own = [f"data.root={data}", f"run.root={scratch}/runs", "data.num_workers=0", "trainer.enable_progress_bar=false"]
    own += [f"data.classes=[{','.join(CLASSES)}]", "emissions=null", probe]
    ours = trainlib("fit", "-c", str(ROOT / "configs" / "segmentation_3d.yaml"), *own)
    script = [sys.executable, "-m", "benchmarks.handwritten", str(data), str(scratch / "cache")]
    taken, of_script = in_turn(ours, script)
    return Row("`trainlib fit` to its first step", "a script of the same", taken, of_script, "s", "<= 1.25")


def run() -> None:
    """Measure all of it."""
    from trainlib.data.phantom import make_dataset

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = make_dataset(scratch / "data", cases=(8, 2, 2), shape=(24, 24, 14))
        rows = [*help_and_mistakes(data, scratch), first_step(data, scratch)]
    text = "Processor time of a command and its children, user and system. Aims in seconds are of trainlib's column."
    write_section("Start-up", rows, text)


if __name__ == "__main__":
    run()
