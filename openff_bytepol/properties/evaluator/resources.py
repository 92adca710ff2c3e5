"""From the resources of an Evaluator worker to an OpenMM platform."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import openmm
from openff.evaluator.backends import ComputeResources

from openff_bytepol.exceptions import EngineError
from openff_bytepol.interop.platforms import Precision, choose_platform

_PROCESSORS = ("CPU", "Reference")


class Platform(NamedTuple):
    """Arguments of `openff_bytepol.make_simulation`."""

    name: str
    precision: Precision


def platform_of(resources: ComputeResources, *, high_precision: bool = False) -> Platform:
    """Platform that fits what a worker may use.

    Threads and GPU are set as the platform's defaults, as Evaluator itself does: a worker
    runs one task at a time, in a process of its own.

    Parameters
    ----------
    resources
        Of the worker. With GPUs, its toolkit is CUDA or OpenCL, or ``auto`` for the fastest
        that works here (Evaluator's own ``auto`` fails).
    high_precision
        Double precision: the Reference platform without GPUs.

    Raises
    ------
    EngineError
        If a GPU is asked for and none can be used.
    """
    if resources.number_of_gpus == 0:
        name = "Reference" if high_precision else "CPU"
        if name == "CPU":
            _default(name, "Threads", str(max(1, resources.number_of_threads)))
        return Platform(name, "mixed")
    toolkit = resources.preferred_gpu_toolkit
    automatic = toolkit in (None, ComputeResources.GPUToolkit.auto)
    precision = _precision(resources, high_precision)
    wanted = None if automatic else cast(Any, toolkit).value
    platform, _ = choose_platform(wanted, precision=precision)
    name = platform.getName()
    if name in _PROCESSORS:
        raise EngineError(
            f"the worker has {resources.number_of_gpus} GPU(s) to use, but OpenMM finds none it "
            "can run on; install OpenMM for this device (for instance openmm-cuda-12), or give "
            "the backend resources without GPUs"
        )
    if resources.gpu_device_indices is not None:
        _default(name, "DeviceIndex", resources.gpu_device_indices)
    return Platform(name, precision)


def _precision(resources: ComputeResources, high_precision: bool) -> Precision:
    if high_precision:
        return "double"
    preferred = resources.preferred_gpu_precision
    return "mixed" if preferred is None else cast(Precision, preferred.value)


def _default(platform: str, name: str, value: str) -> None:
    openmm.Platform.getPlatformByName(platform).setPropertyDefaultValue(name, value)
