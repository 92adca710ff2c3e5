"""Parameters of every molecule of a topology, from one network call.

Predictions are kept by model hash and ordered connection table, so that the sections of a
force field, later Interchanges and all copies of a molecule share one. A copy whose atoms
stand in another order has a connection table, and an entry, of its own.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from openff.toolkit import Molecule

from openff_bytepol.exceptions import ForceFieldError, HashMismatchError, OutOfDomainWarning

if TYPE_CHECKING:
    from openff.toolkit import Topology

    from openff_bytepol.nn.model import Model
    from openff_bytepol.parameters import ParameterSet
    from openff_bytepol.projection import FixedChargeParameters
    from openff_bytepol.uncertainty import Calibration, Verdict

MAX_CACHED: Final = 2000
"""Molecules kept, the latest used; about 0.1 MB each."""


@dataclass(frozen=True, eq=False)
class PredictedMolecule:
    """One molecule with its parameters, in its own atom order."""

    label: str
    """Formula and hash of the connection table; the same for every copy."""
    molecule: Molecule
    parameters: ParameterSet
    verdict: Verdict | None = None
    """Whether the model knows such molecules; None where it has no calibration."""

    @cached_property
    def fixed_charge(self) -> FixedChargeParameters:
        """Fixed-charge projection, made when first asked for."""
        from openff_bytepol.projection import project_fixed_charge

        return project_fixed_charge(self.parameters, self.molecule)


Placement = tuple[PredictedMolecule, int]
"""A molecule of a topology, and the index of its first atom."""

_cache: OrderedDict[tuple[str, str], PredictedMolecule] = OrderedDict()


def predict_topology(model: str, sha256: str, topology: Topology) -> list[Placement]:
    """Predict the molecules of a topology that are not known yet, in one batch.

    Parameters
    ----------
    model
        Name or path of the model.
    sha256
        Hash that its weights must have.
    topology
        Made of OpenFF molecules.

    Returns
    -------
    list of Placement
        One for every molecule of the topology, in order.

    Raises
    ------
    ModelError
        If the model is missing, corrupted or another one.
    ChemistryError
        If the model cannot describe a molecule.
    ForceFieldError
        If a molecule has no bond orders and formal charges.
    """
    from openff_bytepol.models import load_model

    loaded = load_model(model, expected_sha256=sha256)
    weights = loaded.sha256
    keys: list[tuple[str, str]] = []
    found: dict[tuple[str, str], PredictedMolecule] = {}
    unknown: dict[tuple[str, str], Molecule] = {}
    starts: list[int] = []
    start = 0
    for molecule in topology.molecules:
        if not isinstance(molecule, Molecule):
            raise ForceFieldError(
                f"molecule {len(keys)} of the topology is a {type(molecule).__name__} without bond "
                "orders and formal charges; build the topology from OpenFF Molecule objects"
            )
        key = (weights, molecule.ordered_connection_table_hash())
        if key in _cache:
            _cache.move_to_end(key)
            found[key] = _cache[key]
        else:
            unknown.setdefault(key, molecule)
        keys.append(key)
        starts.append(start)
        start += molecule.n_atoms
    found |= _predict(loaded, unknown, _calibration(model, weights) if unknown else None)
    return [(found[key], first) for key, first in zip(keys, starts, strict=True)]


def _calibration(model: str, sha256: str) -> Calibration | None:
    """The model's calibration; one of other weights is as good as none, and said."""
    from openff_bytepol.models.registry import find_model
    from openff_bytepol.uncertainty.calibration import read_calibration

    try:
        return read_calibration(find_model(model), sha256)
    except HashMismatchError as error:
        warnings.warn(str(error), OutOfDomainWarning, stacklevel=4)
        return None


def _predict(
    model: Model,
    molecules: dict[tuple[str, str], Molecule],
    calibration: Calibration | None,
) -> dict[tuple[str, str], PredictedMolecule]:
    from openff_bytepol.nn.postprocess import limit_angles
    from openff_bytepol.uncertainty.domain import judge_prediction

    if not molecules:
        return {}
    graphs = [model.build_graph(molecule) for molecule in molecules.values()]
    new = {
        key: PredictedMolecule(
            f"{molecule.hill_formula}-{key[1][:8]}",
            molecule,
            limit_angles(members.mean()),
            judge_prediction(calibration, graph, members) if calibration else None,
        )
        for (key, molecule), graph, members in zip(
            molecules.items(), graphs, model.predict_members(graphs), strict=True
        )
    }
    _cache.update(new)
    while len(_cache) > MAX_CACHED:
        _cache.popitem(last=False)
    return new
