"""``bytepol benchmark``: accuracy and speed against experiment and other force fields."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from openff_bytepol.cli.estimate import (
    BudgetOption,
    EquilibrationOption,
    MoleculesOption,
    PlatformOption,
    SeedOption,
    TimeOption,
    run_dataset,
)
from openff_bytepol.cli.inputs import NamedMolecule
from openff_bytepol.cli.output import ForceOption, JsonOption, ModelOption, messages, print_json

app = typer.Typer(no_args_is_help=True, help="Accuracy and speed.")


@app.command("liquids")
def liquids(
    dataset: Annotated[
        Path | None,
        typer.Argument(help="CSV file of measured properties; 25 common liquids by default."),
    ] = None,
    force_fields: Annotated[
        list[str] | None,
        typer.Option(
            "--force-field",
            "-f",
            help="Repeatable; bytepol.offxml and openff-2.2.1.offxml by default.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder that keeps everything.")
    ] = Path("benchmark-liquids"),
    n_molecules: MoleculesOption = 500,
    time: TimeOption = "2ns",
    budget: BudgetOption = None,
    equilibration: EquilibrationOption = None,
    platform: PlatformOption = None,
    seed: SeedOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare simulated liquids with experiment, several force fields side by side.

    The same command goes on where an interrupted one stopped; several at once share the work.
    The budget is that of each liquid.
    """
    from openff_bytepol.properties.request import parse_time

    options: dict[str, Any] = {
        "n_molecules": n_molecules,
        "time": time,
        "budget": budget,
        "equilibration": None if equilibration is None else parse_time(equilibration),
        "platform": platform,
        "seed": seed,
        "overwrite": force,
    }
    chosen = force_fields or ["bytepol.offxml", "openff-2.2.1.offxml"]
    run_dataset(dataset, chosen, output, as_json=as_json, **options)


@app.command("polarization")
def polarization(
    molecules: Annotated[int, typer.Option("--molecules", "-n", min=2, help="In the box.")] = 200,
    smiles: Annotated[str, typer.Option(help="Of the liquid.")] = "CC(C)=O",
    density: Annotated[float, typer.Option(help="Of the box, g/cm³.")] = 0.75,
    tolerance: Annotated[float, typer.Option(help="Of the induced dipoles, debye.")] = 1e-4,
    steps: Annotated[int, typer.Option(min=1, help="Force calls that are timed.")] = 20,
    model: ModelOption = "bytepol",
    as_json: JsonOption = False,
) -> None:
    """Time the polarization kernel against OpenMM's AmoebaMultipoleForce on processors."""
    from openff_bytepol.interop.boxes import pack_box
    from openff_bytepol.interop.openmm_system import create_system
    from openff_bytepol.interop.polarization_speed import compare_speed
    from openff_bytepol.models import predict

    molecule = NamedMolecule(smiles, smiles).to_openff()
    topology = pack_box([molecule], [molecules], density=density)
    size = molecule.n_atoms
    box = topology.box_vectors.m_as("angstrom")
    system = create_system(
        predict([molecule], model),
        [(0, range(start, start + size)) for start in range(0, molecules * size, size)],
        box=box,
        cutoff=min(9.0, 0.49 * float(box.diagonal().min())),
        mutual_tolerance=tolerance,
    )
    positions = topology.get_positions().m_as("angstrom")
    speed = compare_speed(system, topology.to_openmm(), positions, steps=steps)
    document = {**asdict(speed), "speedup": speed.speedup, "cpu_speedup": speed.cpu_speedup}
    if as_json:
        print_json(document)
        return
    messages.print(
        f"{speed.n_atoms} atoms, dipoles to {tolerance:g} debye, {speed.threads} threads: "
        f"kernel {1e3 * speed.kernel_wall:.1f} ms, AmoebaMultipoleForce "
        f"{1e3 * speed.amoeba_wall:.0f} ms a call, {speed.speedup:.0f} times as fast "
        f"({speed.cpu_speedup:.0f} times by processor time)"
    )
