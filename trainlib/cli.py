"""The command line: the only module that prints, prompts or exits. Heavy parts are imported when they are used."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import trainlib
from trainlib.errors import Interrupted, Problem, TrainlibError
from trainlib.suggest import nearest

if TYPE_CHECKING:
    from trainlib.config.load import Loaded
    from trainlib.config.schema import Config

app = typer.Typer(
    name="trainlib",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train networks on medical images from three CSV files and one YAML file.",
)

_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
Files = Annotated[
    list[Path] | None, typer.Option("-c", "--config", help="Config file; may be given several times, later ones win.")
]
Checkpoint = Annotated[str | None, typer.Option("--ckpt_path", help="Checkpoint to use.")]


@app.command(context_settings=_SETTINGS)
def fit(
    ctx: typer.Context,
    config: Files = None,
    ckpt_path: Annotated[
        str | None, typer.Option("--ckpt_path", help="Checkpoint to continue from; `last` continues the newest run.")
    ] = None,
    print_config: Annotated[bool, typer.Option("--print_config", help="Print the complete config and exit.")] = False,
) -> None:
    """Train, then test the best checkpoint. Settings follow as KEY=VALUE, as in trainer.max_epochs=5."""
    files, overrides = _arguments(ctx, config)
    checked = _checked(files, overrides, "fit", print_config=print_config)
    from trainlib.callbacks import Record
    from trainlib.run import fit as run_fit

    _start_logging()
    with _told(lambda: _how_to_resume(files, overrides)):
        run = run_fit(checked, ckpt_path=ckpt_path, record=Record(("trainlib", *sys.argv[1:]), tuple(files)))
        _show_results(run)


@app.command(context_settings=_SETTINGS)
def validate(ctx: typer.Context, config: Files = None, ckpt_path: Checkpoint = None) -> None:
    """Score a checkpoint on the validation split: validate RUN, or validate -c CONFIG --ckpt_path CHECKPOINT."""
    _score(ctx, config, ckpt_path, "validate")


@app.command(context_settings=_SETTINGS)
def test(ctx: typer.Context, config: Files = None, ckpt_path: Checkpoint = None) -> None:
    """Score a checkpoint on the test split: test RUN, or test -c CONFIG --ckpt_path CHECKPOINT."""
    _score(ctx, config, ckpt_path, "test")


@app.command(context_settings=_SETTINGS)
def predict(
    ctx: typer.Context,
    config: Files = None,
    ckpt_path: Checkpoint = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Cases to predict; relative paths in it start from its folder.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the files; default: in the run folder.")] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write the softmax too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into --out even if it holds files.")] = False,
) -> None:
    """Write a prediction for each case: predict RUN --csv NEW.csv, or predict -c CONFIG --ckpt_path CHECKPOINT."""
    files, overrides, checkpoint = _trained(ctx, config, ckpt_path)
    checked = _checked(files, overrides, "predict", csv=csv)
    from trainlib.run import predict as run_predict

    _start_logging()
    with _told():
        folder = run_predict(
            checked, _existing(checkpoint, checked), out=out, probabilities=probabilities, overwrite=overwrite
        )
        print(f"predictions  {folder}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the config, with which editors complete and check it."""
    from trainlib.config.schema import Config

    print(json.dumps(Config.model_json_schema(), indent=2))


@app.command()
def phantom(
    folder: Annotated[Path, typer.Argument(help="Empty or new folder.")],
    dims: Annotated[int, typer.Option("--dims", min=2, max=3, help="Spatial dimensions.")] = 3,
    channels: Annotated[int, typer.Option("--channels", min=1, help="Images of each case.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random draws.")] = 0,
) -> None:
    """Write a small generated data set with its three CSV files."""
    from trainlib.data.phantom import CLASSES, make_dataset

    try:
        make_dataset(folder, spatial_dims=dims, channels=channels, seed=seed)
    except FileExistsError as error:
        _refuse([Problem(f"{error}. Choose another folder.")])
    print(f"{folder}: train.csv, valid.csv, test.csv; classes: {', '.join(CLASSES)}")


