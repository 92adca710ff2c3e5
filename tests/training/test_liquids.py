"""Pairs of neighbours in simulated liquids."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from openff_bytepol.models import load_model
from openff_bytepol.training.config import LabelConfig, TrainingConfig
from openff_bytepol.training.labels.config import ContactConfig, LiquidConfig
from openff_bytepol.training.labels.contacts import make_contacts
from openff_bytepol.training.labels.geometries import hydrogenated
from openff_bytepol.training.labels.liquids import EDGE, neighbours, simulate_liquid
from openff_bytepol.training.labels.schema import read_table
from openff_bytepol.training.targets.dimers import DIMERS

SHORT = LiquidConfig(
    molecules=("CO", "O"), density=0.9, equilibration_steps=2, frames=2, steps_between=2, count=3
)


def test_neighbours_are_found_across_the_boundary() -> None:
    box = np.array([10.0, 12.0, 14.0])
    molecules = [np.array([[0.5, 1.0, 1.0]]), np.array([[9.5, 1.0, 13.0]]), np.full((1, 3), 5.0)]
    ((i, j, one, other),) = neighbours(molecules, box, 3.0)
    assert (i, j) == (0, 1)
    np.testing.assert_allclose(other - one, [[-1.0, 0.0, -2.0]])
    assert not list(neighbours(molecules, None, 3.0))


def test_neighbours_are_judged_by_their_closest_atoms() -> None:
    long = np.array([[0.0, 0.0, 0.0], [8.0, 0.0, 0.0]])
    single = np.array([[8.0, 2.0, 0.0]])
    assert [(i, j) for i, j, _, _ in neighbours([long, single], None, 2.1)] == [(0, 1)]
    assert not list(neighbours([long, single], None, 1.9))


def test_frames_hold_whole_molecules_at_the_density_asked_for() -> None:
    pytest.importorskip("openff.toolkit")
    molecules = [hydrogenated(smiles) for smiles in SHORT.molecules]
    frames = list(simulate_liquid(load_model("bytepol"), molecules, SHORT, seed=1))
    assert len(frames) == SHORT.frames
    placed, kinds, box = frames[-1]
    assert min(box) >= EDGE - 0.5
    assert kinds.count(0) == kinds.count(1) == len(placed) / 2
    mass = kinds.count(0) * (32.042 + 18.015)
    assert mass * 1.66054 / np.prod(box) == pytest.approx(SHORT.density, rel=0.02)
    for kind, coordinates in zip(kinds, placed, strict=True):
        assert len(coordinates) == molecules[kind].GetNumAtoms()
        assert np.ptp(coordinates, axis=0).max() < 4.0
    assert not np.allclose(frames[0][0][0], placed[0])


@pytest.mark.slow
def test_contacts_of_liquids_are_labelled_as_rigid_neighbours(tmp_path: Path) -> None:
    pytest.importorskip("pyscf")
    if find_spec("Auto3D") is None:
        pytest.skip("Auto3D, with the weights of AIMNet2, is not installed")
    contacts = ContactConfig(
        molecules=(), liquids=(SHORT,), functional="hf", basis="def2-svp", n_conformers=1
    )
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), labels=LabelConfig(contacts=contacts),
        stages=(),
    )  # fmt: skip
    (path,) = make_contacts(config)
    rows = read_table(path, DIMERS)
    assert len(rows) == SHORT.count
    for row in rows:
        assert row["exch"] > 0.0
        assert np.isfinite(row["elst"])
        assert "liquid 0-" in row["name"]
