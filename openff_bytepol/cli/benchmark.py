"""``bytepol benchmark``: accuracy and speed against experiment and other force fields."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from openff_bytepol.cli.estimate import (
    BudgetOption,
    EquilibrationOption,
    MoleculesOption,
    PlatformOption,
    SeedOption,
    SolverOption,
    TimeOption,
    run_dataset,
)
from openff_bytepol.cli.inputs import NamedMolecule
from openff_bytepol.cli.output import ForceOption, JsonOption, ModelOption, messages, print_json

if TYPE_CHECKING:
    from openff_bytepol.interop.energy_drift import EnergyDrift
    from openff_bytepol.interop.polarization_profile import PolarizationProfile

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
    solver: SolverOption = None,
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
        "solver": solver,
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
    profile: Annotated[
        bool, typer.Option("--profile", help="Time the parts of the kernel alone.")
    ] = False,
    replicas: Annotated[
        list[int] | None,
        typer.Option(min=1, help="With --profile: copies of the box along each axis; repeatable."),
    ] = None,
    drift: Annotated[
        float | None,
        typer.Option(min=0.1, help="Drift of the energy without thermostat over so many ps."),
    ] = None,
    model: ModelOption = "bytepol",
    as_json: JsonOption = False,
) -> None:
    """Time the polarization kernel against OpenMM's AmoebaMultipoleForce on processors.

    With --profile, time its parts instead; with --drift, measure how well it keeps the energy.
    """
    if profile and drift is not None:
        raise typer.BadParameter("--profile and --drift are two measurements; choose one")
    from openff_bytepol.interop.boxes import pack_box
    from openff_bytepol.interop.energy_drift import energy_drift
    from openff_bytepol.interop.openmm_system import create_system
    from openff_bytepol.interop.polarization_profile import profile_kernel
    from openff_bytepol.interop.polarization_speed import compare_speed
    from openff_bytepol.models import predict

    molecule = NamedMolecule(smiles, smiles).to_openff()
    topology = pack_box([molecule], [molecules], density=density)
    size = molecule.n_atoms
    box = topology.box_vectors.m_as("angstrom")
    cutoff = min(9.0, 0.49 * float(box.diagonal().min()))
    system = create_system(
        predict([molecule], model),
        [(0, range(start, start + size)) for start in range(0, molecules * size, size)],
        box=box,
        cutoff=cutoff,
        switch_distance=None if drift is None else cutoff - 1.0,
        mutual_tolerance=tolerance,
    )
    positions = topology.get_positions().m_as("angstrom")
    if profile:
        _print_profiles(
            profile_kernel(
                system, topology.to_openmm(), positions, steps=steps, replicas=replicas or [1]
            ),
            as_json=as_json,
        )
        return
    if drift is not None:
        _print_drift(
            energy_drift(system, topology.to_openmm(), positions, length=drift), as_json=as_json
        )
        return
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


def _print_profiles(profiles: list[PolarizationProfile], *, as_json: bool) -> None:
    from openff_bytepol.interop.polarization_profile import growth_exponent

    exponent = growth_exponent(profiles)
    if as_json:
        document = {"profiles": [asdict(p) for p in profiles], "growth_exponent": exponent}
        print_json(document)
        return
    table = Table("processor time, ms", *(f"{p.n_atoms:,} atoms" for p in profiles))
    for part in profiles[0].parts:
        table.add_row(part, *(f"{p.parts[part]:.2f}" for p in profiles))
    table.add_row("total", *(f"{p.total:.2f}" for p in profiles))
    table.add_row("iterations", *(f"{p.iterations:.1f}" for p in profiles))
    messages.print(table)
    if exponent is not None:
        messages.print(f"grows as the number of atoms to the power of {exponent:.2f}")


def _print_drift(drift: EnergyDrift, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(drift))
        return
    messages.print(
        f"{drift.n_atoms} atoms, {drift.time_ps:g} ps: energy drifts by {drift.drift:.3g} ± "
        f"{drift.standard_error:.2g} kJ/mol/ps per 1,000 atoms, {drift.dipole_drift:.3g} ± "
        f"{drift.dipole_standard_error:.2g} of it through the dipoles; {drift.iterations:.1f} "
        f"iterations, {drift.milliseconds:.1f} ms of processor time a step"
    )
