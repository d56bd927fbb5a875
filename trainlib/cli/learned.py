"""What a check learned of a data set, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from trainlib.check.cache_size import CacheSize, in_bytes
from trainlib.check.checks import Report
from trainlib.check.finding import counted
from trainlib.check.grids import number
from trainlib.check.step_memory import StepMemory

_MOST_CLASSES = 30  # rows of the table of classes


def learned_tables(report: Report) -> Iterator[Table]:
    """Yield the facts, and the table of classes."""
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(ratio=1)
    for name, text in _facts(report):
        facts.add_row(name, Text(text))
    yield facts
    if report.learned["classes"]:
        yield _class_table(report.learned["classes"])


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    known = report.learned
    patients = known["patients"]
    cases = [
        f"{number:,} {split}" + (f" of {patients[split]:,} patients" if split in patients else "")
        for split, number in known["cases"].items()
    ]
    yield "cases", ", ".join(cases)
    if known["shape"]:
        yield "images", f"{_spread(known['shape'])} voxels; {_counts(known['formats'])}; {_counts(known['types'])}"
    if known["spacing"]:
        yield "spacing", f"{_spread(known['spacing'])} mm; {_counts(known['orientations'])}"
    if len(known["channels"]) > 1 or 1 not in known["channels"]:
        yield "channels", _counts(known["channels"])
    for row in known["intensities"]:
        name = "values" if len(known["intensities"]) == 1 else f"values of {row['column']}[{row['channel']}]"
        middle = row["median_of"]
        yield (
            name,
            f"{number(row['lowest'])} to {number(row['highest'])}; usually {number(middle['percentile_1'])} to "
            f"{number(middle['percentile_99'])} (percentiles 1 and 99)",
        )
    yield "cache", _cache(report.cache)
    yield "memory", _step(report.step)


def _cache(size: CacheSize | None) -> str:
    if size is None:
        return "not known, for no case could be prepared"
    taken = f"about {in_bytes(size.bytes)} for all prepared cases"
    if size.kind == "none" or size.free is None:
        return f"none; {taken} would be kept with data.cache: memory or disk"
    if size.kind == "memory":
        return f"{taken}, in memory, of which {in_bytes(size.free)} are free"
    kept = f", of which {in_bytes(size.bytes - size.missing)} are there already" if size.missing < size.bytes else ""
    return f"{taken}{kept}; {in_bytes(size.free)} are free on the disk of {size.folder}"


def _step(memory: StepMemory | None) -> str:
    if memory is None:
        return "of a training step: not known, for network or augmentation cannot be tried without data"
    libraries = f", libraries {in_bytes(memory.libraries)}" if memory.device == "cpu" else ""
    return (
        f"about {in_bytes(memory.total)} for a training step of {memory.windows} windows: network, gradients and "
        f"optimizer {in_bytes(memory.network + memory.gradients + memory.optimizer)} ({memory.parameters:,} "
        f"parameters), activations {in_bytes(memory.activations)}{libraries}; {in_bytes(memory.available)} are free"
    )


def _class_table(classes: Mapping[str, Mapping[str, Any]]) -> Table:
    """Lay out the share of each class, and in how many cases it is, for each split."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("class", overflow="fold")
    for split in classes:
        table.add_column(split, justify="right")
    names = list(next(iter(classes.values())))
    for name in names[:_MOST_CLASSES]:
        table.add_row(Text(name), *(_share(found[name]) for found in classes.values()))
    if len(names) > _MOST_CLASSES:
        table.add_row(Text(f"... and {len(names) - _MOST_CLASSES} more", "dim"))
    return table


def _share(found: Mapping[str, Any]) -> str:
    share = found["share"]
    text = f"{100 * share:.3g} %" if share == 0 or share >= 1e-4 else "< 0.01 %"
    return f"{text}, {counted(found['cases'], 'case')}"


def _spread(found: Mapping[str, list[float]]) -> str:
    """Write the sizes along each axis: one set where all are equal."""
    small, middle, large = (" x ".join(map(number, found[name])) for name in ("smallest", "median", "largest"))
    return small if small == large else f"{small} to {large}, median {middle}"


def _counts(found: Mapping[Any, int]) -> str:
    names = list(found)
    return str(names[0]) if len(names) == 1 else ", ".join(f"{name} ({found[name]:,})" for name in names)
