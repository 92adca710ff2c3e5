"""Errors of a model on dimers, torsions, dipoles and polarizabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.exceptions import ChemistryError
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.potentials import (
    Pairs,
    dipole_moments,
    energy,
    interaction_components,
    molecular_polarizabilities,
)
from openff_bytepol.training.moments import MolecularResponse
from openff_bytepol.training.references import TorsionScan
from openff_bytepol.units import BOHR_IN_ANGSTROM, DEBYE_IN_E_ANGSTROM

FloatArray = NDArray[np.float64]

COMPONENTS: Final = {
    "elst+exch": ("elst", "exch"),
    "elst": ("elst",),
    "exch": ("exch",),
    "ind": ("ind",),
    "disp": ("disp",),
    "total": ("total",),
}
"""Compared component → SAPT components it sums."""

_BATCH: Final = 256


@dataclass(frozen=True)
class DimerErrors:
    """Predicted and reference energies of dimers, kcal/mol."""

    rows: list[dict[str, Any]]
    predicted: dict[str, FloatArray]
    reference: dict[str, FloatArray]
    refused: dict[str, str]
    """Molecules the model does not cover, with the reason."""
    parameters: dict[str, ParameterSet]
    """Of every covered molecule, by mapped SMILES."""

    def mean_absolute(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Mean absolute error of each component, over some dimers or all.

        Dimers without a reference for a component do not count; NaN where none has one.
        """
        return self._summary(chosen, np.abs, lambda mean: mean)

    def mean_signed(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Mean of prediction minus reference, like `mean_absolute`."""
        return self._summary(chosen, lambda errors: errors, lambda mean: mean)

    def root_mean_square(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Root mean square error, like `mean_absolute`."""
        return self._summary(chosen, np.square, np.sqrt)

    def by(
        self,
        key: Callable[[dict[str, Any]], str],
        statistic: Callable[..., dict[str, float]] | None = None,
    ) -> dict[str, dict[str, float]]:
        """A statistic of groups of dimers, `mean_absolute` by default, with their number ``n``."""
        summarize = statistic or self.mean_absolute
        groups = np.array([key(row) for row in self.rows])
        return {
            str(group): summarize(groups == group) | {"n": int((groups == group).sum())}
            for group in sorted(set(groups))
        }

    def _summary(
        self,
        chosen: NDArray[np.bool_] | None,
        before: Callable[[FloatArray], FloatArray],
        after: Callable[[float], float],
    ) -> dict[str, float]:
        mask = np.ones(len(self.rows), dtype=bool) if chosen is None else chosen
        return {
            name: float(after(_mean_known(before((self.predicted[name] - reference)[mask]))))
            for name, reference in self.reference.items()
        }


def _mean_known(errors: FloatArray) -> float:
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if known.size else float("nan")


def predict_molecules(
    model: Model, smiles: Iterable[str]
) -> tuple[dict[str, ParameterSet], dict[str, str]]:
    """Parameters by mapped SMILES, and what the model refuses with the reason."""
    accepted, refused = [], {}
    for one in dict.fromkeys(smiles):
        try:
            model.build_graph(one)
        except ChemistryError as error:
            refused[one] = str(error)
        else:
            accepted.append(one)
    return dict(zip(accepted, model.predict(accepted), strict=True)), refused


def evaluate_dimers(model: Model, rows: Sequence[dict[str, Any]]) -> DimerErrors:
    """Interaction energies by component against rows of the dimer schema.

    Electrostatics and exchange are compared to ELEC and PAULI, induction to POL + CT,
    dispersion to DISP.
    """
    parameters, refused = predict_molecules(model, (r[f"smiles_{s}"] for r in rows for s in "ab"))
    kept = [r for r in rows if r["smiles_a"] in parameters and r["smiles_b"] in parameters]
    pieces: dict[str, list[FloatArray]] = {name: [] for name in COMPONENTS}
    for start in range(0, len(kept), _BATCH):
        chunk = kept[start : start + _BATCH]
        energies = interaction_components(*_place(chunk, parameters))
        values = {
            "elst": energies.elec,
            "exch": energies.pauli,
            "ind": energies.pol + energies.ct,
            "disp": energies.disp,
            "total": energies.total,
        }
        values["elst+exch"] = energies.elec + energies.pauli
        for name, value in values.items():
            pieces[name].append(value.numpy())
    reference = {
        name: np.array([sum(row[part] for part in parts) for row in kept])
        for name, parts in COMPONENTS.items()
    }
    predicted = {name: np.concatenate(values or [np.empty(0)]) for name, values in pieces.items()}
    return DimerErrors(kept, predicted, reference, refused, parameters)


def _place(
    rows: Sequence[dict[str, Any]], parameters: dict[str, ParameterSet]
) -> tuple[ParameterSet, torch.Tensor, torch.Tensor]:
    molecules = [parameters[row[f"smiles_{side}"]] for row in rows for side in "ab"]
    sizes = torch.tensor([m.n_atoms for m in molecules]).reshape(-1, 2).sum(1)
    coordinates = [torch.tensor(row["coordinates"]).double().reshape(-1, 3) for row in rows]
    return (
        ParameterSet.concatenate(molecules),
        torch.cat(coordinates),
        torch.repeat_interleave(torch.arange(len(rows)), sizes),
    )


class TorsionProfile(NamedTuple):
    """Energies along one torsion, kcal/mol, each with its own zero."""

    smiles: str
    charge: int
    angles: FloatArray
    """degrees"""
    reference: FloatArray
    predicted: FloatArray

    @property
    def rmse(self) -> float:
        """Root mean square error, kcal/mol, means removed."""
        return float(np.std(self.predicted - self.reference))


def torsion_profiles(model: Model, scans: Sequence[TorsionScan]) -> list[TorsionProfile]:
    """Profiles of the scans whose molecules the model covers."""
    parameters, _ = predict_molecules(model, (scan.mapped_smiles for scan in scans))
    return [
        TorsionProfile(
            scan.mapped_smiles,
            scan.charge,
            scan.angles,
            scan.energies["reference"],
            _energies(parameters[scan.mapped_smiles], scan),
        )
        for scan in scans
        if scan.mapped_smiles in parameters
    ]


def _energies(parameters: ParameterSet, scan: TorsionScan) -> FloatArray:
    total: FloatArray = energy(parameters, torch.from_numpy(scan.coordinates)).total.numpy()
    return total[..., 0]


def evaluate_torsions(model: Model, scans: Sequence[TorsionScan]) -> list[dict[str, Any]]:
    """RMSE of relative energies along torsions, kcal/mol, each scan's mean removed.

    Returns
    -------
    list of dict
        ``smiles``, ``charge``, ``bytepol``, and one value per other method of the scan, or
        ``refused`` with the reason.
    """
    parameters, refused = predict_molecules(model, (scan.mapped_smiles for scan in scans))
    results = []
    for scan in scans:
        row: dict[str, Any] = {"smiles": scan.mapped_smiles, "charge": scan.charge}
        if scan.mapped_smiles in refused:
            results.append(row | {"refused": refused[scan.mapped_smiles]})
            continue
        predicted = _energies(parameters[scan.mapped_smiles], scan)
        energies = scan.energies | {"bytepol": predicted}
        reference = energies.pop("reference")
        results.append(row | {m: float(np.std(e - reference)) for m, e in energies.items()})
    return results


def evaluate_response(
    model: Model, molecules: Sequence[MolecularResponse]
) -> list[dict[str, float | str]]:
    """Dipole moments (D) and mean polarizabilities (Å³), predicted and reference.

    Axes without reference are left out of both norms and means.
    """
    parameters, _ = predict_molecules(model, (m.mapped_smiles for m in molecules))
    results = []
    for molecule in molecules:
        if molecule.mapped_smiles not in parameters:
            continue
        values = parameters[molecule.mapped_smiles]
        xyz = torch.from_numpy(molecule.coordinates)
        pairs = Pairs.from_parameters(values)
        row: dict[str, float | str] = {"name": molecule.name}
        if molecule.dipole:
            moment = dipole_moments(values, xyz, pairs=pairs)[0]
            axes = list(molecule.dipole)
            predicted = float(moment[axes].norm()) / DEBYE_IN_E_ANGSTROM
            reference = np.linalg.norm(list(molecule.dipole.values())) * BOHR_IN_ANGSTROM
            row |= {"dipole": predicted, "dipole_ref": float(reference / DEBYE_IN_E_ANGSTROM)}
        if molecule.polarizability:
            tensor = molecular_polarizabilities(values, xyz, pairs=pairs)[0]
            axes = list(molecule.polarizability)
            mean = float(tensor.diagonal()[axes].mean())
            reference = np.mean(list(molecule.polarizability.values())) * BOHR_IN_ANGSTROM**3
            row |= {"polarizability": mean, "polarizability_ref": float(reference)}
        results.append(row)
    return results
