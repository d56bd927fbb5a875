"""Which kind of device a run uses, and with which precision it computes there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from trainlib.config.schema import Config
from trainlib.system.convolutions import slow_in_half

if TYPE_CHECKING:
    from lightning.pytorch.plugins import Precision

log = logging.getLogger(__name__)

SINGLE, HALF = "32-true", "bf16-mixed"
"""What `trainer.precision` is where the config does not say: HALF on GPUs that compute with bfloat16, else SINGLE."""


def uses_cuda(config: Config) -> bool:
    """Tell whether GPUs of NVIDIA or AMD are used."""
    return torch.cuda.is_available() and config.trainer.get("accelerator") in (None, "auto", "gpu", "cuda")


def precision(config: Config) -> str:
    """Return the precision of a run, as Lightning's Trainer takes it: that of the config, else what suits the device.

    Networks keep their weights, optimizers their states and losses their values in single precision either way. That
    is not so where the network is spread over the processes, which do without.
    """
    given = _given(config)
    if given is not None:
        return given
    suits = uses_cuda(config) and not config.spreads_network and _have_bfloat16() and not _is_slow(config)
    return HALF if suits else SINGLE


def _given(config: Config) -> str | None:
    """Return the precision that the config asks for; None where it does not."""
    plugin = precision_plugin(config)
    given = config.trainer.get("precision") if plugin is None else plugin.precision
    return None if given is None else str(given)


def precision_plugin(config: Config) -> Precision | None:
    """Return the plugin of Lightning that decides on the precision by itself, where `trainer.plugins` has one."""
    given = config.trainer.get("plugins")
    if not given:
        return None
    from lightning.pytorch.plugins import Precision

    plugins = given if isinstance(given, list | tuple) else [given]
    return next((plugin for plugin in plugins if isinstance(plugin, Precision)), None)


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
    if _given(config) is None and (chosen := precision(config)) != SINGLE:
        log.info("trainer.precision: %s, for the GPU has bfloat16; %s computes as on a CPU.", chosen, SINGLE)
