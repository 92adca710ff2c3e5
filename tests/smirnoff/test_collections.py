"""What the collections of an Interchange hold."""

from __future__ import annotations

import numpy as np
import pytest
from openff.interchange.models import TopologyKey
from openff.toolkit import Molecule, Topology
from pydantic_core import PydanticSerializationError

from openff_bytepol.models import load_model, predict
from openff_bytepol.projection import project_fixed_charge
from openff_bytepol.smirnoff import prediction
from tests.smirnoff.conftest import cluster

SMILES = ["CCO", "O", "[K+]", "CC(=O)[O-]", "c1ccccc1C#N"]

STANDARD = {
    "Bonds": "SMIRNOFFBondCollection",
    "Angles": "SMIRNOFFAngleCollection",
    "ProperTorsions": "SMIRNOFFProperTorsionCollection",
    "ImproperTorsions": "SMIRNOFFImproperTorsionCollection",
    "vdW": "SMIRNOFFvdWCollection",
    "Electrostatics": "SMIRNOFFElectrostaticsCollection",
}


@pytest.fixture(scope="module")
def topology():
    return cluster(*SMILES)


@pytest.fixture(scope="module")
def interchange(polarizable, topology):
    return polarizable.create_interchange(topology)


@pytest.fixture(scope="module")
def placed(topology):
    """Molecule, first atom, parameters and projection of each molecule."""
    start, rows = 0, []
    for molecule, parameters in zip(
        topology.molecules, predict(list(topology.molecules)), strict=True
    ):
        rows.append((molecule, start, parameters, project_fixed_charge(parameters, molecule)))
        start += molecule.n_atoms
    return rows


def values(collection, name, unit):
    return {
        key.atom_indices: collection.potentials[potential].parameters[name].m_as(unit)
        for key, potential in collection.key_map.items()
    }


def test_collections_are_the_standard_ones_to_every_exporter(interchange):
    for name, base in STANDARD.items():
        collection = interchange[name]
        assert base in [c.__name__ for c in type(collection).__mro__]
        assert collection.type == name
        assert not collection.is_plugin
    assert interchange["BytePolNonbonded"].is_plugin
    assert interchange["BytePolPolarizableTorsions"].is_plugin


def test_bonds_and_angles_are_predicted(interchange, placed):
    lengths = values(interchange["Bonds"], "length", "angstrom")
    springs = values(interchange["Bonds"], "k", "kcal/mol/angstrom**2")
    angles = values(interchange["Angles"], "angle", "radian")
    for _, start, parameters, _ in placed:
        rows = (parameters.bonds + start).tolist()
        for row, k, r0 in zip(
            rows, parameters.bond_k.tolist(), parameters.bond_r0.tolist(), strict=True
        ):
            assert lengths[tuple(row)] == pytest.approx(r0, rel=3e-6)
            assert springs[tuple(row)] == pytest.approx(k, rel=3e-6)
        for row, theta0 in zip(
            (parameters.angles + start).tolist(), parameters.angle_theta0.tolist(), strict=True
        ):
            assert angles[tuple(row)] == pytest.approx(min(theta0, np.pi), rel=3e-6)


@pytest.mark.parametrize("name", ["ProperTorsions", "BytePolPolarizableTorsions"])
def test_torsions_hold_both_barriers(name, interchange, placed):
    collection = interchange[name]
    found = {}
    for key, potential in collection.key_map.items():
        p = collection.potentials[potential].parameters
        n = int(p["periodicity"])
        assert p["phase"].m_as("degree") == pytest.approx(0.0 if n % 2 else 180.0)
        found[(*key.atom_indices, n)] = p["k"].m_as("kcal/mol")
    for _, start, parameters, projected in placed:
        source = projected if name == "ProperTorsions" else parameters
        assert parameters.propers.tolist() == projected.propers.tolist()
        for row, barriers in zip(
            (source.propers + start).tolist(), source.proper_k.tolist(), strict=True
        ):
            if name == "ProperTorsions":
                assert (*row, 1) in found
            for n, barrier in enumerate(barriers, start=1):
                assert found.get((*row, n), 0.0) == pytest.approx(barrier, rel=1e-4, abs=1e-5)


