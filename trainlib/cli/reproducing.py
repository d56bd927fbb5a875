"""How `trainlib reproduce` shows what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlib.words import count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trainlib.commands.reproduce.comparison import Compared
    from trainlib.commands.reproduce.data import DataCheck
    from trainlib.commands.reproduce.environment import Difference, Environment
    from trainlib.commands.reproduce.original import Original

_MOST_PACKAGES = 8  # that differ and are not known to matter


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _facts(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and what there is to say of each, broken into lines beside the name."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=12)
    grid.add_column()
    for name, text in rows:
        grid.add_row(Text(name, style="bold"), Text(text))
    _console().print(grid)


def show_original(original: Original, out: Path) -> None:
    """Say what is repeated, from what and where to."""
    version = (original.start / "trainlib" / "__init__.py").read_text(encoding="utf-8")
    number = version.partition('__version__ = "')[2].partition('"')[0]
    rows = [
        ("run", f"{original.folder.path}, {count(original.epochs, 'epoch')}"),
        ("repetition", str(out)),
        ("code", f"trainlib {number}, {original.start / 'trainlib'}"),
        *(("note", remark) for remark in original.remarks),
    ]
    _facts(rows)


def show_environment(then: Environment, now: Environment, differences: Sequence[Difference]) -> None:
    """Say that the environment is as it was, or what differs, what is known to change figures first."""
    facts = now.facts
    where = ", ".join(facts["gpus"]) or facts["cpu"]
    threads = then.facts.get("threads", facts["threads"])
    known = then.facts and then.packages
    same = f"{'as it was' if known else 'now'}: Python {facts['python']}, torch {facts['torch']}, {where}"
    if not differences:
        _facts([("environment", f"{same}, {count(threads, 'thread')}")])
        return
    named = [other for other in differences if other.decisive or not _is_package(other)]
    others = [other for other in differences if other not in named]
    found = count(len(differences), "difference")
    _facts([("environment", f"{found}, {sum(other.decisive for other in differences)} known to change figures")])
    table = _table(" " * 12, "then", "now", "")
    for other in named:
        note = "can change figures" if other.decisive else ""
        table.add_row(other.what, other.then or "-", other.now or "-", note, style="yellow" if other.decisive else "")
    if named:
        _console().print(table)
    if others:
        texts = [f"{other.what} {other.then or '-'} / {other.now or '-'}" for other in others[:_MOST_PACKAGES]]
        more = f" and {len(others) - _MOST_PACKAGES} more" if len(others) > _MOST_PACKAGES else ""
        _facts([("", f"Other packages, not known to change figures: {', '.join(texts)}{more}")])


def _is_package(difference: Difference) -> bool:
    return difference.what not in ("python", "platform")


def show_data(check: DataCheck) -> None:
    """Say whether the data files are those of the run."""
    text = f"{check.files} files, {_size(check.bytes)}"
    if len(check.unknown) == check.files:
        text += ", not compared, for the snapshot keeps no hashes of them"
    elif check.unknown:
        text += f", {len(check.unknown)} of them not compared, for the snapshot keeps no hash of them"
    counts = {"missing": len(check.missing), "changed": len(check.changed)}
    if any(counts.values()):
        text += ": " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    elif not check.unknown:
        text += ", unchanged"
    _facts([("data", text)])


def show_doubts(doubts: Sequence[str]) -> None:
    """Say why the repetition cannot be expected to be identical."""
    for doubt in doubts:
        _facts([("doubt", f"{doubt} It cannot be expected to be identical.")])


def how_to_repeat(run: Path, options: Sequence[str], out: Path) -> str:
    """Say what to do after a repetition that was interrupted."""
    import shlex

    left = f"; what was trained is in {out}" if out.is_dir() else ""
    return f"Interrupted. Run `{shlex.join(['trainlib', 'reproduce', str(run), *options])}` again{left}."


def show_comparison(compared: Sequence[Compared]) -> None:
    """Print one table of what is identical and what differs, and the verdict as the last line."""
    console, table = _console(), _table("result", "where", "run", "repetition", "difference")
    for result in compared:
        verdict = "[green]identical[/]" if result.identical else "[red]differs[/]"
        table.add_row(result.name, result.extent, "", "", verdict)
        for other in result.differences:
            table.add_row("", *map(_plain, (other.where, other.then, other.now, other.apart)))
        if result.rest:
            table.add_row("", result.rest, "", "", "")
    console.print()
    console.print(table)
    differing = [result.name for result in compared if not result.identical]
    verdict = f"[bold red]differs:[/] {', '.join(differing)}" if differing else "[bold green]identical[/]"
    console.print(verdict)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


@contextmanager
def reading_bar(files: str) -> Iterator[Callable[[int, int], None]]:
    """Show how much of the data was read, on a terminal alone."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(files), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = _console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(files, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