def main() -> NoReturn:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print(f"trainlib {trainlib.__version__}")
        sys.exit(0)
    sys.exit(app())


def _score(ctx: typer.Context, config: list[Path] | None, ckpt_path: str | None, stage: str) -> None:
    files, overrides, checkpoint = _trained(ctx, config, ckpt_path)
    checked = _checked(files, overrides, stage)
    from trainlib import run

    _start_logging()
    with _told():
        metrics = getattr(run, stage)(checked, _existing(checkpoint, checked))
        _show_metrics(metrics)


def _arguments(ctx: typer.Context, config: list[Path] | None) -> tuple[list[Path], list[str]]:
    """Split what typer left over into settings; refuse everything else."""
    overrides, rest = _settings(ctx)
    if rest:
        _refuse([Problem(f"{rest[0]}: expected a setting such as trainer.max_epochs=5.")])
    if not config:
        _refuse([Problem("-c is missing. Name a config file, as in `trainlib fit -c config.yaml`.")])
    return config, overrides


def _trained(
    ctx: typer.Context, config: list[Path] | None, ckpt_path: str | None
) -> tuple[list[Path], list[str], str | None]:
    """Find config files, settings and checkpoint of a command that takes a run folder or a config."""
    overrides, rest = _settings(ctx)
    if len(rest) == 1 and not config:
        folder = Path(rest[0])
        if not (folder / "config.yaml").is_file():
            _refuse([Problem(f"{folder} is not a run folder: it has no config.yaml.")])
        return [folder / "config.yaml"], overrides, ckpt_path or _best_of(folder)
    if rest:
        _refuse([Problem(f"{rest[-1]}: expected one run folder, or -c and settings such as data.batch_size=1.")])
    if not config:
        _refuse([Problem("Name a run folder, or a config with -c and a checkpoint with --ckpt_path.")])
    if ckpt_path is None:
        _refuse([Problem("--ckpt_path is missing. Name a checkpoint, or `last` or `best` of the newest run.")])
    return config, overrides, ckpt_path


def _best_of(folder: Path) -> str | None:
    paths = (folder / "checkpoints" / name for name in ("best.ckpt", "last.ckpt"))
    found = next((str(path) for path in paths if path.is_file()), None)
    if found is None:
        _refuse([Problem(f"{folder} has no checkpoint yet.")])
    return found


def _existing(checkpoint: str | None, config: Config) -> Path:
    """Turn `last` and `best` into the checkpoint of the newest run."""
    from trainlib.folder import latest

    if checkpoint not in ("last", "best"):
        return Path(str(checkpoint))
    folder = latest(config)
    if folder is None:
        _refuse([Problem(f"--ckpt_path {checkpoint}: there is no run {config.run.name} in {config.run.root}.")])
    return folder.last if checkpoint == "last" else folder.best


def _settings(ctx: typer.Context) -> tuple[list[str], list[str]]:
    """Sort left-over words into settings (KEY=VALUE, --KEY=VALUE, --KEY VALUE) and others."""
    from trainlib.config.schema import Config

    options = [name for parameter in ctx.command.params for name in parameter.opts if name.startswith("--")]
    settings, rest, words = [], [], list(ctx.args)
    while words:
        word = words.pop(0)
        name = word.split("=")[0]
        if word.startswith("-"):
            if name.lstrip("-").split(".")[0] not in Config.model_fields:
                meant = nearest(name, [*options, *(f"--{field}" for field in Config.model_fields)])
                hint = f" Did you mean {meant}?" if meant else " See --help."
                _refuse([Problem(f"{name} is neither an option nor a setting.{hint}")])
            if "=" not in word:
                if not words:
                    _refuse([Problem(f"{word}: the value is missing, as in {word}=VALUE.")])
                word = f"{word}={words.pop(0)}"
        elif "=" not in word or Path(word).exists():
            rest.append(word)
            continue
        settings.append(word)
    return settings, rest


