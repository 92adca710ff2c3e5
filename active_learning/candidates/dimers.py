"""Dimers cut from droplets or liquids that are simulated with the current model.

Geometries that the model visits are the ones where its errors matter. A simulation that
breaks down (not a number, a polarization catastrophe) still gives its last frames: that is
where the model is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import openmm
from numpy.typing import NDArray
from rdkit import Chem

from active_learning.candidates.geometries import KnownGeometries, geometry_vector
from active_learning.config import DimerConfig
from active_learning.labelling.base import LabelJob
from openff_bytepol.exceptions import BytePolError
from openff_bytepol.training.labels import geometries as shapes
from openff_bytepol.training.labels.liquids import neighbours, positions_of, toolkit_molecule

logger = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]

_FRAMES: Final = 5
_MINIMISATION: Final = 60
_CLOSEST: Final = 0.65
"""Contacts nearer than this part of the van der Waals radii are marked as misbehaviour."""
_DROPLET_DENSITY: Final = 0.6
"""g/cm³, of the box in which a droplet is packed."""


class DimerCandidate(NamedTuple):
    """A dimer that may be labelled."""

    job: LabelJob
    smiles: tuple[str, str]
    """Canonical."""
    source: str
    """``droplet``, ``liquid`` or ``misbehaviour``."""


def cut_dimers(
    smiles: Sequence[str],
    force_field: Path,
    level: str,
    config: DimerConfig,
    known: KnownGeometries,
    *,
    seed: int,
) -> list[DimerCandidate]:
    """Simulate a mixture and take pairs of neighbours from its frames.

    Parameters
    ----------
    smiles
        Canonical, one or two.
    force_field
        OFFXML file of the current model.
    level
        Of the labels to come.
    config
        Sizes and limits.
    known
        Geometries that are not wanted again; extended.
    seed
        Of packing, velocities and choice.

    Raises
    ------
    BytePolError
        If the mixture cannot be built.
    """
    mols = [shapes.hydrogenated(s) for s in smiles]
    frames, broken = _simulate(mols, force_field, config, seed)
    owner = [kind for kind in range(len(mols)) for _ in range(config.copies)]
    sizes = [mols[kind].GetNumAtoms() for kind in owner]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    generator = np.random.default_rng(seed)
    found: list[DimerCandidate] = []
    for number, (positions, box) in reversed(list(enumerate(frames))):
        placed = [positions[a:b] for a, b in pairwise(starts)]
        pairs = list(neighbours(placed, box, config.max_distance))
        for i, j, xyz_i, xyz_j in (pairs[k] for k in generator.permutation(len(pairs))):
            if len(found) >= config.per_mixture * (len(frames) - number) / len(frames):
                break
            pair = (mols[owner[i]], mols[owner[j]])
            if sizes[i] + sizes[j] > config.max_atoms:
                continue
            xyz = np.concatenate([xyz_i, xyz_j])
            numbers = [a.GetAtomicNum() for mol in pair for a in mol.GetAtoms()]
            names = (smiles[owner[i]], smiles[owner[j]])
            if not known.add(names, geometry_vector(numbers, xyz)):
                continue
            bad = broken or _too_close(pair, xyz_i, xyz_j)
            source = "misbehaviour" if bad else "liquid" if config.density else "droplet"
            found.append(DimerCandidate(_job(pair, xyz, level), names, source))
    return found


def _job(pair: tuple[Chem.Mol, Chem.Mol], xyz: FloatArray, level: str) -> LabelJob:
    return LabelJob(
        kind="dimer",
        level=level,
        smiles=tuple(str(Chem.MolToSmiles(mol)) for mol in pair),
        charges=tuple(Chem.GetFormalCharge(mol) for mol in pair),
        coordinates=(xyz - xyz.mean(0))[None],
    )


def _simulate(
    mols: Sequence[Chem.Mol], force_field: Path, config: DimerConfig, seed: int
) -> tuple[list[tuple[FloatArray, FloatArray | None]], bool]:
    """Frames (positions and box edges, Å), and whether the simulation broke down."""
    from openff.interchange.exceptions import InterchangeException
    from openff.toolkit import ForceField

    from openff_bytepol.interop.boxes import pack_box
    from openff_bytepol.interop.simulation import make_simulation

    molecules = [toolkit_molecule(mol) for mol in mols]
    topology = pack_box(
        molecules, [config.copies] * len(mols), density=config.density or _DROPLET_DENSITY
    )
    if config.density is None:
        topology.box_vectors = None
    try:
        interchange = ForceField(str(force_field)).create_interchange(topology)
    except InterchangeException as error:
        raise BytePolError(f"{topology}: {error}") from error
    simulation = make_simulation(interchange, temperature=config.temperature, seed=seed)
    box = None if config.density is None else np.diag(interchange.box.m_as("angstrom"))
    frames: list[tuple[FloatArray, FloatArray | None]] = []
    try:
        simulation.minimizeEnergy(maxIterations=_MINIMISATION)
        for _ in range(_FRAMES):
            simulation.step(config.steps // _FRAMES)
            frames.append((positions_of(simulation), box))
    except (openmm.OpenMMException, BytePolError) as error:
        logger.warning("a simulation broke down: %s", error)
    finite = [frame for frame in frames if np.isfinite(frame[0]).all()]
    return finite, len(finite) < _FRAMES


def _too_close(pair: tuple[Chem.Mol, Chem.Mol], one: FloatArray, other: FloatArray) -> bool:
    table = Chem.GetPeriodicTable()
    first, second = (
        np.array([table.GetRvdw(a.GetAtomicNum()) for a in mol.GetAtoms()]) for mol in pair
    )
    gaps = np.linalg.norm(one[:, None] - other[None], axis=-1)
    heavy = np.array([a.GetAtomicNum() > 1 for a in pair[0].GetAtoms()])[:, None] & np.array(
        [a.GetAtomicNum() > 1 for a in pair[1].GetAtoms()]
    )
    return bool((gaps < _CLOSEST * (first[:, None] + second[None]))[heavy].any())
