"""Jobs as entries of QCArchive data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from active_learning.labelling.base import LabelJob
from active_learning.labelling.levels import RecordLevel
from openff_bytepol.exceptions import DataError
from openff_bytepol.qm import Fragment
from openff_bytepol.qm.fragments import split_coordinates
from openff_bytepol.units import BOHR_IN_ANGSTROM

DatasetType = Literal["singlepoint", "optimization", "torsiondrive", "manybody"]


@dataclass(frozen=True)
class Task:
    """One entry: a job has one, or one for each geometry."""

    dataset: DatasetType
    entry: str
    molecule: Any
    """`qcportal` Molecule."""
    keywords: dict[str, Any]
    """Of torsion drives."""
    attributes: dict[str, Any]


def dataset_type(job: LabelJob, level: RecordLevel) -> DatasetType:
    """Kind of data set that a job belongs to.

    Raises
    ------
    DataError
        If the level does not fit the job.
    """
    if job.kind in {"monomer", "torsion"} and level.kind != "gradient":
        raise DataError(f"level '{job.level}' gives interaction energies, not {job.kind}s")
    if job.kind in {"dimer", "cluster"} and len(job.coordinates) != 1:
        raise DataError(f"{job.smiles}: a {job.kind} has one geometry, not {len(job.coordinates)}")
    if job.kind == "cluster" and level.kind == "sapt":
        raise DataError(f"level '{job.level}': SAPT is for dimers")
    if job.kind == "torsion":
        return "torsiondrive"
    if job.kind == "monomer":
        return "optimization" if level.relax else "singlepoint"
    return "singlepoint" if level.kind != "gradient" else "manybody"


def tasks_of(job: LabelJob, level: RecordLevel) -> list[Task]:
    """Entries of a job.

    Raises
    ------
    DataError
        If the level does not fit the job, or SMILES and coordinates do not fit each other.
    """
    kind = dataset_type(job, level)
    geometries = job.coordinates[:1] if job.kind == "torsion" else job.coordinates
    keywords: dict[str, Any] = {}
    if job.dihedral is not None:
        keywords = {"dihedrals": [job.dihedral], "grid_spacing": [round(job.spacing)]}
    return [
        Task(
            dataset=kind,
            entry=f"{job.id[:40]}-{i:04d}",
            molecule=molecule_of(job, xyz),
            keywords=keywords,
            attributes={
                "job": job.id,
                "kind": job.kind,
                "canonical_isomeric_explicit_hydrogen_mapped_smiles": ".".join(job.smiles),
            },
        )
        for i, xyz in enumerate(geometries)
    ]


def molecule_of(job: LabelJob, coordinates: np.ndarray[Any, Any]) -> Any:
    """``qcportal`` molecule, one fragment for each of the job's, not moved or turned.

    Raises
    ------
    DataError
        If SMILES, charges and coordinates do not fit each other.
    """
    from qcportal.molecules import Molecule

    fragments = split_coordinates(job.smiles, coordinates)
    for fragment, charge, smiles in zip(fragments, job.charges, job.smiles, strict=True):
        if fragment.charge != charge:
            raise DataError(f"{smiles}: charge {charge} given, the SMILES has {fragment.charge}")
    ends = np.cumsum([len(fragment.symbols) for fragment in fragments])
    atoms = np.split(np.arange(ends[-1]), ends[:-1])
    values: dict[str, Any] = {
        "symbols": [symbol for fragment in fragments for symbol in fragment.symbols],
        "geometry": (_positions(fragments) / BOHR_IN_ANGSTROM).ravel().tolist(),
        "molecular_charge": float(sum(job.charges)),
        "molecular_multiplicity": 1,
        "fragments": [part.tolist() for part in atoms],
        "fragment_charges": [float(charge) for charge in job.charges],
        "fragment_multiplicities": [1] * len(fragments),
        "fix_com": True,
        "fix_orientation": True,
    }
    return Molecule(**values)


def _positions(fragments: tuple[Fragment, ...]) -> np.ndarray[Any, Any]:
    return np.concatenate([fragment.coordinates for fragment in fragments])


def new_entry(task: Task) -> Any:
    """Entry of the task for its kind of data set."""
    if task.dataset == "torsiondrive":
        from qcportal.torsiondrive import TorsiondriveDatasetNewEntry

        return TorsiondriveDatasetNewEntry(
            name=task.entry,
            initial_molecules=[task.molecule],
            additional_keywords=task.keywords,
            attributes=task.attributes,
        )
    common = {"name": task.entry, "attributes": task.attributes}
    if task.dataset == "singlepoint":
        from qcportal.singlepoint import SinglepointDatasetNewEntry

        return SinglepointDatasetNewEntry(molecule=task.molecule, **common)
    if task.dataset == "optimization":
        from qcportal.optimization import OptimizationDatasetNewEntry

        return OptimizationDatasetNewEntry(initial_molecule=task.molecule, **common)
    from qcportal.manybody import ManybodyDatasetNewEntry

    return ManybodyDatasetNewEntry(initial_molecule=task.molecule, **common)


def specification(dataset: DatasetType, level: RecordLevel, fragments: int) -> Any:
    """Specification of a level for a kind of data set.

    Parameters
    ----------
    dataset
        Kind.
    level
        Level of theory.
    fragments
        Number of molecules in the records; many-body records need it.
    """
    from qcportal.singlepoint import QCSpecification

    driver = "energy" if level.kind != "gradient" or dataset == "manybody" else "gradient"
    single = QCSpecification(
        program=level.program,
        driver="deferred" if dataset in {"optimization", "torsiondrive"} else driver,
        method=level.method,
        basis=level.basis,
        keywords=level.keywords,
    )
    if dataset == "singlepoint":
        return single
    if dataset == "manybody":
        from qcportal.manybody import ManybodySpecification

        corrected = level.counterpoise and level.basis is not None
        return ManybodySpecification(
            levels=dict.fromkeys(range(1, fragments + 1), single),
            bsse_correction=["cp" if corrected else "nocp"],
        )
    from qcportal.optimization import OptimizationSpecification

    optimization = OptimizationSpecification(
        program="geometric",
        qc_specification=single,
        keywords={"coordsys": "dlc", "maxiter": 100},
        protocols={"trajectory": "all"},
    )
    if dataset == "optimization":
        return optimization
    from qcportal.torsiondrive import TorsiondriveKeywords, TorsiondriveSpecification

    return TorsiondriveSpecification(
        optimization_specification=optimization, keywords=TorsiondriveKeywords()
    )
