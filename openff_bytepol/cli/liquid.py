"""A liquid from a short description: packed, minimised and simulated, resumable."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openff_bytepol.cli.inputs import NamedMolecule
from openff_bytepol.cli.systems import build_interchange, pdb_text
from openff_bytepol.exceptions import DataError, OutputExistsError
from openff_bytepol.settings import Solver
from openff_bytepol.units import GRAM_PER_CM3

if TYPE_CHECKING:
    from openff.interchange import Interchange
    from openff.toolkit import Molecule
    from openmm.app import Simulation

Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]

CONFIG_FILE = "liquid.json"
INTERCHANGE_FILE = "interchange.json"
STATE_FILE = "state.xml"
RECORDS_FILE = "records.csv"
TRAJECTORY_FILE = "trajectory.dcd"
BOX_FILE = "box.pdb"
_FILES = (CONFIG_FILE, INTERCHANGE_FILE, STATE_FILE, RECORDS_FILE, TRAJECTORY_FILE, BOX_FILE)
_MINIMISATION = 100
"""Iterations: enough to remove the bad contacts of packing."""


class Component(BaseModel):
    """A kind of molecule and how many of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    smiles: str
    copies: Count


class LiquidConfig(BaseModel):
    """What to simulate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    components: Annotated[tuple[Component, ...], Field(min_length=1)]
    density: Positive
    """Of the packed box, g/cm³."""
    temperature: Positive = 298.15
    """K"""
    pressure: Positive | None = 1.0
    """atm; None for constant volume."""
    friction: Positive = 1.0
    """Of the Langevin thermostat, 1/ps."""
    steps: Count = 1000
    """Time steps: of 2 fs, or of 1 fs with fixed charges and no constraints."""
    report_every: Count = 100
    """Steps between records; the state is saved as often."""
    model: str = "bytepol"
    fixed: bool = False
    """Use the fixed-charge projection."""
    solver: Solver | None = None
    """Of induced dipoles, as for `make_simulation`."""
    seed: int = 1

    def molecules(self) -> list[Molecule]:
        """Components as OpenFF molecules."""
        return [NamedMolecule(c.smiles, c.smiles).to_openff() for c in self.components]


@dataclass(frozen=True)
class Record:
    """One line of ``records.csv``."""

    step: int
    time: float
    """ps"""
    potential_energy: float
    """kJ/mol"""
    temperature: float
    """K"""
    density: float
    """g/cm³"""


def read_config(path: Path) -> LiquidConfig:
    """Read the YAML description of a liquid.

    Raises
    ------
    DataError
        If the file is missing, or a field is unknown or out of range.
    """
    import yaml

    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path")
    try:
        return LiquidConfig.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise DataError(f"{path}: {error}") from error


def prepare_directory(config: LiquidConfig, directory: Path, *, overwrite: bool) -> bool:
    """Make the directory of a run, or recognise an earlier one of the same liquid.

    Returns
    -------
    bool
        Whether an earlier run can go on.

    Raises
    ------
    OutputExistsError
        If the directory holds anything else and ``overwrite`` is false.
    """
    from openff_bytepol.interop.simulation import FAILED_STATE_FILE
    from openff_bytepol.models import load_model

    described = json.loads(config.model_dump_json(exclude={"steps"}))
    if config.solver is None:
        del described["solver"]
    described["sha256"] = load_model(config.model).sha256
    path = directory / CONFIG_FILE
    if overwrite:
        for name in (*_FILES, FAILED_STATE_FILE):
            (directory / name).unlink(missing_ok=True)
    elif path.is_file():
        if json.loads(path.read_text()) == described:
            return (directory / STATE_FILE).is_file()
        raise OutputExistsError(
            f"{directory} holds another simulation; choose another directory or pass --force"
        )
    elif directory.exists() and any(directory.iterdir()):
        raise OutputExistsError(
            f"{directory} is not empty; choose another directory or pass --force"
        )
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(described, indent=2) + "\n")
    return False


def prepare_interchange(config: LiquidConfig, directory: Path, *, resume: bool) -> Interchange:
    """Pack and parameterize the box, or read it where a run goes on."""
    from openff_bytepol.interop.boxes import pack_box
    from openff_bytepol.smirnoff.reading import read_interchange

    path = directory / INTERCHANGE_FILE
    if resume:
        return read_interchange(path)
    topology = pack_box(
        config.molecules(), [c.copies for c in config.components], density=config.density
    )
    interchange = build_interchange(topology, config.model, fixed=config.fixed)
    path.write_text(interchange.model_dump_json())
    (directory / BOX_FILE).write_text(pdb_text(interchange))
    return interchange


def make_liquid_simulation(interchange: Interchange, config: LiquidConfig) -> Simulation:
    """OpenMM simulation at the temperature and pressure of the description."""
    from openff_bytepol.interop.simulation import make_simulation

    return make_simulation(
        interchange,
        temperature=config.temperature,
        pressure=config.pressure,
        friction=config.friction,
        seed=config.seed,
        solver=config.solver,
    )


def run(
    simulation: Simulation,
    config: LiquidConfig,
    directory: Path,
    *,
    resume: bool,
    on_record: Callable[[Record], Any] = lambda _: None,
) -> list[Record]:
    """Minimise and integrate up to ``config.steps``, saving as it goes.

    Returns
    -------
    list of Record
        From the first step on, those of an earlier run included.
    """
    from openmm import unit
    from openmm.app import DCDFile

    records: list[Record] = []
    if resume:
        simulation.loadState(str(directory / STATE_FILE))
        done = simulation.currentStep
        records = [r for r in read_records(directory / RECORDS_FILE) if r.step <= done]
        for record in records:
            on_record(record)
    else:
        simulation.minimizeEnergy(maxIterations=_MINIMISATION)
        simulation.context.setVelocitiesToTemperature(config.temperature * unit.kelvin, config.seed)
        records.append(measure(simulation))
        _save(simulation, directory, records)
        on_record(records[-1])
    with (directory / TRAJECTORY_FILE).open("r+b" if resume else "w+b") as handle:
        trajectory = DCDFile(
            handle,
            simulation.topology,
            simulation.integrator.getStepSize(),
            interval=config.report_every,
            append=resume,
        )
        while simulation.currentStep < config.steps:
            simulation.step(min(config.report_every, config.steps - simulation.currentStep))
            state = simulation.context.getState(positions=True, enforcePeriodicBox=True)
            trajectory.writeModel(
                state.getPositions(), periodicBoxVectors=state.getPeriodicBoxVectors()
            )
            handle.flush()
            records.append(measure(simulation))
            _save(simulation, directory, records)
            on_record(records[-1])
    return records


def measure(simulation: Simulation) -> Record:
    """Energy, temperature and density of the present state."""
    from openmm import unit

    system = simulation.system
    state = simulation.context.getState(energy=True)
    masses = [
        system.getParticleMass(i).value_in_unit(unit.dalton)
        for i in range(system.getNumParticles())
    ]
    n_freedom = 3 * sum(m > 0.0 for m in masses) - system.getNumConstraints()
    temperature = 2 * state.getKineticEnergy() / (n_freedom * unit.MOLAR_GAS_CONSTANT_R)
    volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
    return Record(
        step=simulation.currentStep,
        time=state.getTime().value_in_unit(unit.picosecond),
        potential_energy=state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        temperature=temperature.value_in_unit(unit.kelvin),
        density=sum(masses) * GRAM_PER_CM3 / volume,
    )


def read_records(path: Path) -> list[Record]:
    """Read what a run wrote."""
    with path.open(newline="") as handle:
        return [
            Record(step=int(row.pop("step")), **{name: float(text) for name, text in row.items()})
            for row in csv.DictReader(handle)
        ]


def _save(simulation: Simulation, directory: Path, records: list[Record]) -> None:
    """Replace records and state, each in one move."""
    from openff_bytepol.interop.outputs import write_files

    rows = [",".join(field.name for field in fields(Record))]
    rows += [",".join(f"{v:.10g}" for v in asdict(record).values()) for record in records]
    write_files({directory / RECORDS_FILE: "\n".join(rows) + "\n"}, overwrite=True)
    partial = directory / f".{STATE_FILE}"
    simulation.saveState(str(partial))
    partial.replace(directory / STATE_FILE)
