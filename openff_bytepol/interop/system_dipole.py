"""Dipole moment of a running polarizable simulation."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import AmoebaMultipoleForce, app, unit

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.interop.masses import particle_masses
from openff_bytepol.interop.openmm_multipoles import MULTIPOLES, induction_scale
from openff_bytepol.interop.openmm_polarization import is_kernel, recorded_results
from openff_bytepol.units import DEBYE_IN_E_ANGSTROM

_masses: Final[WeakKeyDictionary[openmm.Context, NDArray[np.float64]]] = WeakKeyDictionary()
"""Of the particles of contexts, dalton; read from OpenMM once."""


def system_dipole(simulation: app.Simulation | openmm.Context) -> NDArray[np.float64]:
    """Dipole moment of all charges and induced dipoles at the present positions.

    Works with ``AmoebaMultipoleForce`` on any platform and with the package's own kernel. Molecules
    must be whole, as they are in a context unless positions were wrapped atom by atom. The moment
    of a box with ions depends on the images of the ions.

    Parameters
    ----------
    simulation
        Or its context; made from a polarizable system.

    Returns
    -------
    numpy.ndarray
        e·Å; (3,). Relative to the centre of mass where the system has a charge.

    Raises
    ------
    ForceFieldError
        If the system is not polarizable.
    """
    context = simulation if isinstance(simulation, openmm.Context) else simulation.context
    system = context.getSystem()
    for force in system.getForces():
        if force.getName() == MULTIPOLES:
            if is_kernel(force):
                return _kernel_dipole(context, force)
            return _amoeba_dipole(context, force)
    raise ForceFieldError("the system is not polarizable: it has no force of induced dipoles")


def _kernel_dipole(context: openmm.Context, force: openmm.Force) -> NDArray[np.float64]:
    with recorded_results() as results:
        state = context.getState(energy=True, positions=True, groups={force.getForceGroup()})
    result = results[-1]
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    masses = _masses_of(context)
    centre = masses @ positions / masses.sum()
    moment: NDArray[np.float64] = result.charges @ (positions - centre) + result.dipoles.sum(0)
    return moment


def _masses_of(context: openmm.Context) -> NDArray[np.float64]:
    if context not in _masses:
        _masses[context] = particle_masses(context.getSystem())
    return _masses[context]


def _amoeba_dipole(context: openmm.Context, force: openmm.Force) -> NDArray[np.float64]:
    if isinstance(force, AmoebaMultipoleForce):
        return _moments(force, context)
    scale = induction_scale(force)
    # The context of the parts takes the positions over when the energy is computed.
    context.getState(energy=True, groups={force.getForceGroup()})
    inner = force.getInnerContext(context)
    copies = inner.getSystem().getForces()
    parts = {force.getCollectiveVariableName(i): copy for i, copy in enumerate(copies)}
    # Dipoles are linear in the field, so those of a scaled field lie between the limits.
    on, off = (_moments(parts[name], inner) for name in ("B11", "B00"))
    return scale * on + (1.0 - scale) * off


def _moments(force: AmoebaMultipoleForce, context: openmm.Context) -> NDArray[np.float64]:
    moments: Any = force.getSystemMultipoleMoments(context)
    return DEBYE_IN_E_ANGSTROM * np.array(moments[1:4], dtype=np.float64)
