"""Stored configurations of a run, and their energies with other force fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openff_bytepol.exceptions import MissingDependencyError, ObservablesError
from openff_bytepol.interop.platforms import Precision, choose_platform
from openff_bytepol.properties.observables import Floats
from openff_bytepol.units import NM_PER_ANGSTROM, OPENMM_ENERGY

if TYPE_CHECKING:
    import openmm


@dataclass(frozen=True, eq=False)
class Frames:
    """Configurations.

    Attributes
    ----------
    positions
        Å; (n_frames, n_atoms, 3), molecules whole.
    boxes
        Box vectors as rows, Å; (n_frames, 3, 3). None without a periodic box.

    Raises
    ------
    ObservablesError
        If shapes do not fit together.
    """

    positions: Floats
    boxes: Floats | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.positions)
        if len(shape) != 3 or shape[2] != 3 or shape[0] == 0:
            raise ObservablesError(f"positions have shape {shape}, not (n_frames, n_atoms, 3)")
        if self.boxes is not None and np.shape(self.boxes) != (shape[0], 3, 3):
            raise ObservablesError(f"boxes have shape {np.shape(self.boxes)} for {shape[0]} frames")

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, chosen: slice) -> Frames:
        return Frames(self.positions[chosen], None if self.boxes is None else self.boxes[chosen])

    @property
    def volumes(self) -> Floats:
        """Å³; (n_frames,).

        Raises
        ------
        ObservablesError
            Without a periodic box.
        """
        if self.boxes is None:
            raise ObservablesError("frames without a periodic box have no volume")
        return np.asarray(np.abs(np.linalg.det(self.boxes)))

    @classmethod
    def load(
        cls,
        trajectories: Path | str | Sequence[Path | str],
        topology: Path | str,
        *,
        stride: int = 1,
    ) -> Frames:
        """Read trajectories that MDTraj knows (DCD, XTC, …).

        Parameters
        ----------
        trajectories
            One file, or the chunks of a run in order.
        topology
            PDB file with the same atoms.
        stride
            Take every n-th frame.

        Raises
        ------
        MissingDependencyError
            Without MDTraj.
        """
        try:
            import mdtraj
        except ImportError as error:
            raise MissingDependencyError(
                'MDTraj is not installed: pip install "openff-bytepol[properties]"'
            ) from error
        one = isinstance(trajectories, str | Path)
        names = [str(trajectories)] if one else [str(path) for path in trajectories]  # type: ignore[union-attr]
        loaded = mdtraj.load(names, top=str(topology), stride=stride)
        boxes = loaded.unitcell_vectors
        return cls(
            np.asarray(loaded.xyz, dtype=np.float64) / NM_PER_ANGSTROM,
            None if boxes is None else np.asarray(boxes, dtype=np.float64) / NM_PER_ANGSTROM,
        )


def frame_energies(
    system: openmm.System,
    frames: Frames,
    *,
    platform: str | None = None,
    precision: Precision = "mixed",
) -> Floats:
    """Potential energies of frames with the forces of an OpenMM system.

    Parameters
    ----------
    system
        With the atoms of the frames in their order.
    frames
        Configurations.
    platform, precision
        As for `openff_bytepol.interop.platforms.choose_platform`.

    Returns
    -------
    Floats
        kcal/mol; (n_frames,).

    Raises
    ------
    ObservablesError
        If the numbers of atoms differ or an energy is not finite.
    """
    import openmm

    n_atoms = frames.positions.shape[1]
    if system.getNumParticles() != n_atoms:
        raise ObservablesError(
            f"the frames have {n_atoms} atoms, the system {system.getNumParticles()}"
        )
    chosen, properties = choose_platform(platform, precision=precision)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), chosen, properties)
    energies = np.empty(len(frames))
    for index, positions in enumerate(frames.positions):
        if frames.boxes is not None:
            context.setPeriodicBoxVectors(*(frames.boxes[index] * NM_PER_ANGSTROM))
        context.setPositions(positions * NM_PER_ANGSTROM)
        energy = context.getState(energy=True).getPotentialEnergy()._value
        energies[index] = energy / OPENMM_ENERGY
    if not np.isfinite(energies).all():
        raise ObservablesError("some frames have no finite energy with this system")
    return energies
