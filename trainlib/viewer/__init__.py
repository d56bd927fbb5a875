"""Look at images, batches, runs and DICOM folders in a notebook."""

from __future__ import annotations

from trainlib.viewer.batch import view_batch
from trainlib.viewer.dicom import view_dicom
from trainlib.viewer.images import view
from trainlib.viewer.run import view_run

__all__ = ["view", "view_batch", "view_dicom", "view_run"]
