"""Evaluator's workers as SLURM jobs with GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from openff.evaluator.backends import ComputeResources, QueueWorkerResources
from openff.evaluator.backends.dask import DaskSLURMBackend
from openff.units import Quantity

from openff_bytepol.exceptions import EngineError

_CHILDREN_ALLOWED: Final = "export DASK_DISTRIBUTED__WORKER__DAEMON=False"
"""Evaluator runs each task in a process of its own, which daemons may not start."""


def slurm_backend(
    queue: str,
    *,
    max_workers: int = 1,
    gpus: int = 1,
    threads: int = 4,
    memory_gb: float = 16.0,
    wallclock: str = "24:00",
    toolkit: str = "CUDA",
    setup: Sequence[str] = (),
    options: Sequence[str] = (),
) -> DaskSLURMBackend:
    """Backend that keeps as many SLURM jobs as there is work for.

    A job that ends at its time limit costs no more than what it did since its last checkpoint:
    the next one goes on from there.

    Parameters
    ----------
    queue
        Partition.
    max_workers
        Largest number of jobs at once.
    gpus
        Per job: 1, or 0 for processors.
    threads, memory_gb
        Per job.
    wallclock
        ``HH:MM``.
    toolkit
        "CUDA" or "OpenCL".
    setup
        Lines of the job script before the worker starts, such as those that activate an
        environment.
    options
        Further lines for ``#SBATCH``.

    Returns
    -------
    DaskSLURMBackend
        Not started. Once it is, ``job_script()`` shows the script.

    Raises
    ------
    EngineError
        If a job is to have several GPUs, or the toolkit is another one.
    """
    if gpus not in (0, 1):
        raise EngineError(
            f"a worker runs one simulation, on one GPU, not {gpus}; ask for more workers instead"
        )
    toolkits = {kind.value: kind for kind in ComputeResources.GPUToolkit if kind.value != "auto"}
    if toolkit not in toolkits:
        raise EngineError(f"GPU toolkit {toolkit!r} is none of {', '.join(toolkits)}")
    resources = QueueWorkerResources(
        number_of_threads=threads,
        number_of_gpus=gpus,
        preferred_gpu_toolkit=toolkits[toolkit],
        per_thread_memory_limit=Quantity(memory_gb, "gigabyte"),
        wallclock_time_limit=wallclock,
    )
    directives = [f"--gres=gpu:{gpus}"] if gpus else []
    return DaskSLURMBackend(
        minimum_number_of_workers=0,
        maximum_number_of_workers=max_workers,
        resources_per_worker=resources,
        queue_name=queue,
        setup_script_commands=[*setup, _CHILDREN_ALLOWED],
        extra_script_options=[*directives, *options],
    )
