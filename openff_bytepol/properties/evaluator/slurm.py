"""Evaluator's workers as SLURM jobs with GPUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import dask
from openff.evaluator.backends import ComputeResources, QueueWorkerResources
from openff.evaluator.backends.dask import DaskSLURMBackend
from openff.units import Quantity

from openff_bytepol.exceptions import EngineError

_CHILDREN_ALLOWED: Final = "export DASK_DISTRIBUTED__WORKER__DAEMON=False"
"""Evaluator runs each task in a process of its own, which daemons may not start."""


class SLURMBackend(DaskSLURMBackend):
    """``DaskSLURMBackend`` with one worker per job, that keeps its options to itself.

    Evaluator's starts as many workers in a job as it has threads, all on one GPU, and appends
    its options to lists of Dask's configuration, where later backends of the same process find
    them.
    """

    def _get_cluster_class(self) -> Callable[..., Any]:
        from dask_jobqueue import SLURMCluster

        def cluster(cores: int, **options: Any) -> Any:
            return SLURMCluster(cores=1, processes=1, job_cpu=cores, **options)

        return cluster

    def _get_env_extra(self) -> list[str]:
        return [*_configured("job-script-prologue"), *self._setup_script_commands]

    def _get_job_extra(self) -> list[str]:
        return [*_configured("job-extra-directives"), *self._extra_script_options]


def slurm_backend(
    queue: str,
    *,
    max_workers: int = 1,
    gpus: int = 1,
    threads: int = 4,
    memory_gb: float = 16.0,
    hours: float = 24.0,
    toolkit: str = "CUDA",
    setup: Sequence[str] = (),
    options: Sequence[str] = (),
) -> SLURMBackend:
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
    hours
        Time limit of a job.
    toolkit
        "CUDA" or "OpenCL".
    setup
        Lines of the job script before the worker starts, such as those that activate an
        environment.
    options
        Further lines for ``#SBATCH``.

    Returns
    -------
    SLURMBackend
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
        wallclock_time_limit=_time_limit(hours),
    )
    directives = [f"--gres=gpu:{gpus}"] if gpus else []
    return SLURMBackend(
        minimum_number_of_workers=0,
        maximum_number_of_workers=max_workers,
        resources_per_worker=resources,
        queue_name=queue,
        setup_script_commands=[*setup, _CHILDREN_ALLOWED],
        extra_script_options=[*directives, *options],
    )


def _configured(name: str) -> list[str]:
    found: list[str] = dask.config.get(f"jobqueue.slurm.{name}", default=None) or []
    return found


def _time_limit(hours: float) -> str:
    """``HH:MM:SS``: SLURM takes ``HH:MM``, which Evaluator asks for, for minutes and seconds."""
    minutes = max(1, round(60 * hours))
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"
