"""Checkpoints: what they hold, whether they fit a config, where a training goes on."""
