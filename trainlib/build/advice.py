"""What is allowed but seldom meant."""

from __future__ import annotations

from trainlib.config.schema import Config


def advice(config: Config) -> list[str]:
    """List what someone who knows would change in the pipelines of a config, a sentence each.

    Args:
        config: The config.
    """
    names = [component.name.rpartition(".")[2] for component in config.transforms.base]
    if {"Orientationd", "Spacingd"} <= {*names} and names.index("Spacingd") < names.index("Orientationd"):
        return [
            "transforms.base: Spacingd stands before Orientationd, so its pixdim means the axes as each file has them. "
            "Put Orientationd first, unless all files are stored alike."
        ]
    return []
