"""Runs that an estimate left in a folder, ready for other force fields."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openff_bytepol.exceptions import DataError, PropertyError
from openff_bytepol.properties.box import BOX_FILE, SYSTEM_FILE, TOPOLOGY_FILE, Box, system_of
from openff_bytepol.properties.folder import REQUEST_FILE
from openff_bytepol.properties.frames import Frames, frame_energies
from openff_bytepol.properties.gas import GAS_PRODUCED
from openff_bytepol.properties.liquid import BUILD, PRODUCED
from openff_bytepol.properties.observables import Floats
from openff_bytepol.properties.recorders import TRAJECTORY, chunks, read_series
from openff_bytepol.properties.statistics import production, statistical_inefficiency

if TYPE_CHECKING:
    import openmm
    from openff.toolkit import Molecule

    from openff_bytepol.properties.force_fields import Parameters

_FEWEST: Final = 4
"""Frames of which something can be said."""


@dataclass(frozen=True, eq=False)
class StoredFrames:
    """Independent configurations of one box.

    Attributes
    ----------
    home
        Folder with its system and topology.
    box
        What is in it.
    frames
        From production, thinned by the statistical inefficiency of energy and volume.
    """

    home: Path
    box: Box
    frames: Frames

    def molecules(self) -> list[Molecule]:
        """One of each kind, atoms in the order of the box."""
        from openff.toolkit import Molecule

        found = []
        for kind in self.box.kinds:
            molecule = Molecule.from_mapped_smiles(kind.mapped_smiles, allow_undefined_stereo=True)
            molecule.name = kind.smiles
            found.append(molecule)
        return found

    def placements(self) -> list[tuple[int, list[int]]]:
        """Kind and particles of every molecule, as `create_system` wants them."""
        found, start = [], 0
        for index, kind in enumerate(self.box.kinds):
            for _ in range(kind.count):
                found.append((index, list(range(start, start + len(kind.masses)))))
                start += len(kind.masses)
        return found

    def own_system(self) -> openmm.System:
        """OpenMM system that the frames were simulated with."""
        import openmm

        text = (self.home / SYSTEM_FILE).read_text("utf-8")
        return openmm.XmlSerializer.deserialize(text)

    def system(self, parameters: Parameters) -> openmm.System:
        """OpenMM system of another force field.

        Raises
        ------
        ForceFieldError
            If it does not describe a molecule.
        """
        from openff.toolkit import Quantity, Topology

        molecules = self.molecules()
        kinds = [molecules[index] for index, _ in self.placements()]
        topology = Topology.from_molecules(kinds)
        if self.frames.boxes is not None:
            topology.box_vectors = Quantity(self.frames.boxes[0], "angstrom")
        return system_of(parameters.interchange(topology))

    def energies(self, system: openmm.System, platform: str | None = None) -> Floats:
        """Energies of the frames, kcal/mol; errors as `frame_energies`."""
        return frame_energies(system, self.frames, platform=platform)

    @property
    def mass(self) -> float:
        """Of the whole box, g/mol."""
        return self.box.mass


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A finished estimate.

    Attributes
    ----------
    folder
        Of the run.
    request
        What was asked for, as its folder says.
    liquid
        Configurations at constant pressure.
    gas
        Of one molecule in vacuum; None if there are none.
    """

    folder: Path
    request: dict[str, Any]
    liquid: StoredFrames
    gas: StoredFrames | None

    @property
    def temperature(self) -> float:
        """Of the thermostat, K."""
        return float(self.request["state"]["temperature"])

    @property
    def pressure(self) -> float:
        """Of the barostat, atm."""
        return float(self.request["state"]["pressure"])

    @property
    def force_field_sha256(self) -> str:
        """Of the OFFXML that it was simulated with."""
        return str(self.request["force_field_sha256"])

    @classmethod
    def load(cls, folder: str | Path, *, most: int | None = None) -> StoredRun:
        """Read the folder of `estimate`.

        Parameters
        ----------
        folder
            That ``--output`` named.
        most
            Frames to keep, evenly spaced, if there are more independent ones.

        Raises
        ------
        DataError
            If it is no such folder, or holds no trajectory.
        SamplingError
            If production is too short.
        """
        folder = Path(folder)
        path = folder / REQUEST_FILE
        if not path.is_file():
            raise DataError(f"{folder} is no folder of `bytepol estimate`: {path} is missing")
        liquid = _read(folder / "liquid", PRODUCED, most)
        if liquid is None:
            raise DataError(
                f"{folder} holds no trajectory of the liquid; run the estimate, with a trajectory"
            )
        gas = _read(folder / "gas-0", GAS_PRODUCED, most)
        return cls(folder, json.loads(path.read_text("utf-8")), liquid, gas)


def check_same_liquid(runs: Sequence[StoredRun]) -> None:
    """Refuse runs of different liquids or states.

    Raises
    ------
    PropertyError
    """
    if not runs:
        raise PropertyError("no runs to reweight")
    first = runs[0]
    for run in runs[1:]:
        same = run.request["state"] == first.request["state"]
        kinds = [[(k.mapped_smiles, k.count) for k in r.liquid.box.kinds] for r in (first, run)]
        if not same or kinds[0] != kinds[1]:
            raise PropertyError(
                f"{first.folder} and {run.folder} are of different liquids, states or numbers of "
                "molecules; combine runs that differ in the force field only"
            )


def _read(folder: Path, stage: str, most: int | None) -> StoredFrames | None:
    """Independent frames of a stage; None without a trajectory."""
    home, files = folder / BUILD, [p for _, p in chunks(folder / stage, TRAJECTORY, "dcd")]
    series = read_series(folder / stage)
    if not files or series is None or not (home / BOX_FILE).is_file():
        return None
    kept = production(series)
    inefficiency = statistical_inefficiency(kept.potential_energies)
    if kept.boxes is not None:
        inefficiency = max(inefficiency, statistical_inefficiency(kept.volumes))
    frames = Frames.load(files, home / TOPOLOGY_FILE)
    if kept.boxes is None:
        frames = Frames(frames.positions)
    interval = float(series.times[-1]) / len(frames)
    times = interval * np.arange(1, len(frames) + 1)
    first = int(np.searchsorted(times, kept.times[0] - 1e-6))
    stride = max(1, math.ceil(inefficiency * kept.interval / interval - 1e-9))
    left = len(range(first, len(frames), stride))
    if most is not None and left > most:
        stride *= math.ceil(left / most)
    chosen = frames[first::stride] if len(frames) - first >= 1 else frames[-1:]
    if len(chosen) < _FEWEST:
        raise PropertyError(
            f"only {len(chosen)} independent frames are stored in {folder / stage}; simulate longer"
        )
    return StoredFrames(home, Box.read(home), chosen)
