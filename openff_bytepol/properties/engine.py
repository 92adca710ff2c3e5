"""How simulations of a run are integrated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openff_bytepol.interop.platforms import Precision
from openff_bytepol.properties.box import SYSTEM_FILE, TOPOLOGY_FILE
from openff_bytepol.properties.observables import Floats
from openff_bytepol.settings import Solver
from openff_bytepol.units import OPENMM_LENGTH

if TYPE_CHECKING:
    from openmm.app import Simulation

FRICTION: Final = 1.0
"""1/ps"""


@dataclass(frozen=True)
class Engine:
    """How to integrate.

    Attributes
    ----------
    platform
        Of OpenMM; the fastest by default.
    precision
        Of GPU platforms.
    timestep
        fs; that of `make_simulation` by default.
    seed
        Of packing order, velocities, thermostat and barostat.
    solver
        Of induced dipoles, as for `make_simulation`.
    """

    platform: str | None = None
    precision: Precision = "mixed"
    timestep: float | None = None
    seed: int | None = None
    solver: Solver | None = None

    def simulation(
        self,
        folder: Path,
        temperature: float,
        pressure: float | None,
        positions: Floats,
        box: Floats | None,
        *,
        friction: float = FRICTION,
        acceleration: float | None = None,
    ) -> Simulation:
        """Simulation of the system in a folder, with velocities; errors as `make_simulation`.

        Parameters
        ----------
        folder
            With the files of `Box.write`.
        temperature, pressure, friction
            K; atm, None for constant volume; 1/ps.
        positions, box
            Å.
        acceleration
            Of a periodic perturbation, Å/ps²; see `periodic_perturbation_integrator`.
        """
        import openmm
        from openmm.app import PDBFile

        from openff_bytepol.interop.simulation import default_timestep, make_simulation
        from openff_bytepol.properties.perturbation import periodic_perturbation_integrator

        system = openmm.XmlSerializer.deserialize((folder / SYSTEM_FILE).read_text("utf-8"))
        integrator = None
        if acceleration is not None:
            if box is not None:
                system.setDefaultPeriodicBoxVectors(*(box * OPENMM_LENGTH))
            integrator = periodic_perturbation_integrator(
                system,
                acceleration,
                temperature=temperature,
                timestep=self.timestep or default_timestep(system),
                friction=friction,
            )
        return make_simulation(
            system,
            PDBFile(str(folder / TOPOLOGY_FILE)).topology,
            temperature=temperature,
            pressure=pressure,
            timestep=self.timestep,
            friction=friction,
            platform=self.platform,
            precision=self.precision,
            seed=self.seed,
            positions=positions,
            box=box,
            integrator=integrator,
            solver=self.solver,
        )


def every_steps(simulation: Simulation, interval: float) -> int:
    """Steps in ``interval`` ps, at least one."""
    from openmm import unit

    step = simulation.integrator.getStepSize().value_in_unit(unit.picosecond)
    return max(1, round(interval / float(step)))
