"""What the ensemble consists of: in a sentence, in a few facts, and member by member."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from trainlib.metrics.bootstrap import Interval
from trainlib.report.about import Facts, facts_of
from trainlib.report.ensemble.load import EnsembleContent
from trainlib.report.ensemble.names import JOINT, model_name, shown_metrics
from trainlib.report.formats import Metric, duration, scaled, significant
from trainlib.report.resources import ENERGIES, MASSES
from trainlib.report.tasks import TASK_PARTS
from trainlib.report.training import best_of, ending_of
from trainlib.words import count


@dataclass(frozen=True)
class MemberRow:
    """A member in the table of members.

    Attributes:
        name: Its name.
        report: Address of its report; empty where there is none.
        held_out: Address of the report on the fold that it held out; empty where there is none.
        ending: How its training ended.
        complete: Whether it came to its end.
        best: Monitored metric and epoch of its best checkpoint.
        time: How long its epochs took.
        figures: Its figures on the test set, or else on the fold that it held out, as texts.
    """

    name: str
    report: str
    held_out: str
    ending: str
    complete: bool
    best: str
    time: str
    figures: list[str]


def sentence_of(content: EnsembleContent) -> str:
    """Say in a sentence what was trained on what."""
    first = content.members[0]
    network = first.components.get("model", first.config.model.name).partition(" from ")[0].rpartition(".")[2]
    purpose = TASK_PARTS[content.task](first).purpose()
    many = len(content.ensemble.members)
    tested = content.cases("test")
    if content.ensemble.kind == "folds":
        how = f"{many} models, each trained on all but one of {many} folds of {count(content.cases('cv'), 'case')} "
        how += "and scored on the one that it has not seen"
    else:
        how = f"{many} models, trained on the same cases with different seeds"
    how += f"; tested together on {count(tested, 'case')}" if tested else ""
    return f"{network} for {purpose}: {how}."


def ensemble_facts(content: EnsembleContent) -> Facts:
    """List what describes the ensemble best."""
    ensemble, first = content.ensemble, content.members[0]
    known = dict(facts_of(first, None))
    seconds = sum(float(member.epochs["seconds"].sum()) for member in content.members if "seconds" in member.epochs)
    different = "the cases they are trained on" if ensemble.kind == "folds" else "their seed"
    facts = [
        ("Members", f"{len(ensemble.members)}, which differ in {different}"),
        *((name, known.get(name, "")) for name in ("Network", "Data", "Loss, optimizer")),
        ("Training time", f"{duration(seconds)} in all" if seconds else ""),
        ("Energy, CO₂eq", _energy(content)),
    ]
    return [(name, value) for name, value in facts if value]


def _energy(content: EnsembleContent) -> str:
    last = [member.emissions.iloc[-1] for member in content.members if len(member.emissions)]
    if len(last) < len(content.members):
        return ""
    energy, mass = (float(sum(row[f"total_{name}"] for row in last)) for name in ("energy_kwh", "emissions_kg"))
    return f"{scaled(energy, ENERGIES)}, {scaled(mass, MASSES)}"


def member_rows(content: EnsembleContent) -> list[MemberRow]:
    """List the members."""
    rows = []
    name = "test" if content.models("test") else "cv"
    folder = content.ensemble.folder
    for member in content.members:
        called, ending, best = member.folder.path.name, ending_of(member), best_of(member)
        seconds = float(member.epochs["seconds"].sum()) if "seconds" in member.epochs else math.nan
        figures = [(metric, content.figure(name, called, metric.key)) for metric in shown_metrics(content.task)]
        rows.append(
            MemberRow(
                called,
                content.link(member.folder.report),
                content.link(folder.held_out(called).report),
                ending.text.rstrip("."),
                ending.complete,
                f"{significant(best.value)} in epoch {best.epoch}" if best else "",
                duration(seconds),
                [metric.show(found.value) for metric, found in figures],
            )
        )
    return rows


def missing_of(content: EnsembleContent) -> list[str]:
    """Say what cannot be shown, and why."""
    ensemble = content.ensemble
    begun = {member.folder.path.name for member in content.members}
    open_ones = [name for name in ensemble.members if name not in begun]
    open_ones += [member.folder.path.name for member in content.members if not ending_of(member).complete]
    found = list(content.problems)
    if open_ones:
        command = shlex.join(["trainlib", "ensemble", "-c", "CONFIG", f"--{ensemble.kind}", str(len(ensemble.members))])
        found.append(f"{', '.join(open_ones)}: not trained to the end. The same command continues: {command}")
    if ensemble.config.data.test_csv is None:
        found.append("There is no test set (data.test_csv is null), so the members are not scored together.")
    return found


def comparison(content: EnsembleContent) -> list[tuple[str, bool, list[tuple[str, Interval, bool, Metric]]]]:
    """List the models on the test set: name, whether it is a combination, and its figures.

    Of each figure its text, its interval, whether it is the best of all models, and what it is.
    """
    models, metrics = content.models("test"), shown_metrics(content.task)
    columns = [[content.figure("test", model, metric.key) for model in models] for metric in metrics]
    return [
        (
            model_name(model),
            model in JOINT,
            [
                (metric.show(column[place].value), column[place], _is_best(column[place].value, column, metric), metric)
                for metric, column in zip(metrics, columns, strict=True)
            ],
        )
        for place, model in enumerate(models)
    ]


def _is_best(value: float, column: list[Interval], metric: Metric) -> bool:
    values = [interval.value for interval in column if not math.isnan(interval.value)]
    return bool(values) and value == (max(values) if metric.higher_is_better else min(values))
