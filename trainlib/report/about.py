"""What was trained on what, in a sentence and a few facts."""

from __future__ import annotations

from pathlib import Path

from trainlib.data.splits import SPLITS, csv_of
from trainlib.report.content import Content, latest_snapshot
from trainlib.report.formats import SPLITS as SPLIT_NAMES
from trainlib.report.formats import duration, significant
from trainlib.report.reading import count_rows
from trainlib.report.training import Best, Ending
from trainlib.words import count

_CASES = {"test": "case", "valid": "validation case"}
Facts = list[tuple[str, str]]


def sentence_of(content: Content, ending: Ending, purpose: str) -> str:
    """Say in a sentence what the run did.

    Args:
        content: The run.
        ending: How the training ended.
        purpose: What the network is for.
    """
    counts, scored = case_counts(content), content.shown_cases
    text = f"{_network(content)} for {purpose}"
    result = f"{'tested' if content.split == 'test' else 'scored'} on {count(scored, _CASES[content.split])}"
    if not content.trained:
        return f"{text}, {result}."
    text += f", trained on {count(counts['train'], 'case')}" if "train" in counts else ", trained"
    of = f" of {ending.planned}" if ending.planned and not ending.complete else ""
    text += f" for {ending.epochs}{of} {'epoch' if (ending.planned if of else ending.epochs) == 1 else 'epochs'}"
    return f"{text} and {result}." if scored else f"{text}; no case has been scored."


def facts_of(content: Content, best: Best | None) -> Facts:
    """List what describes the run best."""
    counts = case_counts(content)
    facts = [
        ("Network", content.components.get("model", content.config.model.name)),
        ("Data", content.config.data.root),
        ("Cases", ", ".join(f"{number} {SPLIT_NAMES[split]}" for split, number in counts.items())),
        ("Loss, optimizer", f"{_name(content, 'loss')}, {_name(content, 'optimizer')}"),
        ("Training time", _time(content)),
        ("Best checkpoint", f"{best.monitor} {significant(best.value)} in epoch {best.epoch}" if best else ""),
    ]
    return [(name, value) for name, value in facts if value]


def setup_of(content: Content) -> Facts:
    """List what goes in and out, the seed, and what each component is and where it comes from."""
    data = content.config.data
    facts = [
        ("input", f"{count(len(data.image_cols), 'channel')}: {', '.join(data.image_cols)}"),
        ("classes", ", ".join(data.classes)),
        ("seed", str(content.config.seed)),
    ]
    return [*facts, *content.components.items()]


def device_of(content: Content) -> str:
    """Name the processor that the network was trained on, as far as it is known."""
    if len(content.emissions):
        # Where a GPU trained it stands there, where none did the cell is empty.
        last = content.emissions.iloc[-1]
        for found in (last.get("gpu"), last.get("cpu")):
            if isinstance(found, str):
                return found
    gpus = content.environment.get("gpus") or []
    if isinstance(gpus, list) and gpus and content.config.trainer.get("accelerator", "auto") not in ("cpu", "mps"):
        return str(gpus[0])
    return str(content.environment.get("processor", ""))


def case_counts(content: Content) -> dict[str, int]:
    """Count the cases of each split in the CSVs that the snapshot keeps."""
    config, counts = content.config, {}
    folder = latest_snapshot(content.folder) / "csvs"
    # As the snapshot names them: of two files with one name the later gets its number in front.
    files = list(dict.fromkeys(config.data_path(csv) for split in SPLITS if (csv := csv_of(config, split))))
    for split in SPLIT_NAMES:
        csv = csv_of(config, split)
        if csv is None:
            continue
        place = files.index(config.data_path(csv))
        clash = any(file.name == files[place].name for file in files[:place])
        name = Path(csv).name
        rows = count_rows(folder / (f"{place}_{name}" if clash else name))
        if rows is not None:
            counts[split] = min(rows, config.data.limit_cases or rows)
    return counts


def _network(content: Content) -> str:
    """Begin the sentence with the network."""
    name = _name(content, "model")
    return f"The network of {name}" if name.endswith(".py") else name


def _name(content: Content, kind: str) -> str:
    """Name a component without the module it comes from; one of a patch script by the script."""
    function, _, script = content.components.get(kind, "").partition(" from ")
    name: str = getattr(content.config, kind).name
    return Path(script).name if function == f"get_{kind}" else name.rpartition(".")[2]


def _time(content: Content) -> str:
    return duration(float(content.epochs["seconds"].sum())) if "seconds" in content.epochs else ""
