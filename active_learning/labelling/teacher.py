"""Labels made in this process by a cheap teacher: GFN2-xTB (tblite) or AIMNet2.

For dry runs, which show what a campaign would cost, and for campaigns without a server.
A teacher gives totals of dimers only, without components; basis-set superposition does not
exist for either. GFN2-xTB: Bannwarth et al., https://doi.org/10.1021/acs.jctc.8b01176.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rdkit import Chem

from active_learning.labelling.base import LabelJob, LabelResult, LabelStatus, Provenance
from active_learning.labelling.rows import dimer_row, molecule_row
from openff_bytepol.exceptions import BytePolError, DataError, MissingDependencyError
from openff_bytepol.qm import Fragment, find_level
from openff_bytepol.qm.single_point import single_point
from openff_bytepol.training.labels import aimnet2, geometries

FloatArray = NDArray[np.float64]
LEVELS: Final = {"gfn2-xtb": "tblite", "aimnet2": "AIMNet2 (Auto3D)"}


class TeacherSettings(BaseModel):
    """What ``labels.settings`` may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs_per_poll: Annotated[int, Field(ge=1)] = 50
    max_attempts: Annotated[int, Field(ge=1)] = 2


class Surface(NamedTuple):
    """Energies (kcal/mol), forces (kcal/mol/Å) and dipoles (e·Å) of geometries."""

    energies: FloatArray
    forces: FloatArray
    dipoles: FloatArray


