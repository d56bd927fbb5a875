"""Generated data sets, so that a demo and the tests need no download."""

from trainlib.data.phantom.anatomy import CLASSES
from trainlib.data.phantom.classification import make_classification_dataset
from trainlib.data.phantom.findings import FINDINGS
from trainlib.data.phantom.segmentation import make_dataset

__all__ = ["CLASSES", "FINDINGS", "make_classification_dataset", "make_dataset"]
