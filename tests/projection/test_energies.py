"""Fixed-charge energies against OpenMM, finite differences and limits."""

from __future__ import annotations

import numpy as np
import openmm
import pytest
import torch

from openff_bytepol.exceptions import ParameterError
from openff_bytepol.projection import (
    FixedChargeParameters,
    energy_fixed_charge,
    project_fixed_charge,
)
from openff_bytepol.units import KJ_PER_KCAL, NM_PER_ANGSTROM
from tests.projection.molecules import predicted


def openmm_nonbonded(fixed: FixedChargeParameters, xyz: np.ndarray) -> float:
    """Energy of a NonbondedForce with 1-4 exceptions, kcal/mol."""
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    for q, sigma, epsilon in zip(
        fixed.charges.tolist(), fixed.sigmas.tolist(), fixed.epsilons.tolist(), strict=True
    ):
        system.addParticle(1.0)
        force.addParticle(q, sigma * NM_PER_ANGSTROM, epsilon * KJ_PER_KCAL)
    force.createExceptionsFromBonds(fixed.bonds.tolist(), fixed.charge_14, fixed.vdw_14)
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(xyz * NM_PER_ANGSTROM)
    state = context.getState(getEnergy=True)
    return state.getPotentialEnergy().value_in_unit(openmm.unit.kilocalorie_per_mole)


def test_nonbonded_energy_is_openmms():
    generator = np.random.default_rng(3)
    parts = [project_fixed_charge(*predicted(s)) for s in ("CCCO", "O", "[Li+]")]
    fixed = FixedChargeParameters.concatenate(parts)
    xyz = generator.normal(size=(fixed.n_atoms, 3)) * 3.0
    e = energy_fixed_charge(fixed, torch.from_numpy(xyz))
    own = float(e.lennard_jones + e.electrostatics)
    # OpenMM's Coulomb constant differs by 4e-6.
    assert own == pytest.approx(openmm_nonbonded(fixed, xyz), rel=1e-5)


def test_bonded_energy_is_that_of_the_source():
    from openff_bytepol.potentials import energy

    parameters, mol = predicted("CC(=O)C")
    fixed = project_fixed_charge(parameters, mol, torsions="copy")
    xyz = torch.randn(3, fixed.n_atoms, 3, dtype=torch.float64) * 2.0
    own, source = energy_fixed_charge(fixed, xyz), energy(parameters.to(dtype=torch.float64), xyz)
    for name in ("bonds", "angles", "propers", "impropers"):
        assert torch.allclose(getattr(own, name), getattr(source, name)[:, 0])


def test_conformers_and_total():
    fixed = project_fixed_charge(*predicted("CCO"))
    xyz = torch.randn(4, fixed.n_atoms, 3, dtype=torch.float64) * 2.0
    batch = energy_fixed_charge(fixed, xyz)
    assert batch.total.shape == (4,)
    assert torch.allclose(batch.total[2], energy_fixed_charge(fixed, xyz[2]).total)
    assert torch.allclose(batch.total, sum(batch.as_dict().values()))


def test_gradients():
    fixed = project_fixed_charge(*predicted("CO"))
    xyz = (torch.randn(fixed.n_atoms, 3, dtype=torch.float64) * 2.0).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: energy_fixed_charge(fixed, x).total, (xyz,))


def test_lone_atom_has_no_energy():
    fixed = project_fixed_charge(*predicted("[Li+]"))
    assert float(energy_fixed_charge(fixed, torch.zeros(1, 3, dtype=torch.float64)).total) == 0.0


def test_wrong_shapes_and_types_are_refused():
    fixed = project_fixed_charge(*predicted("O"))
    with pytest.raises(ParameterError, match="shape"):
        energy_fixed_charge(fixed, torch.zeros(4, 3, dtype=torch.float64))
    with pytest.raises(ParameterError, match="float32"):
        energy_fixed_charge(fixed, torch.zeros(3, 3))
    with pytest.raises(ParameterError, match="nothing"):
        FixedChargeParameters.concatenate([])


def test_float32_copy():
    fixed = project_fixed_charge(*predicted("O")).to(dtype=torch.float32)
    assert fixed.charges.dtype == torch.float32
    assert fixed.bonds.dtype == torch.int64
