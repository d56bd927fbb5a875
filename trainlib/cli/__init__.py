"""The command line: the only part that prints, prompts or exits. Heavy parts are imported when they are used."""

# The order of the imports is that of the commands in `trainlib --help`.
# isort: off
from trainlib.cli.running import fit, predict, test, validate
from trainlib.cli.ensemble import ensemble
from trainlib.cli.tune import tune
from trainlib.cli.check import check
from trainlib.cli.bundle import bundle, export
from trainlib.cli.records import report, reproduce, schema
from trainlib.cli.init import init
from trainlib.cli.split import split
from trainlib.cli.datasets import phantom
from trainlib.cli.support import doctor
from trainlib.cli.app import app, main
# isort: on

__all__ = [
    "app",
    "bundle",
    "check",
    "doctor",
    "ensemble",
    "export",
    "fit",
    "init",
    "main",
    "phantom",
    "predict",
    "report",
    "reproduce",
    "schema",
    "split",
    "test",
    "tune",
    "validate",
]
