from __future__ import annotations

import json

import numpy as np
import pytest

from active_learning.labelling import LabelJob, find_labeller
from openff_bytepol.exceptions import DataError

WATER = "[O:1]([H:2])[H:3]"
XYZ = np.array([[[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]])


def job(**changes) -> LabelJob:
    values = {"kind": "monomer", "level": "gfn2-xtb", "smiles": (WATER,), "charges": (0,)}
    return LabelJob(**(values | {"coordinates": XYZ} | changes))


def test_id_depends_on_content_only():
    assert job().id == job(coordinates=XYZ + 1e-7).id == job(coordinates=-0.0 + XYZ).id
    others = [
        job(level="other"),
        job(coordinates=XYZ + 1e-3),
        job(charges=(1,)),
        job(kind="torsion", dihedral=(0, 1, 2, 1)),
        job(kind="cluster"),
    ]
    assert len({j.id for j in (job(), *others)}) == 6


def test_round_trip_through_json():
    original = job(kind="torsion", dihedral=(1, 0, 2, 0), spacing=15.0)
    restored = LabelJob.from_dict(json.loads(json.dumps(original.to_dict())))
    assert restored.id == original.id
    assert restored.dihedral == (1, 0, 2, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"coordinates": XYZ[0]},
        {"coordinates": XYZ * np.nan},
        {"kind": "dimer"},
        {"charges": (0, 0)},
        {"kind": "torsion"},
        {"dihedral": (0, 1, 2, 3)},
    ],
)
def test_inconsistent_jobs_are_refused(changes):
    with pytest.raises(DataError):
        job(**changes)


def test_incomplete_content_is_refused():
    with pytest.raises(DataError, match="not a label job"):
        LabelJob.from_dict({"kind": "monomer"})


@pytest.mark.parametrize("name", ["nothing", "no_such_package:Labeller", "json:JSONDecoder"])
def test_unknown_labellers_are_refused(name):
    with pytest.raises(DataError, match="labeller"):
        find_labeller(name)
