"""Make the CSVs of a data set from a folder: pair its files and divide the cases."""

from trainlib.commands.split.divide import Division, split
from trainlib.commands.split.request import Request

__all__ = ["Division", "Request", "split"]