class TeacherLabeller:
    """A `Labeller` whose jobs run when it is polled.

    Parameters
    ----------
    settings
        How much work one poll does.
    folder
        Jobs and results are files in it, each written whole or not at all.
    """

    def __init__(self, settings: TeacherSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        for name in ("jobs", "results", "failures"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        try:
            TeacherSettings.model_validate(dict(settings))
        except ValidationError as error:
            raise DataError(f"labels.settings of the teacher: {error}") from error

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], folder: Path) -> TeacherLabeller:
        cls.check_settings(settings)
        return cls(TeacherSettings.model_validate(dict(settings)), folder)

    def submit(self, jobs: Sequence[LabelJob]) -> None:
        for job in jobs:
            path = self._path("jobs", job.id)
            if not path.exists():
                _write(path, job.to_dict())

    def poll(self) -> Sequence[LabelStatus]:
        statuses, done = [], 0
        for path in sorted((self._folder / "jobs").glob("*.json")):
            status = self._status(path.stem)
            if status.state == "waiting" and done < self._settings.jobs_per_poll:
                self._run(LabelJob.from_dict(json.loads(path.read_text())), status.attempts)
                status = self._status(path.stem)
                done += 1
            statuses.append(status)
        return statuses

    def collect(self) -> Iterable[LabelResult]:
        for path in sorted((self._folder / "results").glob("*.json")):
            values = json.loads(path.read_text())
            values["provenance"] = Provenance(
                **values["provenance"] | {"record_ids": tuple(values["provenance"]["record_ids"])}
            )
            yield LabelResult(**values)

    def cancel(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            if self._status(job_id).state == "waiting":
                self._path("jobs", job_id).unlink(missing_ok=True)

    def _path(self, kind: str, job_id: str) -> Path:
        return self._folder / kind / f"{job_id}.json"

    def _status(self, job_id: str) -> LabelStatus:
        if self._path("results", job_id).exists():
            return LabelStatus(job_id, "complete")
        failure = self._path("failures", job_id)
        if not failure.exists():
            return LabelStatus(job_id, "waiting", attempts=0)
        found = json.loads(failure.read_text())
        given_up = found["attempts"] >= self._settings.max_attempts
        return LabelStatus(
            job_id, "failed" if given_up else "waiting", found["reason"], found["attempts"]
        )

    def _run(self, job: LabelJob, attempts: int) -> None:
        try:
            table, row, partial, seconds = label(job)
        except MissingDependencyError:
            raise
        except (BytePolError, RuntimeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            _write(self._path("failures", job.id), {"reason": reason, "attempts": attempts + 1})
            return
        program = LEVELS[job.level]
        _write(
            self._path("results", job.id),
            {
                "job_id": job.id,
                "table": table,
                "row": row,
                "provenance": {
                    "server": "teacher",
                    "record_ids": [],
                    "program": program,
                    "version": version("tblite" if program == "tblite" else "Auto3D"),
                },
                "core_hours": seconds / 3600.0,
                "partial": partial,
            },
        )


def label(job: LabelJob) -> tuple[str, dict[str, Any], str, float]:
    """Table, row, what is missing from it, and the seconds of processor time of the level.

    Raises
    ------
    DataError
        If the level or kind is not one of a teacher's, or no row can be made.
    MissingDependencyError
        If the teacher is not installed.
    """
    if job.level not in LEVELS:
        raise DataError(f"level '{job.level}': the teacher has {', '.join(LEVELS)}")
    if job.kind == "cluster":
        raise DataError("the teacher does not label clusters")
    if job.kind == "dimer":
        started = time.process_time()
        row = _label_dimer(job)
        return "dimers", row, "", time.process_time() - started
    mol = geometries.from_mapped_smiles(job.smiles[0])
    xyz, kinds, missing = job.coordinates, ["conformer"] * len(job.coordinates), ""
    if job.kind == "torsion" and job.dihedral:
        points = max(1, round(360.0 / job.spacing))
        angles = [job.spacing * i for i in range(points)]
        xyz = geometries.torsion_scan(mol, job.coordinates[0], job.dihedral, angles)
        kinds = ["torsion"] * len(xyz)
        missing = f"{points - len(xyz)} points with clashes" if len(xyz) < points else ""
    started = time.process_time()
    surface = evaluate(job.level, _numbers(mol), xyz, job.charges[0])
    seconds = time.process_time() - started
    row = molecule_row(
        job.smiles[0], xyz, surface.energies, surface.forces, kinds=kinds,
        dipoles=surface.dipoles, source=f"{job.kind}, {job.level}",
    )  # fmt: skip
    return "molecules", row, missing, seconds


def _label_dimer(job: LabelJob) -> dict[str, Any]:
    numbers = [_numbers(geometries.from_mapped_smiles(smiles)) for smiles in job.smiles]
    xyz, split = job.coordinates[:1], len(numbers[0])
    whole = evaluate(job.level, np.concatenate(numbers), xyz, sum(job.charges)).energies[0]
    parts = [
        evaluate(job.level, number, part, charge).energies[0]
        for number, part, charge in zip(
            numbers, (xyz[:, :split], xyz[:, split:]), job.charges, strict=True
        )
    ]
    return dimer_row(
        job.smiles, xyz[0], float(whole - sum(parts)), level=job.level,
        subset="active learning", name=job.id[:16],
    )  # fmt: skip


def _numbers(mol: Chem.Mol) -> NDArray[np.int64]:
    return np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)


def evaluate(
    level: str, atomic_numbers: NDArray[np.int64], coordinates: FloatArray, charge: int
) -> Surface:
    """Energies, forces and dipoles at a teacher's level.

    Parameters
    ----------
    level
        One of `LEVELS`.
    atomic_numbers
        (n_atoms,).
    coordinates
        (n, n_atoms, 3), Å.
    charge
        Total charge, e.
    """
    if level == "aimnet2":
        return _aimnet2(atomic_numbers, coordinates, charge)
    return _gfn2(atomic_numbers, coordinates, charge)


def _aimnet2(numbers: NDArray[np.int64], xyz: FloatArray, charge: int) -> Surface:
    if not set(numbers.tolist()) <= aimnet2.ELEMENTS:
        raise DataError("AIMNet2 lacks one of the elements")
    positions = torch.from_numpy(np.array(xyz))
    result = aimnet2.evaluate(positions, torch.from_numpy(numbers), charge)
    dipoles = aimnet2.dipoles(positions, result.charges)
    return Surface(
        result.energies.numpy(), result.forces.double().numpy(), dipoles.double().numpy()
    )


def _gfn2(numbers: NDArray[np.int64], xyz: FloatArray, charge: int) -> Surface:
    table = Chem.GetPeriodicTable()
    symbols = tuple(table.GetElementSymbol(int(number)) for number in numbers)
    level = find_level("gfn2-xtb")
    points = [single_point(Fragment(symbols, positions, charge), level) for positions in xyz]
    return Surface(
        np.array([point.energy for point in points]),
        np.array([-point.gradient for point in points]),
        np.array([point.dipole for point in points]),
    )


def _write(path: Path, values: dict[str, Any]) -> None:
    """Write JSON so that the file appears whole or not at all."""
    partial = path.with_suffix(".partial")
    text = json.dumps(values, default=_number)
    with partial.open("w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(partial, path)


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else math.nan
