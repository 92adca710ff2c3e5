"""An untrained model is physically reasonable."""

import math

import pytest
import torch

from openff_bytepol.nn import Model, ModelConfig
from openff_bytepol.nn.priors import nonbonded_priors, springs
from openff_bytepol.potentials import energy, forces
from openff_bytepol.settings import NonbondedSettings
from tests.factories import C8
from tests.graph.smiles import SUPPORTED


@pytest.fixture(scope="module")
def model():
    return Model(seed=3)


@pytest.mark.parametrize(
    ("smiles", "bond", "length", "stiffness"),
    [
        ("CC", (0, 1), 1.53, 530),
        ("CC", (0, 2), 1.09, 740),
        ("C=C", (0, 1), 1.33, 900),
        ("C#C", (0, 1), 1.20, 1600),
        ("c1ccccc1", (0, 1), 1.39, 780),
        ("CC(=O)C", (1, 2), 1.22, 1200),
        ("O", (0, 1), 0.97, 1100),
        ("CCl", (0, 1), 1.79, 400),
        ("CS(=O)(=O)C", (1, 2), 1.45, 1000),
    ],
)
def test_bonds_near_common_force_fields(model, smiles, bond, length, stiffness):
    parameters = model.predict(smiles)[0]
    i = parameters.bonds.tolist().index(list(bond))
    assert float(parameters.bond_r0[i]) == pytest.approx(length, abs=0.12)
    assert float(parameters.bond_k[i]) == pytest.approx(stiffness, rel=0.35)


@pytest.mark.parametrize(
    ("smiles", "angle", "degrees"),
    [
        ("O", (1, 0, 2), 104.5),
        ("C", (1, 0, 2), 109.5),
        ("C=C", (1, 0, 2), 120),
        ("CC#N", (0, 1, 2), 180),
        ("CSC", (0, 1, 2), 99),
        ("FS(F)(F)(F)(F)F", (0, 1, 2), 90),
    ],
)
def test_angles_near_experiment(model, smiles, angle, degrees):
    parameters = model.predict(smiles)[0]
    i = parameters.angles.tolist().index(list(angle))
    assert math.degrees(parameters.angle_theta0[i]) == pytest.approx(degrees, abs=6)


def test_charges_follow_electronegativity(model):
    water, hexafluorophosphate = model.predict(["O", "F[P-](F)(F)(F)(F)F"])
    assert float(water.charges[0]) == pytest.approx(-0.75, abs=0.1)
    assert float(hexafluorophosphate.charges[1]) == pytest.approx(2.12, abs=0.3)


@pytest.mark.parametrize("settings", [NonbondedSettings(), NonbondedSettings(**C8)])
def test_contacts_of_equal_atoms(settings):
    """Two free atoms have their minimum at twice the van der Waals radius."""
    config = ModelConfig(settings=settings)
    priors = nonbonded_priors(config)
    for i, number in enumerate(config.elements):
        from openff_bytepol.free_atoms import FREE_ATOMS

        atom = FREE_ATOMS[number]
        ratio = float(priors["volume_ratio"][i])
        radius = atom.radius * ratio ** (4 / 21)
        r = torch.linspace(1.2 * radius, 4 * radius, 4001, dtype=torch.float64)
        steep, depth = float(priors["lambda"][i]), float(priors["epsilon"][i])
        damping, c6 = settings.dispersion_damping, atom.c6 * ratio**2
        curve = 6 * depth * torch.exp(steep * (1 - r / radius))
        curve -= c6 / (damping * radius**6 + r**6)
        c8 = settings.dispersion_c8 * c6 * radius**2
        curve -= c8 / (damping ** (4 / 3) * radius**8 + r**8)
        assert float(r[curve.argmin()]) == pytest.approx(2 * radius, rel=1e-3)
        assert -1.0 < float(curve.min()) < -0.001


def test_every_parameter_is_in_a_physical_range(model):
    for smiles, p in zip(SUPPORTED, model.predict(list(SUPPORTED)), strict=True):
        assert p.charges.abs().max() < 4.2, smiles
        assert (p.polarizabilities > 0).all()
        assert (p.polarizabilities < 6).all()
        assert (p.radii > 0.9).all()
        assert (p.radii < 2.4).all()
        assert (p.bond_k > 100).all()
        assert ((p.bond_r0 > 0.6) & (p.bond_r0 < 2.9)).all()
        assert ((p.angle_k > 20) & (p.angle_k < 400)).all()
        assert (p.improper_k >= 0).all()
        assert (p.proper_k[model.build_graph(smiles).proper_linear] == 0).all()


def test_water_dimer_binds(model):
    """Neither collapse nor explosion: an energy scan has a minimum at a normal distance."""
    water = model.predict("O")[0]
    dimer = type(water).concatenate([water, water])
    donor = torch.tensor([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], dtype=torch.float64)
    acceptor = torch.tensor([[0, 0, 0], [0.58, 0, 0.76], [0.58, 0, -0.76]], dtype=torch.float64)
    distances = torch.linspace(2.2, 8.0, 30, dtype=torch.float64)
    scan = torch.stack(
        [torch.cat([donor, acceptor + torch.tensor([r, 0.0, 0.0])]) for r in distances.tolist()]
    )
    total = energy(dimer, scan).total.squeeze(-1)
    relative = total - total[-1]
    assert 2.3 < float(distances[relative.argmin()]) < 4.0
    assert -15 < float(relative.min()) < -1
    assert torch.isfinite(forces(dimer, scan)).all()


def test_springs():
    k1, k2 = springs(torch.tensor(500.0), torch.tensor(1.5), (0.5, 4.0))
    assert float(k1 + k2) == pytest.approx(500)
    assert float((0.5 * k1 + 4 * k2) / (k1 + k2)) == pytest.approx(1.5)
