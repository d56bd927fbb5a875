"""What a report cannot show, and why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from trainlib.report.content import Content
from trainlib.report.formats import SPLITS
from trainlib.report.reading import Picture
from trainlib.report.reproduction import Reproduction
from trainlib.report.training import Ending, lost_epochs
from trainlib.words import count


@dataclass(frozen=True)
class Notice:
    """Something that is missing.

    Attributes:
        section: Section of the page that it belongs to.
        text: What is missing, and why.
        command: The command that helps.
    """

    section: str
    text: str
    command: str = ""


def notices_of(
    content: Content,
    ending: Ending,
    reproduction: Reproduction,
    of_task: Iterable[Notice],
    sections: Sequence[str],
) -> list[Notice]:
    """List all that is missing, in the order of the page.

    Args:
        content: The run.
        ending: How the training ended.
        reproduction: What the snapshot holds.
        of_task: What is missing in the sections of the task alone.
        sections: Ids of all sections in their order.
    """
    notices = [*_of_results(content), *of_task, *_of_config(content)]
    if content.trained:
        notices += [*_of_training(content, ending), *_of_resources(content), *_of_snapshot(reproduction)]
    order = ("results", "summary", *sections)  # the animation is told of after what matters more
    return sorted(notices, key=lambda notice: order.index(notice.section))


def notice_of_one_case(content: Content) -> Iterator[Notice]:
    """Tell where there is one case only."""
    if content.shown_cases == 1:
        yield Notice("results", "There is one case, from which no confidence interval can be computed.")


def notices_of_pictures(section: str, pictures: Mapping[str, Picture | None], split: str) -> Iterator[Notice]:
    """Tell which cases of a split have no picture.

    Args:
        section: Where the pictures stand.
        pictures: Case -> its picture.
        split: The split.
    """
    if pictures and not any(pictures.values()):
        yield Notice(section, f"There are no pictures of the {SPLITS[split]} cases (pictures/{split}/).")
    elif missing := [case for case, picture in pictures.items() if picture is None]:
        yield Notice(section, f"There is no picture of {', '.join(missing)}.")


def _of_results(content: Content) -> Iterator[Notice]:
    if content.folder.debug.is_dir():
        yield Notice("results", "This is a debug run of two short epochs; its scores are no results.")
    test = shlex.join(["trainlib", "test", str(content.folder.path)])
    if content.no_cases:
        yield Notice("results", f"{content.no_cases} No case has been scored, so there are no metrics.")
    elif not content.shows_cases:
        yield Notice("results", "cases.csv holds neither test nor validation cases, so there are no metrics.")
    elif content.split != "test" and content.config.data.test_csv is None:
        text = "There is no test set (data.test_csv is null). The validation set is shown instead; its scores are "
        yield Notice("results", text + "optimistic, for it also chose the best checkpoint.")
    elif content.split != "test" and content.trained:
        text = "The test set has not been scored. The validation set is shown instead; its scores are optimistic, "
        yield Notice("results", text + "for it also chose the best checkpoint.", test)


def _of_training(content: Content, ending: Ending) -> Iterator[Notice]:
    if content.config.progress is None:
        if content.gif is None:
            yield Notice("summary", "There is no animation of the training: it is switched off (progress: null).")
    elif content.gif is None:
        yield Notice("summary", "There is no animation of the training (progress.gif).")
    if not ending.complete:
        what = "Scores are those of the best checkpoint at the time they were computed." if len(content.cases) else ""
        yield Notice("training", f"{ending.text} {what}".strip(), ending.command)
    if content.no_epochs:
        yield Notice("training", f"{content.no_epochs} There are no curves.")
        return
    if ending.epochs == 1:
        yield Notice("training", "Only one epoch was trained, so the curves are single points.")
    if lost := lost_epochs(content):
        yield Notice("training", f"The training loss is no number in {count(lost, 'epoch')}: the training diverged.")
    if not any(name.startswith("valid/") for name in map(str, content.epochs)):
        yield Notice("training", "No validation was run during the training.")
    if not any(name.startswith("lr-") for name in map(str, content.epochs)):
        why = " (lr_monitor: null)" if content.config.lr_monitor is None else ""
        yield Notice("training", f"The learning rate was not logged{why}.")


def _of_resources(content: Content) -> Iterator[Notice]:
    if content.no_emissions and content.config.emissions is None:
        yield Notice("resources", "Energy and CO₂ were not measured: it is switched off (emissions: null).")
    elif content.no_emissions:
        yield Notice("resources", f"{content.no_emissions} Energy and CO₂ are not known.")
    if not content.environment:
        yield Notice("resources", "snapshot/environment.json is missing, so machine and versions are not known.")


def _of_config(content: Content) -> Iterator[Notice]:
    if content.problems:
        few = " ".join(content.problems[:5]) + (" …" if len(content.problems) > 5 else "")
        yield Notice("config", f"This version of trainlib does not read all of config.yaml: {few}")


def _of_snapshot(reproduction: Reproduction) -> Iterator[Notice]:
    if reproduction.missing:
        names = ", ".join(reproduction.missing)
        yield Notice("reproduce", f"The snapshot is incomplete; it lacks: {names}.")
