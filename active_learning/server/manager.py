"""A QCFractal compute manager that knows the programs of this package.

``python -m active_learning.server.manager --uri http://127.0.0.1:7777`` attaches one to any
server; on a cluster, give a configuration of one's own (``--config``, QCFractal's format).
Credentials come from ``QCF_COMPUTE_SERVER__USERNAME``, ``QCF_COMPUTE_SERVER__PASSWORD`` or
``QCF_COMPUTE_SERVER__API_TOKEN``.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

from active_learning.programs import write_launcher
from active_learning.programs.psi4 import VERSION_VARIABLE, installed_version


def main() -> None:
    """Parse arguments and compute until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", help="address of the server")
    parser.add_argument("--name", default="bytepol", help="cluster name shown by the server")
    parser.add_argument("--workers", type=int, default=1, help="records computed at once")
    parser.add_argument("--cores", type=int, default=1, help="cores of a worker")
    parser.add_argument("--memory", type=float, default=2.0, help="memory of a worker, GiB")
    parser.add_argument("--tags", nargs="+", default=["*"], help="compute tags served")
    parser.add_argument("--update", type=float, default=1.0, help="seconds between updates")
    parser.add_argument("--config", help="QCFractal manager configuration instead of the above")
    arguments = parser.parse_args()
    if not (arguments.uri or arguments.config):
        parser.error("--uri or --config is needed")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with tempfile.TemporaryDirectory(prefix="bytepol-manager-") as name:
        prepare_environment(Path(name))
        run(configuration(arguments, Path(name)))


def prepare_environment(folder: Path) -> None:
    """Put the launcher first on PATH and look up slow facts once."""
    launcher = write_launcher(folder / "bin")
    os.environ["PATH"] = f"{launcher}{os.pathsep}{os.environ['PATH']}"
    os.environ[VERSION_VARIABLE] = installed_version()


def configuration(arguments: argparse.Namespace, folder: Path) -> Any:
    """QCFractal's manager configuration."""
    from qcfractalcompute.config import (
        FractalComputeConfig,
        FractalServerSettings,
        LocalExecutorConfig,
        read_configuration,
    )

    if arguments.config:
        return read_configuration([arguments.config])
    executor = LocalExecutorConfig(
        cores_per_worker=arguments.cores,
        memory_per_worker=arguments.memory,
        max_workers=arguments.workers,
        compute_tags=arguments.tags,
        scratch_directory=str(folder),
    )
    return FractalComputeConfig(
        base_folder=str(folder),
        cluster=arguments.name,
        update_frequency=arguments.update,
        update_frequency_jitter=0.0,
        parsl_run_dir=str(folder / "parsl"),
        server=FractalServerSettings(fractal_uri=arguments.uri, verify=True),
        executors={"local": executor},
    )


def run(config: Any) -> None:
    """Compute until SIGTERM, SIGINT or SIGHUP; running records go back to the server."""
    from qcfractalcompute.compute_manager import ComputeManager

    manager = ComputeManager(config)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: manager.stop())
    manager.start()


if __name__ == "__main__":
    main()
