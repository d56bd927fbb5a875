"""The command line: the only part that prints, prompts or exits. Heavy parts are imported when they are used."""

# The order of the imports is that of the commands in `trainlib --help`.
# isort: off
from trainlib.cli.running import fit, predict, test, validate
from trainlib.cli.ensemble import ensemble
from trainlib.cli.tune import tune
from trainlib.cli.records import report, schema
from trainlib.cli.datasets import phantom
from trainlib.cli.app import app, main
# isort: on

__all__ = ["app", "ensemble", "fit", "main", "phantom", "predict", "report", "schema", "test", "tune", "validate"]
