"""Set a project up: config, data, notebooks, examples of patches, Makefile, CI and git."""

from trainlib.commands.init.project import Project, init
from trainlib.commands.init.request import Request

__all__ = ["Project", "Request", "init"]
