"""Which kind of device a run uses, and with which precision it computes there."""

from __future__ import annotations

import logging

import torch

from trainlib.config.schema import Config
from trainlib.system.convolutions import slow_in_half

log = logging.getLogger(__name__)

SINGLE, HALF = "32-true", "bf16-mixed"
"""What `trainer.precision` is where the config does not say: HALF on GPUs that compute with bfloat16, else SINGLE."""


def uses_cuda(config: Config) -> bool:
    """Tell whether GPUs of NVIDIA or AMD are used."""
    return torch.cuda.is_available() and config.trainer.get("accelerator") in (None, "auto", "gpu", "cuda")


def precision(config: Config) -> str:
    """Return the precision of a run, as Lightning's Trainer takes it: that of the config, else what suits the device.

    Networks keep their weights, optimizers their states and losses their values in single precision either way.
    """
    given = config.trainer.get("precision")
    if given is not None:
        return str(given)
    return HALF if uses_cuda(config) and _have_bfloat16() and not _is_slow(config) else SINGLE


def _have_bfloat16() -> bool:
    """Tell whether all GPUs that can be seen have bfloat16 in hardware; in software it would be slower than none."""
    for index in range(torch.cuda.device_count()):
        with torch.cuda.device(index):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                return False
    return True


def _is_slow(config: Config) -> bool:
    """Tell whether torch is one whose 3-D convolutions are slower in half precision."""
    return config.data.spatial_dims == 3 and slow_in_half(torch.__version__, torch.backends.cudnn.version())


def tell_precision(config: Config) -> None:
    """Log a precision that nobody has asked for."""
    if config.trainer.get("precision") is None and (chosen := precision(config)) != SINGLE:
        log.info("trainer.precision: %s, for the GPU has bfloat16; %s computes as on a CPU.", chosen, SINGLE)
