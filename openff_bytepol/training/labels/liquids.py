"""Pairs of neighbours from liquids that a model simulates.

What a model believes shows in where it puts molecules: geometries that it visits too often
are those where its energies are too low.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from openff_bytepol.nn.model import Model
from openff_bytepol.training.labels.config import LiquidConfig
from openff_bytepol.units import GRAM_PER_CM3

if TYPE_CHECKING:
    from openff.toolkit import Molecule
    from openmm.app import Simulation

Coordinates = NDArray[np.float64]
EDGE: Final = 17.2
"""Å; of the box, which holds a cutoff of 8.5 Å and dozens of small molecules."""
_MINIMISATION: Final = 60


def simulate_liquid(
    model: Model, molecules: Sequence[Chem.Mol], settings: LiquidConfig, seed: int
) -> Iterator[tuple[list[Coordinates], list[int], Coordinates]]:
    """Frames of a mixture of equal parts at constant volume.

    Parameters
    ----------
    model
        Gives the force field.
    molecules
        Kinds, hydrogens explicit.
    settings
        Density, temperature, lengths.
    seed
        Of velocities and thermostat.

    Yields
    ------
    tuple
        Coordinates of each molecule (n_atoms, 3) in Å, the kind of each, and box edges (3,).

    Raises
    ------
    EngineError
        If Packmol finds no arrangement.
    """
    from openff_bytepol.interop.boxes import pack_box
    from openff_bytepol.interop.openmm_system import create_system
    from openff_bytepol.interop.simulation import make_simulation

    kinds = [toolkit_molecule(mol) for mol in molecules]
    mass = sum(atom.GetMass() for mol in molecules for atom in mol.GetAtoms())
    volume = mass * GRAM_PER_CM3 / settings.density
    copies = math.ceil(EDGE**3 / volume)
    topology = pack_box(kinds, [copies] * len(kinds), density=settings.density)
    box = np.diag(topology.box_vectors.m_as("angstrom"))
    owner = [kind for kind in range(len(kinds)) for _ in range(copies)]
    starts = np.cumsum([0, *(kinds[kind].n_atoms for kind in owner)])
    spans = [list(range(a, b)) for a, b in pairwise(starts.tolist())]
    placements = list(zip(owner, spans, strict=True))
    system = create_system(
        model.predict(kinds), placements, box=box, cutoff=0.49 * min(box), constraints=True
    )
    simulation = make_simulation(
        system,
        topology.to_openmm(),
        temperature=settings.temperature,
        positions=topology.get_positions().m_as("angstrom"),
        box=box,
        seed=seed,
    )
    simulation.minimizeEnergy(maxIterations=_MINIMISATION)
    simulation.context.setVelocitiesToTemperature(settings.temperature, seed)
    simulation.step(settings.equilibration_steps)
    for _ in range(settings.frames):
        simulation.step(settings.steps_between)
        positions = positions_of(simulation)
        yield [positions[a:b] for a, b in pairwise(starts)], owner, box


def neighbours(
    molecules: Sequence[Coordinates], box: Coordinates | None, cutoff: float
) -> Iterator[tuple[int, int, Coordinates, Coordinates]]:
    """Pairs of molecules in contact, the second moved to its nearest image.

    Parameters
    ----------
    molecules
        Whole, (n_atoms, 3) each, Å.
    box
        Edges (3,), Å; None for a droplet.
    cutoff
        Largest distance of the closest atoms, Å.

    Yields
    ------
    tuple
        Numbers and coordinates of both.
    """
    for i, one in enumerate(molecules):
        for j in range(i + 1, len(molecules)):
            other = molecules[j]
            if box is not None:
                shift = other.mean(0) - one.mean(0)
                other = other - box * np.round(shift / box)
            gaps = np.linalg.norm(one[:, None] - other[None], axis=-1)
            if gaps.min() < cutoff:
                yield i, j, one, other


def closeness(a: Coordinates, b: Coordinates, radii_a: Coordinates, radii_b: Coordinates) -> float:
    """Smallest distance of atoms of two molecules, in sums of their van der Waals radii.

    Parameters
    ----------
    a, b
        (n_a, 3) and (n_b, 3), Å.
    radii_a, radii_b
        (n_a,) and (n_b,), Å.
    """
    gaps = np.linalg.norm(a[:, None] - b[None], axis=-1)
    return float((gaps / np.add.outer(radii_a, radii_b)).min())


def toolkit_molecule(mol: Chem.Mol) -> Molecule:
    """OpenFF molecule with the atoms in the same order, without map numbers."""
    from openff.toolkit import Molecule

    molecule = Molecule.from_rdkit(mol, allow_undefined_stereo=True, hydrogens_are_explicit=True)
    molecule.properties.pop("atom_map", None)
    return molecule


def positions_of(simulation: Simulation) -> Coordinates:
    """Positions of a simulation, Å; (n_particles, 3)."""
    from openmm import unit

    state = simulation.context.getState(getPositions=True)
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    return np.asarray(positions, dtype=np.float64)
