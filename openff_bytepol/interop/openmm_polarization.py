"""The package's own kernel for charges and induced dipoles inside OpenMM.

On processors, ``AmoebaMultipoleForce`` runs single-threaded reference code. There it can be
replaced by an ``openmm.PythonForce`` that calls `polarization.PolarizationKernel`: the same energy,
scale factors included, tens of times faster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
from openmm import AmoebaMultipoleForce, unit

from openff_bytepol.exceptions import BytePolError, ForceFieldError
from openff_bytepol.interop.openmm_multipoles import (
    MULTIPOLES,
    PERMANENT_15,
    induction_scale,
    multipole_parts,
    permanent_14,
)
from openff_bytepol.units import OPENMM_ENERGY, OPENMM_FORCE, OPENMM_LENGTH, OPENMM_POLARIZABILITY

if TYPE_CHECKING:
    from openff_bytepol.polarization import (
        KernelOptions,
        PolarizationKernel,
        PolarizationResult,
        Sites,
    )

_recorded: ContextVar[list[PolarizationResult] | None] = ContextVar("recorded", default=None)

_failure: ContextVar[BytePolError | None] = ContextVar("failure", default=None)

_trials: ContextVar[list[float] | None] = ContextVar("trials", default=None)

_REFUSED = 1e6
"""kJ/mol above the start of a minimisation; the energy of a trial step that has none."""


@contextmanager
def typed_errors(save: Callable[[], None]) -> Iterator[None]:
    """Raise the kernel's own errors instead of the text that OpenMM makes of them.

    Parameters
    ----------
    save
        Called before an error is raised, to keep what can be kept.
    """
    token = _failure.set(None)
    try:
        yield
    except openmm.OpenMMException as error:
        cause = _failure.get()
        if cause is None:
            raise
        save()
        raise cause from error
    finally:
        _failure.reset(token)


@contextmanager
def trial_steps() -> Iterator[None]:
    """Give trial steps of a minimiser that have no energy a very high one.

    The first step along a large force may put atoms on top of one another; the line search then
    turns back. Where the start itself has no energy, the kernel's error is raised.
    """
    token = _trials.set([])
    try:
        yield
    finally:
        _trials.reset(token)


class PolarizationComputation:
    """Function of a ``PythonForce``: energy and forces of a state.

    It can be pickled, and a system that holds it can be written as XML; reading that needs this
    package. Results of the last positions are kept, since OpenMM asks for them again when it
    reports.

    Parameters
    ----------
    sites
        Charges and polarizabilities.
    options
        Of the kernel.
    periodic
        Use the box of the state.
    """

    def __init__(self, sites: Sites, options: KernelOptions, *, periodic: bool) -> None:
        self.sites, self.options, self.periodic = sites, options, periodic
        self._kernel: PolarizationKernel | None = None
        self._lock = threading.Lock()
        self._last: tuple[Any, Any, PolarizationResult] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.sites, self.options, self.periodic)

    def __call__(self, state: openmm.State) -> tuple[float, Any]:
        """Energy (kJ/mol) and forces (kJ/mol/nm) of a state."""
        positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        positions = positions / OPENMM_LENGTH
        box = None
        trials = _trials.get()
        if self.periodic:
            vectors = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
            box = vectors / OPENMM_LENGTH
        try:
            with self._lock:
                result = self._evaluate(positions, box)
        except BytePolError as error:
            if trials:
                return trials[0] + _REFUSED, np.zeros_like(positions)
            _failure.set(error)
            raise
        if trials is not None:
            trials.append(OPENMM_ENERGY * result.energy)
        recorded = _recorded.get()
        if recorded is not None:
            recorded.append(result)
        return OPENMM_ENERGY * result.energy, OPENMM_FORCE * result.forces

    def _evaluate(self, positions: Any, box: Any) -> PolarizationResult:
        if self._last is not None:
            before, box_before, result = self._last
            if np.array_equal(before, positions) and (
                box is None or np.array_equal(box_before, box)
            ):
                return result
        if self._kernel is None:
            from openff_bytepol.polarization import PolarizationKernel

            self._kernel = PolarizationKernel(self.sites, self.options)
        result = self._kernel.compute(positions, box)
        self._last = positions, box, result
        return result


def _restore(sites: Sites, options: KernelOptions, periodic: bool) -> PolarizationComputation:
    return PolarizationComputation(sites, options, periodic=periodic)


@contextmanager
def recorded_results() -> Iterator[list[PolarizationResult]]:
    """Collect what the kernel computes inside the block, in this thread."""
    results: list[PolarizationResult] = []
    token = _recorded.set(results)
    try:
        yield results
    finally:
        _recorded.reset(token)


def is_kernel(force: openmm.Force) -> bool:
    """Whether a force is the package's own kernel, put in by `use_polarization_kernel`."""
    return force.getName() == MULTIPOLES and type(force).__name__ == "PythonForce"


