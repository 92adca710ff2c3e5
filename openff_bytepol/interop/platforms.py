"""Which OpenMM platform to run on."""

from __future__ import annotations

import logging
from typing import Final, Literal, TypeAlias

import openmm

from openff_bytepol.exceptions import EngineError

Precision: TypeAlias = Literal["single", "mixed", "double"]

_FASTEST_FIRST: Final = ("CUDA", "HIP", "OpenCL", "CPU", "Reference")
_GPU: Final = ("CUDA", "HIP", "OpenCL")
_CPU_RUNTIMES: Final = ("portable computing language", "pocl", "cpu", "xeon", "core(tm)", "epyc")
"""Parts of the names of OpenCL platforms and devices that are processors."""

logger = logging.getLogger(__name__)


def choose_platform(
    name: str | None = None, *, precision: Precision = "mixed"
) -> tuple[openmm.Platform, dict[str, str]]:
    """Fastest platform that works here, or the one asked for.

    OpenCL on processors is passed over: the kernels of ``AmoebaMultipoleForce`` crash with
    PoCL, and give wrong forces without cutoff with Intel's runtime.

    Parameters
    ----------
    name
        "CUDA", "HIP", "OpenCL", "CPU" or "Reference"; the first of these that works by
        default.
    precision
        Of GPU platforms; CPU computes in single and Reference in double precision.

    Returns
    -------
    platform
    properties
        For ``openmm.Context`` or ``openmm.app.Simulation``.

    Raises
    ------
    EngineError
        If the platform asked for is not installed or finds no device.
    """
    problems = []
    for candidate in _FASTEST_FIRST if name is None else (name,):
        properties: dict[str, str] = {"Precision": precision} if candidate in _GPU else {}
        try:
            platform = openmm.Platform.getPlatformByName(candidate)
            _try(platform, properties)
        except (openmm.OpenMMException, EngineError) as error:
            problems.append(f"{candidate}: {error}")
            logger.debug("OpenMM platform %s cannot be used: %s", candidate, error)
        else:
            return platform, properties
    raise EngineError(
        f"no OpenMM platform can be used ({'; '.join(problems)}); install OpenMM for this device "
        "(for instance openmm-cuda-12) or choose platform='CPU'"
    )


def _try(platform: openmm.Platform, properties: dict[str, str]) -> None:
    """Make a context, which fails without a device, and refuse OpenCL on processors."""
    system = openmm.System()
    system.addParticle(1.0)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
    if platform.getName() != "OpenCL":
        return
    device = " ".join(
        platform.getPropertyValue(context, key) for key in ("OpenCLPlatformName", "DeviceName")
    )
    if any(part in device.lower() for part in _CPU_RUNTIMES):
        raise EngineError(f"{device} is a processor, where polarizable forces are not reliable")
