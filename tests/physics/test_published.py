"""Published ByteFF-Pol parameters in our energies, against quantum chemistry and sanity."""

from __future__ import annotations

import itertools
import json
from dataclasses import fields

import pytest
import torch

from openff_bytepol.parameters import ATOM_PARAMETERS, ParameterSet
from openff_bytepol.potentials import (
    Pairs,
    SolverOptions,
    energy,
    interaction_components,
    smallest_response_eigenvalue,
)
from tests.physics import published

MOLECULES = ("EC", "DMC", "ACT", "AFGBL", "LI", "PF6")


def test_cluster_of_almo_eda(reference_data):
    """Three ethylene carbonates and PF6⁻, ωB97M-V/def2-TZVPD."""
    folder = reference_data / "reference/byteff_pol_qm/clusters/i1"
    names = ["EC_0", "EC_1", "EC_2", "PF6_3"]
    parameters = ParameterSet.concatenate(
        [published.parameters(reference_data, name.split("_")[0]) for name in names]
    )
    coordinates = torch.cat([published.last_frame(folder / f"{name}.xyz") for name in names])
    ours = interaction_components(parameters, coordinates)
    reference = json.loads((folder / "EDA.json").read_text())
    assert ours.total.item() == pytest.approx(reference["TOTAL"], abs=2.0)
    assert ours.pol.item() == pytest.approx(reference["POLARIZATION"], abs=1.0)
    assert ours.disp.item() == pytest.approx(reference["DISP"], abs=2.0)
    assert ours.ct.item() == pytest.approx(reference["CHARGE TRANSFER"], abs=1.0)
    frozen = (ours.elec + ours.pauli).item()
    assert frozen == pytest.approx(reference["ELEC_PAULI"], abs=2.0)


def test_short_range(reference_data):
    """Atom pairs in isolation: a hard core, and what is left of wells in front of it.

    The charge transfer of the published parameters (r⁻⁴) outgrows the exponential
    repulsion between 0.7 and 1.1 Å for carbon pairs; these wells lie behind barriers
    that no simulation crosses. Phosphorus is buried in fluorine and left out.
    """
    molecules = [published.parameters(reference_data, name) for name in MOLECULES]
    atoms = [
        ParameterSet(**_single_atom(m, i))
        for m in molecules
        for i in range(m.n_atoms)
        if m.atomic_numbers[i] != 15
    ]
    pairs = list(itertools.combinations_with_replacement(range(len(atoms)), 2))
    batch = ParameterSet.concatenate([atoms[i] for pair in pairs for i in pair])
    index = torch.arange(len(pairs)).repeat_interleave(2)
    distances = torch.linspace(2.5, 0.3, 56, dtype=torch.float64)
    coordinates = torch.zeros((len(distances), len(index), 3), dtype=torch.float64)
    coordinates[:, 1::2, 0] = distances[:, None]
    topology = Pairs.from_parameters(batch, index)
    components = interaction_components(batch, coordinates, pairs=topology)
    assert (components.total[distances < 0.5] > 1e5).all()
    assert (smallest_response_eigenvalue(batch, coordinates, pairs=topology) > 0.5).all()
    short_range = components.pauli + components.disp + components.ct
    well = short_range[distances < 1.2].amin(0) < 0
    assert (short_range[distances > 1.2].amax(0)[well] > 150.0).all()


def _single_atom(molecule, index):
    values = {field.name: getattr(molecule, field.name) for field in fields(molecule)}
    for name in ("atomic_numbers", "molecule_index", *ATOM_PARAMETERS):
        values[name] = values[name][index : index + 1]
    for name in ("bonds", "bond_k", "bond_r0"):
        values[name] = values[name][:0]
    return values


def test_like_ions_repel(reference_data):
    for name in ("LI", "PF6"):
        ion = published.parameters(reference_data, name)
        pair = ParameterSet.concatenate([ion, ion])
        shape = torch.zeros((1, 3), dtype=torch.float64)
        if name == "PF6":
            shape = torch.cat([shape, 1.65 * torch.eye(3), -1.65 * torch.eye(3)]).double()
        distances = torch.linspace(4.0, 20.0, 33, dtype=torch.float64)
        moved = shape + distances[:, None, None] * torch.tensor([1.0, 0.0, 0.0])
        coordinates = torch.cat([shape.expand_as(moved), moved], dim=1)
        total = interaction_components(pair, coordinates).total[:, 0]
        assert (total > 0).all()
        assert (total.diff() < 0).all()


def test_liquid_is_far_from_a_polarization_catastrophe(reference_data):
    x = published.acetone_liquid(reference_data, 40)
    acetone = published.parameters(reference_data, "ACT")
    parameters = ParameterSet.concatenate([acetone] * 40)
    smallest = smallest_response_eigenvalue(parameters, x.reshape(-1, 3)).item()
    assert 0.1 < smallest < 0.9


def test_solvers_agree_in_a_liquid(reference_data):
    x = published.acetone_liquid(reference_data, 40).reshape(-1, 3)
    parameters = ParameterSet.concatenate([published.parameters(reference_data, "ACT")] * 40)
    pairs = Pairs.from_parameters(parameters)
    dense, iterative = (
        energy(parameters, x, pairs=pairs, solver=SolverOptions(method=method)).induction.item()
        for method in ("dense", "cg")
    )
    assert iterative == pytest.approx(dense, rel=1e-10)