def use_polarization_kernel(system: openmm.System, **options: Any) -> bool:
    """Replace the multipole force of a system by the package's own kernel, in place.

    Parameters
    ----------
    system
        Made by `create_system`, or from an Interchange.
    options
        Fields of `polarization.KernelOptions`; tolerances are those of the force by default.

    Returns
    -------
    bool
        Whether there was a force to replace.

    Raises
    ------
    ForceFieldError
        If the force is not one that `multipole_force` makes.
    """
    for index, force in enumerate(system.getForces()):
        if force.getName() == MULTIPOLES and not is_kernel(force):
            replacement = polarization_force(force, **options)
            system.removeForce(index)
            system.addForce(replacement)
            return True
    return False


def polarization_force(force: openmm.Force, **options: Any) -> openmm.PythonForce:
    """The kernel in place of a multipole force.

    Parameters
    ----------
    force
        Made by `multipole_force`.
    options
        Fields of `polarization.KernelOptions`; tolerances are those of the force by default.

    Raises
    ------
    ForceFieldError
        If the force is not one that `multipole_force` makes.
    """
    sites, settings, periodic = sites_of(force), kernel_options(force, **options), _in_box(force)
    computation = PolarizationComputation(sites, settings, periodic=periodic)
    replacement = openmm.PythonForce(computation)
    replacement.setUsesPeriodicBoundaryConditions(periodic)
    replacement.setForceGroup(force.getForceGroup())
    replacement.setName(MULTIPOLES)
    return replacement


def kernel_options(force: openmm.Force, **options: Any) -> KernelOptions:
    """Options of the kernel with the tolerances of a multipole force.

    Parameters
    ----------
    force
        Made by `multipole_force`.
    options
        Fields of `polarization.KernelOptions` with other values.
    """
    from openff_bytepol.polarization import KernelOptions

    first = multipole_parts(force)[0]
    settings = {
        "ewald_tolerance": first.getEwaldErrorTolerance(),
        "tolerance": first.getMutualInducedTargetEpsilon(),
        **options,
    }
    if _in_box(force):
        longest = first.getCutoffDistance().value_in_unit(unit.nanometer) / OPENMM_LENGTH
        settings.setdefault("cutoff", min(longest, KernelOptions().cutoff))
    return KernelOptions(**settings)


def _in_box(force: openmm.Force) -> bool:
    return bool(multipole_parts(force)[0].getNonbondedMethod() == AmoebaMultipoleForce.PME)


def sites_of(force: openmm.Force) -> Sites:
    """Charges, polarizabilities and scale factors of a multipole force.

    Parameters
    ----------
    force
        Made by `multipole_force`.

    Raises
    ------
    ForceFieldError
        If the force is not one that `multipole_force` makes.
    """
    from openff_bytepol.polarization import Sites

    scale = induction_scale(force)
    first = multipole_parts(force)[0]
    n_atoms = first.getNumMultipoles()
    rows = np.empty((n_atoms, 4))
    pairs: dict[tuple[int, int], tuple[float, float]] = {}
    factors = {
        AmoebaMultipoleForce.Covalent12: (0.0, 0.0),
        AmoebaMultipoleForce.Covalent13: (0.0, 0.0),
        AmoebaMultipoleForce.Covalent14: (permanent_14(scale), scale),
        AmoebaMultipoleForce.Covalent15: (PERMANENT_15, 1.0),
    }
    for i in range(n_atoms):
        charge, _, _, _, _, _, _, thole, damping, alpha = (
            v._value if unit.is_quantity(v) else v for v in first.getMultipoleParameters(i)
        )
        rows[i] = charge, alpha / OPENMM_POLARIZABILITY, damping**6 / OPENMM_POLARIZABILITY, thole
        maps = first.getCovalentMaps(i)
        silent = set(maps[AmoebaMultipoleForce.PolarizationCovalent11])
        for kind, (on_charge, on_field) in factors.items():
            for j in maps[kind]:
                if j > i:
                    pairs[i, j] = on_charge, 0.0 if j in silent else on_field
    if len(np.unique(rows[:, 3])) > 1:
        raise ForceFieldError("atoms with different Thole constants cannot share the kernel")
    scales = np.array(list(pairs.values())).reshape(-1, 2)
    return Sites(
        charges=rows[:, 0].copy(),
        polarizabilities=rows[:, 1].copy(),
        dampings=rows[:, 2].copy(),
        thole=float(rows[0, 3]) if n_atoms else 0.39,
        near_pairs=np.array(list(pairs), dtype=np.int64).reshape(-1, 2),
        charge_scales=scales[:, 0].copy(),
        field_scales=scales[:, 1].copy(),
    )