def test_impropers_are_the_dihedrals_of_the_model(interchange, placed):
    """Exporters take the dihedral of the four atoms as listed."""
    found = values(interchange["ImproperTorsions"], "k", "kcal/mol")
    expected = {
        tuple(row): k
        for _, start, parameters, _ in placed
        for row, k in zip(
            (parameters.impropers + start).tolist(), parameters.improper_k.tolist(), strict=True
        )
    }
    assert found == pytest.approx(expected, rel=3e-6, abs=1e-6)
    assert expected


def test_nonbonded_parameters_are_the_projection(interchange, placed):
    sigmas = values(interchange["vdW"], "sigma", "angstrom")
    epsilons = values(interchange["vdW"], "epsilon", "kcal/mol")
    charges = interchange["Electrostatics"].get_charge_array().m_as("elementary_charge")
    for molecule, start, _, projected in placed:
        atoms = range(start, start + molecule.n_atoms)
        assert [sigmas[(i,)] for i in atoms] == pytest.approx(projected.sigmas.tolist(), rel=3e-6)
        assert [epsilons[(i,)] for i in atoms] == pytest.approx(
            projected.epsilons.tolist(), rel=3e-6
        )
        own = charges[start : start + molecule.n_atoms]
        assert own == pytest.approx(projected.charges.tolist(), abs=1e-5)
        assert own.sum() == pytest.approx(molecule.total_charge.m, abs=1e-6)


def test_polarizable_parameters_are_the_model(interchange, topology, placed):
    sets, placements = interchange["BytePolNonbonded"].parameters_of(topology)
    for (_, start, parameters, _), (kind, atoms) in zip(placed, placements, strict=True):
        assert atoms[0] == start
        for name in ("charges", "polarizabilities", "dampings", "c6", "radii", "ct_epsilons"):
            expected = getattr(parameters, name)
            assert getattr(sets[kind], name).tolist() == pytest.approx(
                expected.tolist(), rel=3e-6, abs=1e-6
            )
        assert sets[kind].pairs.pairs_14.tolist() == parameters.pairs.pairs_14.tolist()
        assert sets[kind].settings == load_model().config.settings


def test_keys_are_in_atom_order(interchange, topology):
    assert [key.atom_indices for key in interchange["vdW"].key_map] == [
        (atom,) for atom in range(topology.n_atoms)
    ]


def test_every_14_pair_has_a_torsion(interchange, topology):
    ends = {tuple(sorted(k.atom_indices[::3])) for k in interchange["ProperTorsions"].key_map}
    for first, second in topology.nth_degree_neighbors(3):
        pair = sorted((topology.atom_index(first), topology.atom_index(second)))
        assert tuple(pair) in ends


def test_copies_share_potentials(polarizable):
    one = polarizable.create_interchange(Molecule.from_smiles("CCO").to_topology())
    many = Topology.from_molecules([Molecule.from_smiles("CCO")] * 500)
    interchange = polarizable.create_interchange(many)
    for name, collection in interchange.collections.items():
        assert len(collection.potentials) == len(one[name].potentials)
        assert len(collection.key_map) == 500 * len(one[name].key_map)
    system = interchange.to_openmm()
    assert system.getNumParticles() == 4500


def test_one_network_call_for_all_distinct_molecules(polarizable, monkeypatch):
    calls = []
    model = load_model()
    original = type(model).predict_members

    def counted(self, molecules, **options):
        calls.append(len(molecules))
        return original(self, molecules, **options)

    monkeypatch.setattr(type(model), "predict_members", counted)
    monkeypatch.setattr(prediction, "_cache", type(prediction._cache)())
    molecules = [Molecule.from_smiles(s) for s in ("CCO", "CC", "CCO", "O", "CC")]
    topology = Topology.from_molecules(molecules)
    polarizable.create_interchange(topology)
    assert calls == [3]
    polarizable.create_interchange(topology)
    assert calls == [3]


def test_cache_is_bounded(polarizable, monkeypatch):
    monkeypatch.setattr(prediction, "_cache", type(prediction._cache)())
    monkeypatch.setattr(prediction, "MAX_CACHED", 3)
    molecules = [Molecule.from_smiles("C" * n) for n in range(1, 6)]
    interchange = polarizable.create_interchange(Topology.from_molecules(molecules))
    assert len(interchange["vdW"].key_map) == interchange.topology.n_atoms
    assert len(prediction._cache) <= 3


