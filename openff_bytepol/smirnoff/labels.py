"""Predicted parameters in the form in which the toolkit labels molecules.

``ForceField.label_molecules`` expects a parameter type per term. The SMIRKS of these
name the elements only; what identifies a parameter is its id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from openff.toolkit import Topology, unit
from openff.toolkit.topology import ImproperDict, ValenceDict
from openff.toolkit.typing.engines.smirnoff.parameters import (
    AngleHandler,
    BondHandler,
    ImproperTorsionHandler,
    LibraryChargeHandler,
    ParameterAttribute,
    ParameterHandler,
    ParameterType,
    ProperTorsionHandler,
    vdWHandler,
)

from openff_bytepol.smirnoff.handlers import BytePolHandler
from openff_bytepol.smirnoff.prediction import PredictedMolecule, predict_topology

if TYPE_CHECKING:
    from openff_bytepol.parameters import ParameterSet
    from openff_bytepol.projection import FixedChargeParameters

_ENERGY: Final = unit.kilocalorie_per_mole
_LENGTH: Final = unit.angstrom


class PolarizableAtomType(ParameterType):
    """Polarizable nonbonded parameters of an atom."""

    _ELEMENT_NAME = "Atom"

    charge = ParameterAttribute(unit=unit.elementary_charge)
    polarizability = ParameterAttribute(unit=_LENGTH**3)
    damping = ParameterAttribute(unit=_LENGTH**3)
    c6 = ParameterAttribute(unit=_ENERGY * _LENGTH**6)
    radius = ParameterAttribute(unit=_LENGTH)
    repulsion_epsilon = ParameterAttribute(unit=_ENERGY)
    repulsion_lambda = ParameterAttribute(converter=float)
    ct_epsilon = ParameterAttribute(unit=_ENERGY * _LENGTH**4)
    ct_lambda = ParameterAttribute(converter=float)


def _labels(
    handler: BytePolHandler,
    topology: Topology,
    make_types: Callable[[PredictedMolecule], list[tuple[tuple[int, ...], dict[str, Any]]]],
    parameter_type: type[ParameterType],
    dictionary: type[dict[Any, Any]] = ValenceDict,
) -> dict[Any, Any]:
    labels = dictionary()
    for predicted, start in predict_topology(handler.model, handler.sha256, topology):
        elements = predicted.parameters.atomic_numbers.tolist()
        for number, (atoms, values) in enumerate(make_types(predicted)):
            smirks = _smirks([elements[atom] for atom in atoms], parameter_type)
            made = parameter_type(smirks=smirks, id=f"{predicted.label}-{number}", **values)
            labels[tuple(start + atom for atom in atoms)] = ParameterHandler._Match(made, None)
    return labels


def _smirks(elements: Sequence[int], parameter_type: type[ParameterType]) -> str:
    atoms = [f"[#{element}:{tag}]" for tag, element in enumerate(elements, start=1)]
    if parameter_type is ImproperTorsionHandler.ImproperTorsionType:
        return f"{atoms[0]}~{atoms[1]}(~{atoms[2]})~{atoms[3]}"
    return "~".join(atoms)


def _bonds(predicted: PredictedMolecule) -> list[Any]:
    p = predicted.parameters
    return [
        (tuple(atoms), {"k": k * _ENERGY / _LENGTH**2, "length": r0 * _LENGTH})
        for atoms, k, r0 in _rows(p.bonds, p.bond_k, p.bond_r0)
    ]


def _angles(predicted: PredictedMolecule) -> list[Any]:
    p = predicted.parameters
    return [
        (tuple(atoms), {"k": k * _ENERGY / unit.radian**2, "angle": theta0 * unit.radian})
        for atoms, k, theta0 in _rows(p.angles, p.angle_k, p.angle_theta0)
    ]


def _torsion(barriers: Sequence[float], periodicities: Sequence[int]) -> dict[str, Any]:
    return {
        "k": [k * _ENERGY for k in barriers],
        "periodicity": list(periodicities),
        "phase": [(0.0 if n % 2 else 180.0) * unit.degree for n in periodicities],
        "idivf": [1.0] * len(barriers),
    }


def _propers(parameters: ParameterSet | FixedChargeParameters) -> list[Any]:
    from openff_bytepol.parameters import PROPER_PERIODICITIES

    return [
        (tuple(atoms), _torsion(barriers, PROPER_PERIODICITIES))
        for atoms, barriers in _rows(parameters.propers, parameters.proper_k)
    ]


def _impropers(predicted: PredictedMolecule) -> list[Any]:
    """The toolkit lists the central atom second, and all orders of the others as one."""
    p = predicted.parameters
    sums: dict[tuple[int, ...], float] = {}
    for (central, *outer), k in _rows(p.impropers, p.improper_k):
        first, *last = sorted(outer)
        key = (first, central, *last)
        sums[key] = sums.get(key, 0.0) + k
    return [(atoms, _torsion([k], [2])) for atoms, k in sums.items()]


def _lennard_jones(predicted: PredictedMolecule) -> list[Any]:
    fixed = predicted.fixed_charge
    return [
        ((atom,), {"sigma": sigma * _LENGTH, "epsilon": epsilon * _ENERGY})
        for atom, (sigma, epsilon) in enumerate(_rows(fixed.sigmas, fixed.epsilons))
    ]


def _charges(predicted: PredictedMolecule) -> list[Any]:
    charges = predicted.fixed_charge.charges.tolist()
    return [((i,), {"charge": [q * unit.elementary_charge]}) for i, q in enumerate(charges)]


def _polarizable(predicted: PredictedMolecule) -> list[Any]:
    from openff_bytepol.smirnoff.polarizable import ATOM_PARAMETERS

    columns = {
        name: (getattr(predicted.parameters, field).tolist(), own)
        for name, (field, own) in ATOM_PARAMETERS.items()
    }
    return [
        ((atom,), {name: values[atom] * own for name, (values, own) in columns.items()})
        for atom in range(predicted.parameters.n_atoms)
    ]


def _rows(*tensors: Any) -> Any:
    return zip(*(tensor.tolist() for tensor in tensors), strict=True)


LABELLERS: Final[dict[str, Callable[[Any, Topology], dict[Any, Any]]]] = {
    "BytePolBonds": lambda h, t: _labels(h, t, _bonds, BondHandler.BondType),
    "BytePolAngles": lambda h, t: _labels(h, t, _angles, AngleHandler.AngleType),
    "BytePolProperTorsions": lambda h, t: _labels(
        h, t, lambda p: _propers(p.fixed_charge), ProperTorsionHandler.ProperTorsionType
    ),
    "BytePolImproperTorsions": lambda h, t: _labels(
        h, t, _impropers, ImproperTorsionHandler.ImproperTorsionType, ImproperDict
    ),
    "BytePolvdW": lambda h, t: _labels(h, t, _lennard_jones, vdWHandler.vdWType),
    "BytePolElectrostatics": lambda h, t: _labels(
        h, t, _charges, LibraryChargeHandler.LibraryChargeType
    ),
    "BytePolNonbonded": lambda h, t: _labels(h, t, _polarizable, PolarizableAtomType),
    "BytePolPolarizableTorsions": lambda h, t: _labels(
        h, t, lambda p: _propers(p.parameters), ProperTorsionHandler.ProperTorsionType
    ),
}
"""Section → function of its handler and a topology that labels every term."""
