"""The density of a liquid by an Evaluator workflow whose tasks are Modal functions."""

from __future__ import annotations

import argparse
from pathlib import Path

from openff.evaluator.backends import ComputeResources
from openff.evaluator.datasets import PropertyPhase
from openff.evaluator.properties import Density
from openff.evaluator.substances import Substance
from openff.evaluator.thermodynamics import ThermodynamicState
from openff.evaluator.workflow import Workflow
from openff.units import Quantity

from openff_bytepol.properties.evaluator import RunLengths, force_field_source, simulation_schema
from openff_bytepol.properties.evaluator.modal_backend import ModalBackend, default_image

FOLDER = Path("working-data")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("smiles")
    parser.add_argument("--force-field", default="bytepol.offxml")
    parser.add_argument("--n-molecules", type=int, default=500)
    parser.add_argument("--time", type=float, default=1000.0, help="ps")
    parser.add_argument("--interval", type=float, default=1.0, help="ps between frames")
    parser.add_argument("--gpu", default="A10G", help="Modal's name of it")
    parser.add_argument("--package", default="openff-bytepol", help="what pip installs there")
    parser.add_argument("--local", type=Path, help="run here, this folder in place of the volume")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "force-field.json"
    path.write_text(force_field_source(arguments.force_field).json())
    density = Density(
        thermodynamic_state=ThermodynamicState(
            Quantity(298.15, "kelvin"), Quantity(1.0, "atmosphere")
        ),
        phase=PropertyPhase.Liquid,
        substance=Substance.from_components(arguments.smiles),
        value=Quantity(1.0, "gram / milliliter"),
    )
    lengths = RunLengths(
        equilibration_ps=arguments.time / 5,
        production_ps=arguments.time,
        interval_ps=arguments.interval,
    )
    workflow = Workflow(Workflow.generate_default_metadata(density, str(path), []))
    schema = simulation_schema(Density, n_molecules=arguments.n_molecules, lengths=lengths)
    workflow.schema = schema.workflow_schema
    resources = ComputeResources(
        number_of_gpus=0 if arguments.local else 1,
        preferred_gpu_toolkit=ComputeResources.GPUToolkit.CUDA,
    )
    with ModalBackend(
        str(FOLDER),
        resources_per_worker=resources,
        gpu=arguments.gpu,
        image=default_image(arguments.package),
        local=arguments.local,
    ) as backend:
        [future] = workflow.to_graph().execute(str(FOLDER), calculation_backend=backend)
        result = future.result()
    if result.exceptions:
        raise SystemExit(f"Error: {''.join(result.exceptions[0].message)}")
    print(f"{result.value.value.m_as('g/mL'):.4f} ± {result.value.error.m_as('g/mL'):.4f} g/mL")


if __name__ == "__main__":
    main()
