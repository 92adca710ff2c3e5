"""Complete systems: particles, boxes, valence terms, size and speed."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import openmm
import pytest
import torch
from openmm import unit

from openff_bytepol.exceptions import CutoffError, ForceFieldError
from openff_bytepol.interop.openmm_system import create_system
from openff_bytepol.interop.openmm_terms import energy_by_term
from openff_bytepol.interop.openmm_valence import PROPERS
from tests.factories import ethane, lithium
from tests.interop import published
from tests.interop.evaluate import context, energy, forces

EDGES = [30.0, 31.0, 32.0]


def test_masses_are_those_of_the_elements():
    system = create_system([ethane(), lithium()], [(1, [0]), (0, range(1, 9))], box=EDGES)
    masses = [system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(3)]
    assert masses == pytest.approx([6.94, 12.011, 12.011], abs=1e-2)
    edges = [
        v[i].value_in_unit(unit.angstrom)
        for i, v in enumerate(system.getDefaultPeriodicBoxVectors())
    ]
    assert edges == pytest.approx(EDGES)
    assert system.usesPeriodicBoundaryConditions()


def test_masses_given():
    system = create_system([lithium()], [(0, [0])], masses=[7.016])
    assert system.getParticleMass(0).value_in_unit(unit.dalton) == 7.016
    with pytest.raises(ForceFieldError, match="2 masses for 1"):
        create_system([lithium()], [(0, [0])], masses=[1.0, 2.0])


def test_cutoff_longer_than_half_the_box():
    with pytest.raises(CutoffError, match=r"10 Å is longer than half .* \(19.5 Å\)"):
        create_system([lithium()], [(0, [0])], box=[19.5, 30, 30])
    create_system([lithium()], [(0, [0])], box=[19.5, 30, 30], cutoff=9.7)


def test_cutoff_in_a_tilted_box():
    """Half the width is what counts, not half the edge."""
    tilted = [[20, 0, 0], [10, 17, 0], [0, 0, 30]]
    with pytest.raises(CutoffError, match="17 Å"):
        create_system([lithium()], [(0, [0])], box=tilted, cutoff=9.0)
    create_system([lithium()], [(0, [0])], box=tilted, cutoff=8.4)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([10.0, 10.0], "three edge lengths"),
        ([10.0, 10.0, -10.0], "three edge lengths"),
        ([[20, 1, 0], [0, 20, 0], [0, 0, 20]], "reduced form"),
    ],
)
def test_boxes_that_are_none(box, message):
    with pytest.raises(ForceFieldError, match=message):
        create_system([lithium()], [(0, [0])], box=box)


def test_torsions_without_barrier_are_left_out():
    flat = replace(ethane(), proper_k=torch.zeros_like(ethane().proper_k))
    system = create_system([flat], [(0, range(8))])
    names = [force.getName() for force in system.getForces()]
    assert PROPERS not in names
    assert "bonds" in names


def test_energy_by_term_in_another_box():
    molecules = [ethane(), lithium()]
    molecules = [replace(m, polarizabilities=0.1 * m.polarizabilities) for m in molecules]
    rng = np.random.default_rng(0)
    positions = rng.normal(scale=2.0, size=(9, 3))
    system = create_system(molecules, [(0, range(8)), (1, [8])], box=EDGES)
    terms = energy_by_term(system, positions)
    assert sum(terms.values()) == pytest.approx(energy(system, positions), rel=1e-6)
    larger = energy_by_term(system, positions, box=[60.0] * 3)
    assert larger["bonds"] == terms["bonds"]
    assert larger["permanent"] != terms["permanent"]
    assert abs(larger["dispersion"]) < abs(terms["dispersion"])


def test_other_forces_keep_their_names():
    system = create_system([lithium()], [(0, [0])])
    wall = openmm.CustomExternalForce("x^2")
    wall.setName("wall")
    wall.addParticle(0)
    system.addForce(wall)
    assert energy_by_term(system, [[10.0, 0, 0]])["wall"] == pytest.approx(1 / 4.184)


def test_building_is_fast(reference_data):
    """500 molecules; most of the time goes into OpenMM's own calls."""
    acetone = published.molecule(reference_data, "ACT")
    placements = published.contiguous([0] * 500, [10])
    start = time.perf_counter()
    system = create_system([acetone], placements, box=[37.7] * 3)
    assert time.perf_counter() - start < 5.0
    assert system.getNumParticles() == 5000


@pytest.mark.slow
def test_electrolyte_box(reference_data):
    """505 DMC, 345 EC, 69 LiPF6: 10,062 atoms; loose settings, to finish in time."""
    positions, edges = published.structure(reference_data, "solvent_salt.gro")
    text = (reference_data / published.FOLDER / "solvent_salt.gro").read_text()
    residues = [line[:10].strip().lstrip("0123456789") for line in text.splitlines()[2:-1]]
    names = ["DMC", "EC", "LI", "PF6"]
    molecules = [published.molecule(reference_data, name) for name in names]
    kinds = []
    for name, atoms in itertools.groupby(residues):
        kind = names.index(name.strip())
        kinds += [kind] * (len(list(atoms)) // molecules[kind].n_atoms)
    assert [kinds.count(kind) for kind in range(4)] == [505, 345, 69, 69]
    system = create_system(
        molecules,
        published.contiguous(kinds, [molecule.n_atoms for molecule in molecules]),
        box=edges,
        cutoff=7.0,
        ewald_tolerance=1e-3,
        mutual_tolerance=1e-2,
    )
    made = context(system, positions, "CPU")
    values = forces(made)
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 1e3
