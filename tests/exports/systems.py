"""Systems whose energies the engines are compared on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
import openmm
from openff.interchange import Interchange
from openff.toolkit import ForceField, Molecule, Topology
from openff.units import Quantity
from openff.units.elements import SYMBOLS

ELECTRONEGATIVITY = {"H": 2.2, "C": 2.55, "N": 3.04, "O": 3.44, "F": 3.98, "P": 2.19, "S": 2.58}


@cache
def force_field_named(name: str) -> ForceField:
    return ForceField(name)


def sage(name: str = "openff_unconstrained-2.2.1.offxml") -> ForceField:
    """A force field that is not ours, for what ours has not (virtual sites)."""
    return force_field_named(name)


@cache
def molecule(smiles: str, noise: float = 0.05) -> Molecule:
    """A strained conformer."""
    made = Molecule.from_smiles(smiles, allow_undefined_stereo=True)
    made.generate_conformers(n_conformers=1)
    shake = np.random.default_rng(made.n_atoms).normal(0.0, noise, (made.n_atoms, 3))
    if made.n_atoms > 1:
        made.conformers[0] += Quantity(shake, "angstrom")
    return made


def charged(made: Molecule) -> Molecule:
    """A copy with charges from electronegativities, for force fields without any."""
    copy = Molecule(made)
    copy.partial_charges = Quantity(_charges(made), "elementary_charge")
    return copy


def _charges(made: Molecule) -> np.ndarray:
    charges = np.array([atom.formal_charge.m for atom in made.atoms], dtype=float)
    for bond in made.bonds:
        chi = [ELECTRONEGATIVITY[SYMBOLS[atom.atomic_number]] for atom in bond.atoms]
        shift = 0.12 * (chi[1] - chi[0])
        charges[bond.atom1_index] += shift
        charges[bond.atom2_index] -= shift
    return charges


def remapped(smiles: str, order: Sequence[int]) -> Molecule:
    """The same molecule with its atoms in another order."""
    original = molecule(smiles)
    return original.remap({old: new for new, old in enumerate(order)}, current_to_new=True)


def satisfy_constraints(system: Interchange) -> None:
    """Move atoms until every constrained distance is right, to 1e-9."""
    made = system.to_openmm()
    context = openmm.Context(
        made, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(system.positions.m_as("nanometer"))
    context.applyConstraints(1e-9)
    moved = context.getState(positions=True).getPositions(asNumpy=True)._value
    system.positions = Quantity(moved, "nanometer")


def interchange(
    molecules: Sequence[str | Molecule],
    counts: Sequence[int] | None = None,
    box: Sequence[float] | np.ndarray | None = None,
    force_field: ForceField | None = None,
) -> Interchange:
    """Randomly turned copies on a grid, by default of bytepol-fixed with free bonds; box in Å."""
    kinds = [molecule(m) if isinstance(m, str) else m for m in molecules]
    copies = [m for m, n in zip(kinds, counts or [1] * len(kinds), strict=True) for _ in range(n)]
    vectors = None
    if box is not None:
        vectors = np.asarray(box, dtype=float)
        vectors = np.diag(vectors) if vectors.ndim == 1 else vectors
    n_edge = int(np.ceil(len(copies) ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(n_edge)] * 3, indexing="ij"), -1).reshape(-1, 3)
    spacing = np.eye(3) * 6.0 if vectors is None else vectors / n_edge
    generator = np.random.default_rng(len(copies))
    positions = []
    for copy, point in zip(copies, grid, strict=False):
        rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        rotation *= np.sign(np.linalg.det(rotation))
        centred = copy.conformers[0].m_as("angstrom")
        centred = centred - centred.mean(axis=0)
        positions.append(centred @ rotation + (point + 0.5) @ spacing)
    topology = Topology.from_molecules(copies)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if force_field is None:
            made = force_field_named("bytepol-fixed_unconstrained.offxml").create_interchange(
                topology
            )
        elif "BytePolBonds" in force_field.registered_parameter_handlers:
            made = force_field.create_interchange(topology)
        else:
            distinct = {m.to_smiles(): charged(m) for m in kinds}.values()
            made = force_field.create_interchange(topology, charge_from_molecules=[*distinct])
    made.positions = Quantity(np.vstack(positions), "angstrom")
    if vectors is not None:
        made.box = Quantity(vectors, "angstrom")
    return made
