"""Estimate a data set with OpenFF Evaluator on this machine and write it beside experiment."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from openff.evaluator.backends import ComputeResources
from openff.evaluator.backends.dask import DaskLocalCluster
from openff.evaluator.client import ConnectionOptions, EvaluatorClient, RequestResult
from openff.evaluator.server import EvaluatorServer

from openff_bytepol.properties.evaluator import (
    RunLengths,
    data_set,
    estimation_options,
    force_field_source,
)


def main() -> None:
    arguments = parse()
    measured = data_set(arguments.measurements)
    lengths = RunLengths(
        equilibration_ps=arguments.equilibration,
        production_ps=arguments.time,
        gas_ps=arguments.gas_time,
        interval_ps=arguments.interval,
        gas_interval_ps=arguments.interval,
    )
    options = estimation_options(measured, n_molecules=arguments.n_molecules, lengths=lengths)
    source = force_field_source(arguments.force_field)
    resources = ComputeResources(
        number_of_threads=arguments.threads,
        number_of_gpus=1 if arguments.gpu else 0,
        preferred_gpu_toolkit=ComputeResources.GPUToolkit.CUDA,
    )
    with (
        DaskLocalCluster(number_of_workers=1, resources_per_worker=resources) as backend,
        EvaluatorServer(calculation_backend=backend, port=arguments.port),
    ):
        client = EvaluatorClient(ConnectionOptions(server_port=arguments.port))
        request, error = client.request_estimate(measured, source, options)
        if error is not None:
            raise SystemExit(f"Error: {error}")
        result, error = request.results(synchronous=True, polling_interval=5)
    if error is not None:
        raise SystemExit(f"Error: {error}")
    for failure in result.exceptions:
        print(f"failed: {failure}")
    write(measured, result, arguments.output)
    print(f"{len(result.estimated_properties)} of {len(measured)} estimated: {arguments.output}")


def write(measured, result: RequestResult, path: Path) -> None:
    """One line per estimated property, in the units of Evaluator."""
    estimated = {entry.id: entry for entry in result.estimated_properties}
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["property", "substance", "unit", "measured", "estimated", "uncertainty"])
        for entry in measured:
            if entry.id not in estimated:
                continue
            found, unit = estimated[entry.id], entry.default_unit()
            values = (entry.value, found.value, found.uncertainty)
            table.writerow(
                [type(entry).__name__, entry.substance.identifier, f"{unit:~}"]
                + [f"{value.m_as(unit):.6g}" for value in values]
            )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurements", type=Path, nargs="?", default=Path("measurements.csv"))
    parser.add_argument("--force-field", default="bytepol-fixed.offxml")
    parser.add_argument("--n-molecules", type=int, default=500)
    parser.add_argument("--equilibration", type=float, default=200.0, help="ps")
    parser.add_argument("--time", type=float, default=1000.0, help="ps")
    parser.add_argument("--gas-time", type=float, default=2000.0, help="ps")
    parser.add_argument("--interval", type=float, default=1.0, help="ps between frames")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpu", action="store_true", help="one CUDA GPU, see README")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--output", type=Path, default=Path("estimates.csv"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
