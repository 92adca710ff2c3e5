"""Every term against OpenMM's own forces on the Reference platform.

Mutual induced dipoles come from AmoebaMultipoleForce. Its direct and polarization
scale factors are 0 within a polarization group and for the pairs listed as 1-3, so with
1-4 pairs in both the field of charges begins at 1-5. The induction energy is what
polarizabilities add to the energy of the charges.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import openmm
import pytest
import torch

from openff_bytepol.potentials import energy, energy_and_forces, induced_dipoles
from openff_bytepol.settings import PUBLISHED_SETTINGS, NonbondedSettings
from openff_bytepol.units import (
    COULOMB,
    NM_PER_ANGSTROM,
    OPENMM_ANGLE_K,
    OPENMM_BOND_K,
    OPENMM_ENERGY,
    OPENMM_FORCE,
    OPENMM_POLARIZABILITY,
)
from tests.factories import C8
from tests.potentials import naive
from tests.potentials.molecules import cluster

SYSTEMS = {
    "butanol": ("CCCCO",),
    "acetone and lithium": ("CC(=O)C", "[Li+]"),
    "ring and water": ("O=C1OCCO1", "O"),
}


def evaluate(n_atoms, force, coordinates):
    system = openmm.System()
    for _ in range(n_atoms):
        system.addParticle(1.0)
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(coordinates.numpy() * NM_PER_ANGSTROM)
    state = context.getState(getEnergy=True, getForces=True)
    unit = openmm.unit
    value = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    forces = state.getForces(asNumpy=True)
    return value, forces.value_in_unit(unit.kilojoule_per_mole / unit.nanometer)


def bond_force(p):
    force = openmm.HarmonicBondForce()
    for (i, j), k, r0 in zip(p.bonds.tolist(), p.bond_k, p.bond_r0, strict=True):
        force.addBond(i, j, float(r0) * NM_PER_ANGSTROM, float(k) * OPENMM_BOND_K)
    return force


def angle_force(p):
    force = openmm.HarmonicAngleForce()
    rows = zip(p.angles.tolist(), p.angle_k, p.angle_theta0, strict=True)
    for atoms, k, theta0 in rows:
        force.addAngle(*atoms, float(theta0), float(k) * OPENMM_ANGLE_K)
    return force


def proper_force(p):
    force = openmm.PeriodicTorsionForce()
    for atoms, ks in zip(p.propers.tolist(), p.proper_k.tolist(), strict=True):
        for n, k in enumerate(ks, start=1):
            force.addTorsion(*atoms, n, math.pi if n % 2 == 0 else 0.0, k * OPENMM_ENERGY)
    return force


def improper_force(p):
    force = openmm.PeriodicTorsionForce()
    for atoms, k in zip(p.impropers.tolist(), p.improper_k.tolist(), strict=True):
        force.addTorsion(*atoms, 2, math.pi, k * OPENMM_ENERGY)
    return force


PAIR_EXPRESSIONS = {
    "repulsion": "6*e*exp(l*(1-x/R))+(s12/x)^12",
    "dispersion": "-c6/(damping*R^6+x^6)-c8*c6*R^2/(damping^(4/3)*R^8+x^8)",
    "charge_transfer": "-ec*x^-4*exp(-(lc*x/R)^3)",
    "permanent": "coulomb*qq/x",
}
PAIR_PARAMETERS = ("scale", "e", "l", "R", "c6", "ec", "lc", "qq")


def pair_force(p, name):
    s = p.settings
    force = openmm.CustomBondForce(
        f"{OPENMM_ENERGY}*scale*({PAIR_EXPRESSIONS[name]});x=r/{NM_PER_ANGSTROM}"
    )
    for parameter in PAIR_PARAMETERS:
        force.addPerBondParameter(parameter)
    constants = {
        "s12": s.repulsion_s12,
        "damping": s.dispersion_damping,
        "c8": s.dispersion_c8,
        "coulomb": COULOMB,
    }
    for constant, value in constants.items():
        force.addGlobalParameter(constant, value)
    scale_14 = {"permanent": s.charge_14, "charge_transfer": 0.0}.get(name, s.vdw_14)
    steps = naive.separations(p)
    for i in range(p.n_atoms):
        for j in range(i):
            n = int(steps[i, j])
            if n < 3 or (n == 4 and name == "charge_transfer"):
                continue
            mixed = [
                math.sqrt(float(values[i] * values[j]))
                for values in (p.epsilons, p.lambdas, p.c6, p.ct_epsilons, p.ct_lambdas)
            ]
            radius = float(p.radii[i] + p.radii[j]) / 2
            charge = float(p.charges[i] * p.charges[j])
            scale = scale_14 if n == 3 else 1.0
            force.addBond(i, j, [scale, *mixed[:2], radius, *mixed[2:], charge])
    return force


def multipole_force(p, *, polarizable):
    force = openmm.AmoebaMultipoleForce()
    force.setNonbondedMethod(openmm.AmoebaMultipoleForce.NoCutoff)
    force.setPolarizationType(openmm.AmoebaMultipoleForce.Mutual)
    force.setMutualInducedTargetEpsilon(1e-12)
    force.setMutualInducedMaxIterations(500)
    steps = naive.separations(p)
    for i in range(p.n_atoms):
        damping = (float(p.dampings[i]) * OPENMM_POLARIZABILITY) ** (1 / 6)
        alpha = float(p.polarizabilities[i]) * OPENMM_POLARIZABILITY
        force.addMultipole(
            float(p.charges[i]),
            [0.0] * 3,
            [0.0] * 9,
            openmm.AmoebaMultipoleForce.NoAxisType,
            -1,
            -1,
            -1,
            p.settings.thole,
            damping,
            alpha if polarizable else 0.0,
        )
    kinds = openmm.AmoebaMultipoleForce
    for i in range(p.n_atoms):
        near = {n: (steps[i] == n).nonzero().flatten().tolist() for n in range(5)}
        force.setCovalentMap(i, kinds.Covalent12, near[1])
        force.setCovalentMap(i, kinds.Covalent13, near[2] + near[3])
        force.setCovalentMap(i, kinds.Covalent15, near[4])
        group = near[0] + near[1] + near[2] + near[3]
        force.setCovalentMap(i, kinds.PolarizationCovalent11, group)
    return force


@pytest.fixture(params=SYSTEMS, scope="module")
def case(request):
    parameters, coordinates = cluster(*SYSTEMS[request.param])
    wiggle = 0.05 * torch.sin(11 * coordinates.roll(1, 0))
    return parameters, coordinates + wiggle


def compare(ours, forces, theirs):
    assert ours.item() * OPENMM_ENERGY == pytest.approx(theirs[0], abs=1e-4)
    np.testing.assert_allclose(forces.detach() * OPENMM_FORCE, theirs[1], rtol=0, atol=1e-3)


def term(parameters, coordinates, name):
    x = coordinates.clone().requires_grad_(True)
    value = getattr(energy(parameters, x), name)
    return value, -torch.autograd.grad(value.sum(), x)[0]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("bonds", bond_force),
        ("angles", angle_force),
        ("propers", proper_force),
        ("impropers", improper_force),
    ],
)
def test_bonded(case, name, make):
    parameters, coordinates = case
    theirs = evaluate(parameters.n_atoms, make(parameters), coordinates)
    compare(*term(parameters, coordinates, name), theirs)


@pytest.mark.parametrize("name", PAIR_EXPRESSIONS)
@pytest.mark.parametrize(
    "constants", [NonbondedSettings(), PUBLISHED_SETTINGS, NonbondedSettings(**C8)]
)
def test_pairs(case, name, constants):
    parameters, coordinates = case
    parameters = replace(parameters, settings=constants)
    theirs = evaluate(parameters.n_atoms, pair_force(parameters, name), coordinates)
    compare(*term(parameters, coordinates, name), theirs)


def test_induction(case):
    parameters, coordinates = case
    on, off = (
        evaluate(parameters.n_atoms, multipole_force(parameters, polarizable=flag), coordinates)
        for flag in (True, False)
    )
    theirs = on[0] - off[0], on[1] - off[1]
    ours = term(parameters, coordinates, "induction")
    assert ours[0].item() < -0.1
    compare(*ours, theirs)


def test_induced_dipoles(case):
    parameters, coordinates = case
    force = multipole_force(parameters, polarizable=True)
    system = openmm.System()
    for _ in range(parameters.n_atoms):
        system.addParticle(1.0)
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(coordinates.numpy() * NM_PER_ANGSTROM)
    theirs = np.array([list(dipole) for dipole in force.getInducedDipoles(context)])
    ours = induced_dipoles(parameters, coordinates) * NM_PER_ANGSTROM
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)


def test_total(case):
    parameters, coordinates = case
    makers = (bond_force, angle_force, proper_force, improper_force)
    forces = [make(parameters) for make in makers]
    forces += [pair_force(parameters, name) for name in PAIR_EXPRESSIONS]
    parts = [evaluate(parameters.n_atoms, force, coordinates) for force in forces]
    on, off = (
        evaluate(parameters.n_atoms, multipole_force(parameters, polarizable=flag), coordinates)
        for flag in (True, False)
    )
    total = sum(value for value, _ in parts) + on[0] - off[0]
    gradient = sum(force for _, force in parts) + on[1] - off[1]
    components, ours = energy_and_forces(parameters, coordinates)
    compare(components.total, ours, (total, gradient))