def _checked(
    files: list[Path], overrides: list[str], command: str, *, csv: Path | None = None, print_config: bool = False
) -> Config:
    """Read a config and tell every mistake in it: at once what needs no library to see, then the components."""
    from trainlib.config.load import dump_config, read_config
    from trainlib.preflight import component_problems, quick_problems

    loaded = read_config(files, overrides)
    if csv is not None:
        loaded = _with_csv(loaded, csv, overrides)
    problems = loaded.problems + quick_problems(loaded, command)
    _tell(problems)
    _silence_libraries()
    more = component_problems(loaded)
    _tell(more)
    if problems or more or loaded.config is None:
        count = len(problems) + len(more)
        print(f"{count} {'mistake' if count == 1 else 'mistakes'}; nothing was started.", file=sys.stderr)
        raise typer.Exit(2)
    if print_config:
        print(dump_config(loaded.config), end="")
        raise typer.Exit
    return loaded.config


def _with_csv(loaded: Loaded, csv: Path, overrides: list[str]) -> Loaded:
    """Let `predict` read another CSV, whose relative paths start from its own folder unless data.root is given."""
    if loaded.config is None:
        return loaded
    update = {"predict_csv": str(csv.absolute())}
    if not any(override.lstrip("-").startswith("data.root=") for override in overrides):
        update["root"] = str(csv.absolute().parent)
    data = loaded.config.data.model_copy(update=update)
    return replace(loaded, config=loaded.config.model_copy(update={"data": data}))


def _tell(problems: list[Problem]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr, flush=True)


def _refuse(problems: list[Problem]) -> NoReturn:
    _tell(problems)
    raise typer.Exit(2)


@contextmanager
def _told(resume: Callable[[], str] | None = None) -> Iterator[None]:
    """Turn errors that speak for themselves into a message and an exit status; others keep their traceback."""
    try:
        yield
    except TrainlibError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    except Interrupted as error:
        print("Interrupted." + (f" {resume()}" if resume else ""), file=sys.stderr)
        raise typer.Exit(error.exit_status) from None


def _how_to_resume(files: list[Path], overrides: list[str]) -> str:
    import shlex

    words = ["trainlib", "fit", *(word for file in files for word in ("-c", str(file))), *overrides]
    return f"Continue from the last finished epoch with:\n  {shlex.join([*words, '--ckpt_path', 'last'])}"


def _silence_libraries() -> None:
    """Hide warnings that a user can do nothing about."""
    for message in (
        "Current default value of argument",  # MONAI on its own changes
        ".*does not have many workers.*",
        ".*The number of training batches.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*isinstance.treespec.*",
        "Be aware that when using `ckpt_path`.*",
        ".*pkg_resources.*",
    ):
        warnings.filterwarnings("ignore", message=message)
    warnings.filterwarnings("ignore", category=FutureWarning, module="monai")
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _start_logging() -> None:
    """Show trainlib's messages as they are, and only the warnings of the libraries underneath."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("trainlib")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _show_results(run: Any) -> None:
    """Print the test metrics, or those of the validation, and where everything is."""
    cases = run.cases
    split = "test" if (cases["split"] == "test").any() else "valid"
    from trainlib.metrics.summary import summarise

    rows = cases[cases["split"] == split].to_dict("records")
    _show_metrics({f"{split}/{name}": value for name, value in summarise(rows).items()})
    print(f"checkpoint   {run.checkpoint}")
    print(f"run folder   {run.folder.path}")


def _show_metrics(metrics: dict[str, float]) -> None:
    """Print metrics as a table with a row for each class and a column for each score."""
    from rich.console import Console
    from rich.table import Table

    split = next(iter(metrics)).split("/")[0]
    parts = {tuple(name.split("/")[1:]): value for name, value in metrics.items()}
    scores = [key[0] for key in parts if len(key) == 1 and key[0] not in ("missed", "false_positive", "loss")]
    table = Table(split, *scores)
    for name in ("", *dict.fromkeys(key[1] for key in parts if len(key) > 1)):
        values = [parts.get((score, name) if name else (score,)) for score in scores]
        table.add_row(name or "mean", *("" if value is None else f"{value:.3f}" for value in values))
    console = Console()
    console.print(table)
    counts = {name: int(parts[(name,)]) for name in ("missed", "false_positive") if parts.get((name,))}
    if counts:
        console.print(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in counts.items()))
