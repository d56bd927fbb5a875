"""Train, validate, test and predict: the one place that puts config, data, task and callbacks together."""

from trainlib.run.prediction import predict
from trainlib.run.scoring import test, validate
from trainlib.run.training import fit

__all__ = ["fit", "predict", "test", "validate"]
