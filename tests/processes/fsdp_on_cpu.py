"""Let torch and Lightning run the strategy `fsdp` on a CPU, which they do not offer; used as a script of `patch.model`.

Torch asks for an accelerator although its code for shards needs none, and moves what it gathers from it to the CPU.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from lightning.pytorch.trainer.connectors.accelerator_connector import _AcceleratorConnector
from torch.distributed.fsdp import _init_utils, fully_sharded_data_parallel
from torch.distributed.fsdp._common_utils import _FSDPDeviceHandle
from torch.distributed.fsdp._flat_param import FlatParamHandle


def _on_cpu(state: Any, *_: Any) -> Any:
    state._device_handle = _FSDPDeviceHandle(torch.device("cpu"), backend=torch.cpu)
    return state


_init_utils._init_device_handle = fully_sharded_data_parallel._init_device_handle = _on_cpu
FlatParamHandle.to_cpu = lambda self: contextlib.nullcontext()
_AcceleratorConnector._check_strategy_and_fallback = lambda self: None