def test_reordered_copies_get_their_own_parameters(polarizable):
    """A three-cycle of atoms, which is not its own inverse."""
    methanol = Molecule.from_mapped_smiles("[C:1]([O:2][H:3])([H:4])([H:5])[H:6]")
    reordered = Molecule.from_mapped_smiles("[C:3]([O:1][H:2])([H:4])([H:5])[H:6]")
    interchange = polarizable.create_interchange(Topology.from_molecules([methanol, reordered]))
    charges = interchange["Electrostatics"].get_charge_array().m
    assert charges[[0, 1, 2]] == pytest.approx(charges[[8, 6, 7]], abs=1e-5)
    collection = interchange["BytePolNonbonded"]

    def radius(atom):
        return collection[TopologyKey(atom_indices=(atom,))].parameters["radius"].m

    assert [radius(i) for i in (0, 1, 2)] == pytest.approx([radius(i) for i in (8, 6, 7)], rel=1e-5)


def test_labels_show_predicted_parameters(polarizable):
    ethanol = Molecule.from_smiles("CCO")
    labels = polarizable.label_molecules(ethanol.to_topology())[0]
    (parameters,) = predict([ethanol])
    for row, k, r0 in zip(
        parameters.bonds.tolist(),
        parameters.bond_k.tolist(),
        parameters.bond_r0.tolist(),
        strict=True,
    ):
        label = labels["BytePolBonds"][tuple(row)]
        assert label.k.m_as("kcal/mol/angstrom**2") == pytest.approx(k)
        assert label.length.m_as("angstrom") == pytest.approx(r0)
        assert label.id.startswith("C2H6O-")
    assert len(labels["BytePolAngles"]) == len(parameters.angles)
    torsion = labels["BytePolPolarizableTorsions"][tuple(parameters.propers[0].tolist())]
    assert [k.m_as("kcal/mol") for k in torsion.k] == pytest.approx(parameters.proper_k[0].tolist())
    atom = labels["BytePolNonbonded"][(2,)]
    assert atom.polarizability.m_as("angstrom**3") == pytest.approx(
        float(parameters.polarizabilities[2])
    )
    projected = project_fixed_charge(parameters, ethanol)
    torsion = labels["BytePolProperTorsions"][tuple(projected.propers[0].tolist())]
    assert [k.m_as("kcal/mol") for k in torsion.k] == pytest.approx(projected.proper_k[0].tolist())
    charge = labels["BytePolElectrostatics"][(2,)].charge[0].m
    assert charge == pytest.approx(float(projected.charges[2]))
    sigma = labels["BytePolvdW"][(2,)].sigma.m_as("angstrom")
    assert sigma == pytest.approx(float(projected.sigmas[2]))


def test_improper_labels_have_the_central_atom_second(polarizable):
    acetone = Molecule.from_mapped_smiles(
        "[C:1]([C:2](=[O:3])[C:4]([H:5])([H:6])[H:7])([H:8])([H:9])[H:10]"
    )
    labels = polarizable.label_molecules(acetone.to_topology())[0]["BytePolImproperTorsions"]
    (parameters,) = predict([acetone])
    assert list(labels) == [(0, 1, 2, 3)]
    barrier = labels[(0, 1, 2, 3)].k[0].m_as("kcal/mol")
    assert barrier == pytest.approx(float(parameters.improper_k.sum()))


def test_projection_is_made_for_files_only(polarizable, fixed, monkeypatch):
    """A polarizable system neither waits for it nor fails with it."""
    from openff_bytepol import projection as package

    class NoProjectionError(Exception):
        pass

    def fail(*_):
        raise NoProjectionError

    monkeypatch.setattr(prediction, "_cache", type(prediction._cache)())
    monkeypatch.setattr(package, "project_fixed_charge", fail)
    topology = cluster("CCO", "O")
    interchange = polarizable.create_interchange(topology)
    interchange.to_openmm()
    for name in ("vdW", "Electrostatics", "ProperTorsions"):
        for _ in range(2):
            with pytest.raises(NoProjectionError):
                _ = interchange[name].key_map
    with pytest.raises(PydanticSerializationError, match="NoProjectionError"):
        interchange.model_dump_json()
    with pytest.raises(NoProjectionError):
        fixed.create_interchange(topology)
    monkeypatch.undo()
    assert len(interchange["vdW"].key_map) == topology.n_atoms
