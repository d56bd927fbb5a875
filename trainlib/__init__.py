"""Train, evaluate and reproduce networks on medical images from three CSV files and one YAML file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name -> module. Loaded on first use, so that `import trainlib` stays free of torch.
_PUBLIC = {
    "Config": "trainlib.config.schema",
    "load_config": "trainlib.config.load",
    "fit": "trainlib.run",
    "load_run": "trainlib.folders.results",
    "predict": "trainlib.run",
    "test": "trainlib.run",
    "validate": "trainlib.run",
    "view": "trainlib.viewer",
    "view_batch": "trainlib.viewer",
    "view_dicom": "trainlib.viewer",
    "view_run": "trainlib.viewer",
}
__all__ = [
    "Config",
    "__version__",
    "fit",
    "load_config",
    "load_run",
    "predict",
    "test",
    "validate",
    "view",
    "view_batch",
    "view_dicom",
    "view_run",
]

if TYPE_CHECKING:
    from trainlib.config.load import load_config
    from trainlib.config.schema import Config
    from trainlib.folders.results import load_run
    from trainlib.run import fit, predict, test, validate
    from trainlib.viewer import view, view_batch, view_dicom, view_run


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'trainlib' has no attribute {name!r}")
