"""Score the test cases with all members together, beside each of them alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from trainlib.build.patches import describe
from trainlib.callbacks.cases import replace_split
from trainlib.callbacks.views import preprocessed_view
from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.data.prepare import Preparation, Prepared
from trainlib.data.splits import Case, read_split
from trainlib.ensemble.combine import combine_classes, methods_of
from trainlib.ensemble.decision import Decision
from trainlib.ensemble.members import Member, joint_config
from trainlib.ensemble.probabilities import class_opinions, map_opinions
from trainlib.ensemble.scratch import scratch_folder
from trainlib.ensemble.tables import Rows, read_rows, write_rows
from trainlib.ensemble.writing import class_row, write_files, write_links
from trainlib.folders.ensemble import Ensemble
from trainlib.folders.run import RunFolder
from trainlib.report import write_report
from trainlib.system.files import atomic_path, write_text

log = logging.getLogger(__name__)


def score_test_set(ensemble: Ensemble, members: Sequence[Member]) -> None:
    """Score the test cases by every way to combine the members, and write ensemble.csv.

    The folder ``test`` gets the scores, predictions and pictures of the mean, laid out as those of a run.
    """
    config = joint_config(ensemble)
    cases = read_split(config, "test")
    folder = ensemble.folder.test
    write_text(folder.config, dump_config(config))
    checkpoints = [member.run.checkpoint for member in members]
    with scratch_folder(ensemble.folder.path, folder.path) as scratch:
        score = _score_maps if config.task == "segmentation" else _score_classes
        rows = score(config, checkpoints, cases, scratch, folder)
    replace_split(folder.cases, "test", [_without_model(row) for row in rows if row["model"] == "mean"])
    if config.report is not None:
        write_report(folder.path)
    alone = [
        {"model": member.name, **row} for member in members for row in read_rows(member.folder.cases, split="test")
    ]
    order = {name: place for place, name in enumerate(methods_of(config.task))}
    write_rows(ensemble.folder.scores, [*alone, *sorted(rows, key=lambda row: order[str(row["model"])])])


def _score_maps(config: Config, checkpoints: list[Path], cases: list[Case], scratch: Path, folder: RunFolder) -> Rows:
    decision = Decision(config)
    rows: Rows = []
    links = []
    for case, opinions in map_opinions(config, checkpoints, cases, scratch, kept=True):
        label_maps = [(method, decision.label_map(opinions, method)) for method in methods_of(config.task)]
        mean = label_maps[0][1]
        links.append(write_files(folder.predictions, case, mean, opinions, probabilities=False, uncertainty=False))
        rows += decision.score(case, opinions, label_maps)
        if config.report is not None:
            _picture(folder, case, lambda: decision.draw(case, opinions, mean))  # noqa: B023 - called at once
    write_links(folder.predictions, config, cases, links)
    return rows


def _score_classes(
    config: Config, checkpoints: list[Path], cases: list[Case], scratch: Path, folder: RunFolder
) -> Rows:
    probabilities = class_opinions(config, checkpoints, cases, scratch, kept=True)
    rows: Rows = []
    for method in methods_of(config.task):
        combined = combine_classes(probabilities, method, multilabel=config.multilabel)
        rows += [
            {"model": method, "case": case.name, **class_row(config, found, case.target)}
            for case, found in zip(cases, combined, strict=True)
        ]
        if method == "mean":
            write_links(folder.predictions, config, cases, [class_row(config, found) for found in combined])
    prepare = Preparation(config, with_label=False)
    for case in cases if config.report is not None else ():
        _picture(folder, case, lambda: _drawn(prepare(case), case))  # noqa: B023 - called at once
    return rows


def _drawn(prepared: Prepared, case: Case) -> Image.Image:
    """Draw an image as the networks see it."""
    return preprocessed_view({"image": prepared["image"][None], "affine": [prepared["affine"]]}, 0, case).draw()


def _picture(folder: RunFolder, case: Case, draw: Any) -> None:
    """Write the picture of a case; one that cannot be drawn is told."""
    try:
        picture = draw()
    except Exception as error:
        log.warning("%s could not be drawn: %s.", case, describe(error))
        return
    with atomic_path(folder.picture("test", case.name)) as path:
        picture.save(path)


def _without_model(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "model"}
