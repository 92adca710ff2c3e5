"""``bytepol benchmark``: accuracy and speed against experiment and other force fields."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
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
from openff_bytepol.cli.output import (
    ForceOption,
    JsonOption,
    ModelOption,
    console,
    counting_progress,
    messages,
    print_files,
    print_json,
)

if TYPE_CHECKING:
    from openff_bytepol.interop.energy_drift import EnergyDrift
    from openff_bytepol.interop.polarization_profile import PolarizationProfile
    from openff_bytepol.nn.model import Model
    from openff_bytepol.properties.stability_runs import Result, Run, Settings

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


@app.command("stability")
def stability(
    pool: Annotated[Path, typer.Argument(help="SMILES: a .smi file, or CSV with a column smiles.")],
    count: Annotated[int, typer.Option(help="Molecules, diverse.", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="Of the choice, velocities and thermostat.")] = 1,
    max_heavy_atoms: Annotated[int, typer.Option(help="Of a molecule.", min=1)] = 12,
    model: ModelOption = "bytepol",
    time: Annotated[str, typer.Option(help="Of each run, such as 100ps.")] = "100ps",
    phases: Annotated[
        list[str] | None,
        typer.Option("--phase", help="gas or liquid; repeatable, both by default."),
    ] = None,
    molecules: Annotated[
        int, typer.Option("--molecules", "-n", min=2, help="Of a liquid, or more for the cutoff.")
    ] = 32,
    temperature: Annotated[float, typer.Option("--temperature", "-T", help="K.", min=1.0)] = 298.15,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder that keeps everything.")
    ] = Path("benchmark-stability"),
    worker: Annotated[int, typer.Option(help="Number of this process, from 0.", min=0)] = 0,
    n_workers: Annotated[int, typer.Option(help="Processes that share the work.", min=1)] = 1,
    platform: PlatformOption = None,
    solver: Annotated[
        Literal["conserving", "fast"], typer.Option(help="Of induced dipoles.")
    ] = "fast",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Are molecules stable in vacuum and as liquids at 1 atm? Exit code 1 if any is not.

    The same command goes on where an interrupted one stopped; more molecules or phases may be
    asked for. Several processes share the work by --worker and --n-workers.
    """
    from openff_bytepol.models import load_model
    from openff_bytepol.properties.folder import write_text
    from openff_bytepol.properties.request import parse_time
    from openff_bytepol.properties.stability import PHASES, SUMMARY_FILE, choose_runs, summarize
    from openff_bytepol.properties.stability_runs import Settings

    if worker >= n_workers:
        raise typer.BadParameter("--worker counts from 0 to --n-workers - 1")
    chosen = [phase for phase in PHASES if not phases or phase in phases]
    if len(chosen) < len(set(phases or PHASES)):
        raise typer.BadParameter(f"--phase is {' or '.join(PHASES)}")
    settings = Settings(parse_time(time), molecules, temperature, seed, platform, solver)
    loaded = load_model(model)
    runs = choose_runs(pool, count=count, max_heavy_atoms=max_heavy_atoms, phases=chosen, seed=seed)
    results = _run_stability(
        runs, loaded, settings, output, worker=worker, n_workers=n_workers, overwrite=force
    )
    document = {"model": model, "sha256": loaded.sha256, **summarize(runs, results)}
    write_text(output / SUMMARY_FILE, json.dumps(document, indent=2) + "\n")
    if as_json:
        print_json(document)
    else:
        _print_stability(document["phases"], results)
        print_files([output / SUMMARY_FILE])
    if any(result.stable is False for result in results):
        raise typer.Exit(1)


def _run_stability(
    runs: list[Run], model: Model, settings: Settings, folder: Path, **sharing: Any
) -> list[Result]:
    from openff_bytepol.properties.stability import run_stability

    mine = len(runs[sharing["worker"] :: sharing["n_workers"]])
    with counting_progress() as progress:
        task = progress.add_task("Simulating", total=mine)

        def show(done: int, run: Run, fraction: float) -> None:
            text = f"{escape(run.smiles)} {run.phase} {100 * fraction:.0f} %"
            progress.update(task, completed=done, description=text)

        return run_stability(runs, model, settings, folder, on_run=show, **sharing)


def _print_stability(phases: dict[str, Any], results: list[Result]) -> None:
    columns = ("stable", "unstable", "not begun", "unfinished", "largest strain")
    table = Table("phase", *columns)
    for phase, row in phases.items():
        values = [row[name.replace(" ", "_")] for name in columns]
        strain = "–" if values[-1] is None else f"{100 * values[-1]:.0f} %"
        table.add_row(phase, *(str(value) for value in values[:-1]), strain)
    console.print(table)
    for result in results:
        if not result.stable:
            console.print(
                f"{escape(result.smiles)}, {result.phase}, {result.length:g} ps: "
                f"{escape(result.reason)}",
                soft_wrap=True,
            )
