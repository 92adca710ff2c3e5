"""Every reader by name, with the kind of data it gives and where that comes from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.datasets.readers import (
    extxyz,
    gscdb,
    monomer_sets,
    pointer,
    qcarchive,
    tables,
)
from openff_bytepol.training.dimer_files import read_dimers


class Reader(NamedTuple):
    """How one source is read."""

    kind: str
    """Schema of its rows, a key of `openff_bytepol.training.datasets.kinds.KINDS`."""
    source: str
    read: Callable[[Path], Imported]


def _dimers(layout: str, source: str) -> Reader:
    return Reader("dimers", source, partial(read_dimers, reader=layout))


def _records(kind: str, rows: Callable[..., Imported], source: str) -> Reader:
    return Reader(kind, source, lambda path: rows(qcarchive.read_records(path)))


READERS: Final[dict[str, Reader]] = {
    "ncia": _dimers("ncia", "NCIAtlas: DFT-SAPT(B3LYP) or SAPT0 parts, CCSD(T)/CBS totals"),
    "sapt10k": _dimers("sapt10k", "SAPT10k of SO3LR, doi 10.1063/5.0204064"),
    "apnet": _dimers("apnet", "AP-Net validation, SAPT0"),
    "qcmlforge": _dimers("qcmlforge", "QCMLForge, SAPT0/aug-cc-pVDZ"),
    "dimers-xyz": _dimers("extxyz", "your dimers, extended XYZ"),
    "pointer": Reader("dimers", "POInter scans, DFT-SAPT(PBE0)", pointer.read_pointer),
    "gscdb-trimers": Reader("clusters", "3B-69 of GSCDB138", gscdb.read_trimers),
    "gscdb-conformers": Reader("monomers", "conformers of GSCDB138", gscdb.read_conformers),
    "gscdb-moments": Reader("responses", "Dip146 and Pol130 of GSCDB138", gscdb.read_moments),
    "torsion-scans": Reader(
        "torsions", "MobleyLab's qm-theory-benchmark", monomer_sets.read_torsions
    ),
    "byteff": Reader("monomers", "ByteFF's HDF5 monomers", monomer_sets.read_byteff_monomers),
    "monomers-xyz": Reader("monomers", "your molecules, extended XYZ", extxyz.read_monomers),
    "qcarchive-monomers": _records(
        "monomers", qcarchive.monomer_rows, "QCArchive single points and optimizations"
    ),
    "qcarchive-torsions": _records("torsions", qcarchive.torsion_rows, "QCArchive torsion drives"),
    "qcarchive-dimers": _records(
        "dimers", qcarchive.dimer_rows, "QCArchive SAPT0 and many-body records"
    ),
    **{
        f"{kind}-parquet": Reader(
            kind, f"your {kind}, Parquet", partial(tables.read_parquet, kind=kind)
        )
        for kind in ("dimers", "clusters", "monomers", "torsions", "responses", "potentials")
    },
}


def read(path: str | Path, reader: str) -> tuple[str, Imported]:
    """Kind and rows of a file; dimers get weight 1.

    Raises
    ------
    DataError
        If there is no such reader, or the file is missing or in another layout.
    """
    if reader not in READERS:
        raise DataError(f"no reader '{reader}'; there are {', '.join(READERS)}")
    chosen = READERS[reader]
    found = chosen.read(Path(path))
    if not found.rows:
        raise DataError(f"{path}: nothing usable: {dict(found.dropped)}")
    if chosen.kind == "dimers":
        found = found._replace(rows=[{"weight": 1.0} | row for row in found.rows])
    return chosen.kind, found
