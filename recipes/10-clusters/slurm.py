"""Evaluator with workers that are SLURM jobs, one GPU each."""

from __future__ import annotations

import argparse
from pathlib import Path

from openff.evaluator.client import ConnectionOptions, EvaluatorClient
from openff.evaluator.server import EvaluatorServer

from openff_bytepol.properties.evaluator import data_set, estimation_options, force_field_source
from openff_bytepol.properties.evaluator.slurm import slurm_backend


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurements", type=Path)
    parser.add_argument("--queue", default="gpu")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--setup", action="append", default=[], help="line of the job script")
    parser.add_argument("--show", action="store_true", help="print the job script and stop")
    arguments = parser.parse_args()
    measured = data_set(arguments.measurements)
    with slurm_backend(
        arguments.queue, max_workers=0 if arguments.show else arguments.workers,
        setup=arguments.setup,
    ) as backend:  # fmt: skip
        if arguments.show:
            print(backend.job_script())
            return
        with EvaluatorServer(calculation_backend=backend, port=8000):
            client = EvaluatorClient(ConnectionOptions(server_port=8000))
            request, error = client.request_estimate(
                measured, force_field_source("bytepol.offxml"), estimation_options(measured)
            )
            if error is not None:
                raise SystemExit(f"Error: {error}")
            result, error = request.results(synchronous=True, polling_interval=60)
    if error is not None:
        raise SystemExit(f"Error: {error}")
    result.json("result.json", format=True)
    print(f"{len(result.estimated_properties)} of {len(measured)} estimated: result.json")


if __name__ == "__main__":
    main()
