"""The command line: the only part that prints, prompts or exits. Heavy parts are imported when they are used."""

from trainlib.cli.app import app, main

__all__ = ["app", "main"]
