"""Let torch and Lightning run the strategy `fsdp` on a CPU, which they do not offer; used as a script of `patch.model`.

Torch asks for an accelerator, and relies on a copy being made where it moves to the CPU what it has gathered.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from lightning.pytorch.trainer.connectors.accelerator_connector import _AcceleratorConnector
from torch.distributed.fsdp import _init_utils, _optim_utils, fully_sharded_data_parallel
from torch.distributed.fsdp._common_utils import _FSDPDeviceHandle
from torch.distributed.fsdp._flat_param import FlatParamHandle


def _on_cpu(state: Any, *_: Any) -> Any:
    state._device_handle = _FSDPDeviceHandle(torch.device("cpu"), backend=torch.cpu)
    return state


_unflatten = _optim_utils._unflatten_orig_param_states


def _copied(info: Any, states: dict[str, dict[str, Any]], name: str, *rest: Any) -> None:
    _unflatten(info, states, name, *rest)
    for state in states.values():
        if name in state:
            state[name] = state[name].clone()


_optim_utils._unflatten_orig_param_states = _copied
_init_utils._init_device_handle = fully_sharded_data_parallel._init_device_handle = _on_cpu
FlatParamHandle.to_cpu = lambda self: contextlib.nullcontext()
_AcceleratorConnector._check_strategy_and_fallback = lambda self: None
