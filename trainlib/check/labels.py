"""Do the labels hold what the config declares, and every class?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from trainlib.check.base import Base
from trainlib.check.finding import Finding, Severity, counted
from trainlib.check.survey import Survey
from trainlib.check.voxels import Voxels
from trainlib.config.defaults import SEGMENTATION

_MOST_VALUES = 5  # undeclared values named before the rest is left out


@dataclass
class Shares:
    """How often each class occurs in a split.

    Attributes:
        cases: Class -> cases that have it.
        voxels: Class -> voxels of it; empty in a classification.
        of: Number of cases whose label is known.
    """

    cases: Counter[str] = field(default_factory=Counter)
    voxels: Counter[str] = field(default_factory=Counter)
    of: int = 0


def undeclared_values(survey: Survey, base: Base) -> Iterator[Finding]:
    """Name the labels that hold values which the config does not declare, with the number of their voxels."""
    declared = survey.config.label_values
    listed = ", ".join(map(str, sorted(declared)[:12]))
    for case in survey.cases:
        facts = survey.label(case)
        if facts is None or facts.voxels is None:
            continue
        wrong = [f"{value:.7g} ({counted(count, 'voxel')})" for value, count in _undeclared(facts.voxels, declared)]
        if facts.voxels.nonfinite:
            wrong.append(f"NaN or infinity ({counted(facts.voxels.nonfinite, 'voxel')})")
        if wrong:
            more = " and more" if wrong[_MOST_VALUES:] else ""
            text = f"Holds {', '.join(wrong[:_MOST_VALUES])}{more}; declared are {listed}."
            remedy = "Correct the file, or say in data.classes or data.label_map what it stands for."
            severity: Severity = "error" if base.loads else "warning"
            yield survey.finding(severity, "undeclared label", case, case.label, text, remedy)


def _undeclared(voxels: Voxels, declared: dict[int, int]) -> list[tuple[float, int]]:
    """List values that are no whole number, but for rounding, or not declared."""
    found = voxels.values.items()
    return [(v, n) for v, n in found if abs(v - np.round(v)) >= 1e-3 or int(np.round(v)) not in declared]


def empty_labels(survey: Survey) -> Iterator[Finding]:
    """Name the labels that hold nothing but background."""
    background = survey.config.data.classes[0] if survey.config.data.classes else ""
    for case in survey.cases:
        facts = survey.label(case)
        if facts is None or facts.voxels is None or not (classes := _classes(survey, facts.voxels)):
            continue
        if list(classes) == [background]:
            text = f"The label holds nothing but {background}."
            remedy = "Nothing, where the image shows none of the structures; else draw them, or take the row out."
            yield survey.finding("warning", "empty label", case, case.label, text, remedy)


def _classes(survey: Survey, voxels: Voxels) -> Counter[str]:
    """Count the voxels of each class; undeclared values are left out."""
    declared, names = survey.config.label_values, survey.config.data.classes
    counts: Counter[str] = Counter()
    for value, count in voxels.values.items():
        near = int(np.round(value))
        if near in declared and abs(value - near) < 1e-3:
            counts[names[declared[near]]] += count
    return counts


def class_shares(survey: Survey) -> dict[str, Shares]:
    """Count the classes of each split that has labels."""
    shares: dict[str, Shares] = {}
    for split, cases in survey.splits.items():
        found = shares[split] = Shares()
        for case in cases:
            if case.target is not None:
                found.cases.update(_names(survey, case.target))
            elif (facts := survey.label(case)) is not None and facts.voxels is not None:
                counts = _classes(survey, facts.voxels)
                found.cases.update(counts.keys())
                found.voxels.update(counts)
            else:
                continue
            found.of += 1
    return {split: found for split, found in shares.items() if found.of}


def _names(survey: Survey, target: tuple[int, ...]) -> list[str]:
    names = survey.config.data.classes
    return [name for name, has in zip(names, target, strict=True) if has] if len(target) > 1 else [names[target[0]]]


def absent_classes(survey: Survey) -> Iterator[Finding]:
    """Name the classes that a split never has."""
    voxels = survey.config.task == SEGMENTATION
    for split, found in class_shares(survey).items():
        csv = survey.splits[split][0].csv
        # Where every voxel is labelled there is no background, and nothing to learn of it.
        for name in survey.config.data.classes[1 if voxels else 0 :]:
            if found.cases[name]:
                continue
            what = f"No {'label' if voxels else 'case'} of the split {split} has the class {name}."
            if split == "train":
                remedy = "What is never shown is never learned: add cases of it, or take it out of data.classes."
                yield Finding("error", "class never shown", what, remedy, csv)
            else:
                remedy = "Its scores are undefined there: add cases of it, or split anew."
                yield Finding("warning", "class never scored", what, remedy, csv)
