"""Force fields and molecules shared by the plugin's tests."""

from __future__ import annotations

import warnings

import pytest
from openff.toolkit import ForceField, Molecule, Topology
from rdkit.Chem import rdDistGeom

from openff_bytepol.smirnoff.polarizable import FixedChargeProjectionWarning


@pytest.fixture(scope="session")
def polarizable() -> ForceField:
    """Without constraints, so that no term of the energy is missing."""
    return ForceField("bytepol_unconstrained.offxml")


@pytest.fixture(scope="session")
def fixed() -> ForceField:
    return ForceField("bytepol-fixed_unconstrained.offxml")


@pytest.fixture(scope="session")
def sage() -> ForceField:
    return ForceField("openff-2.2.1.offxml")


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FixedChargeProjectionWarning)
        yield


def molecule(smiles: str, shift: float = 0.0) -> Molecule:
    """Molecule with one conformer, the same in every run."""
    from openff.toolkit import Quantity

    made = Molecule.from_smiles(smiles, allow_undefined_stereo=True)
    embedded = made.to_rdkit()
    assert rdDistGeom.EmbedMolecule(embedded, randomSeed=7) == 0
    positions = embedded.GetConformer().GetPositions()
    made.add_conformer(Quantity(positions + shift, "angstrom"))
    return made


def cluster(*smiles: str, spacing: float = 6.0) -> Topology:
    """Molecules side by side, far enough apart for induced dipoles to stay small."""
    return Topology.from_molecules([molecule(s, spacing * i) for i, s in enumerate(smiles)])
