"""What a campaign asks of whatever makes labels.

A campaign hands jobs to a `Labeller` and takes rows of the training schema back. The two
share nothing else, so a label program of one's own is a class with three methods (see
`find_labeller`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import DataError

LabelKind = Literal["monomer", "torsion", "dimer", "cluster"]
JobState = Literal["waiting", "running", "complete", "failed"]
Table = Literal["molecules", "dimers", "clusters"]
Coordinates = NDArray[np.float64]

DECIMALS: Final = 5
"""Coordinates that agree to this many decimals (Å) are one job."""

BUILT_IN: Final = {
    "teacher": "active_learning.labelling.teacher:TeacherLabeller",
    "qcarchive": "active_learning.labelling.qcarchive:QCArchiveLabeller",
}


@dataclass(frozen=True, eq=False)
class LabelJob:
    """One calculation, or one set of geometries that share an energy zero.

    Attributes
    ----------
    kind
        ``monomer``: energies, gradients (and dipoles) at the given geometries;
        ``torsion``: a scan about ``dihedral`` from the first geometry;
        ``dimer``, ``cluster``: interaction energy, in components where the level has them.
    level
        Name of a level of theory that the labeller knows.
    smiles
        Mapped SMILES of each molecule; map numbers 1…n give its atom order.
    charges
        Total charge of each molecule, e.
    coordinates
        (n_geometries, n_atoms, 3), Å; molecules one after another.
    dihedral
        Four atoms, counted from 0; of torsion scans only.
    spacing
        Between the points of a torsion scan, degrees.
    """

    kind: LabelKind
    level: str
    smiles: tuple[str, ...]
    charges: tuple[int, ...]
    coordinates: Coordinates
    dihedral: tuple[int, int, int, int] | None = None
    spacing: float = 30.0

    def __post_init__(self) -> None:
        xyz = np.ascontiguousarray(self.coordinates, dtype=np.float64)
        counts = {"monomer": 1, "torsion": 1, "dimer": 2}
        if xyz.ndim != 3 or xyz.shape[2] != 3 or not len(xyz) or not np.isfinite(xyz).all():
            raise DataError(
                f"{self.smiles}: coordinates must be finite, of shape (n_geometries, n_atoms, 3)"
            )
        if len(self.smiles) != counts.get(self.kind, len(self.smiles)):
            raise DataError(f"{self.smiles}: a {self.kind} has {counts[self.kind]} molecules")
        if len(self.charges) != len(self.smiles):
            raise DataError(f"{self.smiles}: one charge for each molecule is needed")
        if (self.dihedral is None) == (self.kind == "torsion"):
            raise DataError(f"{self.smiles}: `dihedral` belongs to torsion scans, and only to them")
        xyz.setflags(write=False)
        object.__setattr__(self, "coordinates", xyz)

    @cached_property
    def id(self) -> str:
        """SHA-256 of level, kind, molecules and geometry: equal jobs are done once."""
        content = self.to_dict()
        content["coordinates"] = (np.round(self.coordinates, DECIMALS) + 0.0).tolist()
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values; `from_dict` reads it."""
        return {
            "kind": self.kind,
            "level": self.level,
            "smiles": list(self.smiles),
            "charges": list(self.charges),
            "coordinates": self.coordinates.tolist(),
            "dihedral": list(self.dihedral) if self.dihedral else None,
            "spacing": self.spacing,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LabelJob:
        """Inverse of `to_dict`.

        Raises
        ------
        DataError
            If a field is missing or inconsistent.
        """
        try:
            return cls(
                kind=values["kind"],
                level=values["level"],
                smiles=tuple(values["smiles"]),
                charges=tuple(values["charges"]),
                coordinates=np.array(values["coordinates"], dtype=np.float64),
                dihedral=tuple(values["dihedral"]) if values["dihedral"] else None,
                spacing=float(values["spacing"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a label job: {error}") from error


@dataclass(frozen=True)
class LabelStatus:
    """Where a job stands."""

    job_id: str
    state: JobState
    reason: str = ""
    """Why it waits or failed; names of records, programs and errors, never credentials."""
    attempts: int = 1
    """How often it was started."""


@dataclass(frozen=True)
class Provenance:
    """Where a label comes from."""

    server: str
    """Address without credentials, or the name of an in-process labeller."""
    record_ids: tuple[str, ...] = ()
    program: str = ""
    version: str = ""


@dataclass(frozen=True)
class LabelResult:
    """One row of the training schema, with what it cost.

    ``row`` fits ``training.labels.schema.MOLECULES`` (table ``molecules``) or
    ``training.targets.dimers.DIMERS`` (table ``dimers``); rows of clusters hold ``smiles``
    (list), ``coordinates`` and the components of dimers. A job of several geometries of
    which some failed gives a row of the others, and says so in ``partial``.
    """

    job_id: str
    table: Table
    row: dict[str, Any]
    provenance: Provenance
    core_hours: float
    """Measured: wall time × cores."""
    basis_functions: int | None = None
    """Where the program reports it; the cost model uses it."""
    partial: str = ""
    """What is missing, and why."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further properties as JSON values."""


class Labeller(Protocol):
    """Makes labels. Every method may be called again after a crash, in a new process.

    Implementations keep what they must remember under the folder that they are given, or
    on a server.
    """

    def submit(self, jobs: Sequence[LabelJob]) -> None:
        """Take on jobs; those known already (by id) are neither repeated nor paid again."""

    def poll(self) -> Sequence[LabelStatus]:
        """State of every job ever submitted; in-process labellers do some work here."""

    def collect(self) -> Iterable[LabelResult]:
        """Results of all complete jobs, each as often as this is called."""

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Give up jobs that are not complete; unknown ids are ignored."""


class LabellerFactory(Protocol):
    """What `find_labeller` returns: usually a class."""

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise `DataError` if a setting is unknown or out of range; starts nothing."""

    def from_settings(self, settings: Mapping[str, Any], folder: Path) -> Labeller:
        """A labeller that keeps its files in ``folder``, which may be an earlier one's."""


def find_labeller(name: str) -> LabellerFactory:
    """Labeller by name: ``teacher``, ``qcarchive``, or ``package.module:Class`` of one's own.

    Raises
    ------
    DataError
        If there is none, or it lacks the two class methods of `LabellerFactory`.
    """
    path = BUILT_IN.get(name, name)
    module, _, attribute = path.partition(":")
    if not attribute:
        raise DataError(
            f"no labeller '{name}': use one of {', '.join(BUILT_IN)} or 'package.module:Class'"
        )
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise DataError(f"labeller '{name}': {error}; is its package installed?") from error
    if not all(hasattr(found, method) for method in ("check_settings", "from_settings")):
        raise DataError(
            f"labeller '{name}' lacks the class methods check_settings and from_settings"
        )
    factory: LabellerFactory = found
    return factory
