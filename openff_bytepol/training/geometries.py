"""Bond lengths, angles and shapes of a model against those of AIMNet2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from openff_bytepol.exceptions import BytePolError, DataError, MissingDependencyError
from openff_bytepol.nn.model import Model
from openff_bytepol.training.evaluate import predict_molecules
from openff_bytepol.training.labels.geometries import align, hydrogenated
from openff_bytepol.training.labels.pool import pick_diverse, read_smiles
from openff_bytepol.training.minima import aimnet2_minimum, model_minimum

FloatArray = NDArray[np.float64]
Kind: TypeAlias = Literal["bonds", "angles"]
OnMolecule = Callable[[int, str], Any]
"""Called with the number of molecules done and the SMILES of the present one."""

UNITS: Final[dict[Kind, str]] = {"bonds": "Å", "angles": "degrees"}
STATISTICS: Final = ("mean_absolute_error", "mean_signed_error", "root_mean_square_error")

_ORDERS: Final = {
    Chem.BondType.SINGLE: "-",
    Chem.BondType.DOUBLE: "=",
    Chem.BondType.TRIPLE: "#",
    Chem.BondType.AROMATIC: ":",
}


class Term(NamedTuple):
    """A bond length (Å) or angle (degrees) at two minima."""

    smiles: str
    group: str
    """Elements and order of a bond, such as C-N, C=O, C:C; element at the centre of an angle."""
    atoms: tuple[int, ...]
    """From 0, in the order of the SMILES, hydrogens last."""
    reference: float
    predicted: float

    @property
    def error(self) -> float:
        """Prediction minus reference."""
        return self.predicted - self.reference


@dataclass(frozen=True)
class GeometryErrors:
    """Bond lengths, angles and shapes at the minima of a model and of AIMNet2."""

    terms: dict[Kind, list[Term]]
    rmsd: dict[str, float]
    """SMILES → root mean square distance of heavy atoms after superposition, Å."""
    left_out: dict[str, str]
    """Molecules that could not be compared, with the reason."""

    def summary(self, kind: Kind) -> dict[str, dict[str, float]]:
        """Statistics of each group, and of all.

        Returns
        -------
        dict
            Group → ``n``; ``mean_absolute_error``, ``mean_signed_error`` (prediction minus
            reference) and ``root_mean_square_error``, Å or degrees; NaN where there are none.
        """
        terms = self.terms[kind]
        errors = np.array([term.error for term in terms])
        names = np.array([term.group for term in terms])
        groups = {str(name): _statistics(errors[names == name]) for name in sorted(set(names))}
        return groups | {"all": _statistics(errors)}

    def worst(self, kind: Kind, count: int) -> list[Term]:
        """Terms with the largest errors, largest first."""
        return sorted(self.terms[kind], key=lambda term: -abs(term.error))[:count]

    @property
    def median_rmsd(self) -> float:
        """Median of `rmsd`, Å; NaN without molecules."""
        return float(np.median(list(self.rmsd.values()))) if self.rmsd else float("nan")


def _statistics(errors: FloatArray) -> dict[str, float]:
    if not errors.size:
        return {"n": 0, **dict.fromkeys(STATISTICS, float("nan"))}
    return {
        "n": len(errors),
        "mean_absolute_error": float(np.abs(errors).mean()),
        "mean_signed_error": float(errors.mean()),
        "root_mean_square_error": float(np.sqrt(np.square(errors).mean())),
    }


def choose_molecules(
    pool: Path, *, count: int, max_heavy_atoms: int, seed: int
) -> tuple[list[str], dict[str, str]]:
    """Diverse molecules of a pool, and SMILES that cannot be read, with the reason.

    Parameters
    ----------
    pool
        SMILES: a ``.smi`` file, or a CSV file with a ``smiles`` column.
    count
        Molecules; all if there are fewer.
    max_heavy_atoms
        Larger molecules are not chosen from.
    seed
        Of the choice.

    Raises
    ------
    DataError
        If the file cannot be read or holds no molecule of that size.
    """
    usable, unreadable = set(), {}
    with rdBase.BlockLogs():
        for smiles in read_smiles(pool):
            mol = Chem.MolFromSmiles(smiles)
            if mol is None or not mol.GetNumAtoms():
                unreadable[smiles] = "not a valid SMILES"
            elif mol.GetNumHeavyAtoms() <= max_heavy_atoms:
                usable.add(Chem.MolToSmiles(mol))
    if not usable:
        raise DataError(
            f"{pool}: no molecule of up to {max_heavy_atoms} heavy atoms; raise --max-heavy-atoms"
        )
    return pick_diverse(sorted(usable), count, seed), unreadable


def evaluate_geometries(
    model: Model,
    smiles: Sequence[str],
    *,
    seed: int = 1,
    deviation_limit: float = 4.0,
    on_molecule: OnMolecule = lambda *_: None,
) -> GeometryErrors:
    """Minimise molecules with AIMNet2, from there with the model, and compare.

    Parameters
    ----------
    model
        Ensembles are evaluated with their mean parameters.
    smiles
        Canonical.
    seed
        Of the conformers.
    deviation_limit
        Molecules about whose forces AIMNet2's networks disagree more are left out, kcal/mol/Å.
    on_molecule
        Told how far the work is.

    Raises
    ------
    MissingDependencyError
        If the weights of AIMNet2 are not installed.
    """
    terms: dict[Kind, list[Term]] = {"bonds": [], "angles": []}
    rmsd: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for done, one in enumerate(smiles):
        on_molecule(done, one)
        try:
            mol = hydrogenated(one)
            mapped = Chem.MolToSmiles(mol)
            parameters, refused = predict_molecules(model, [mapped])
            if refused:
                left_out[one] = refused[mapped]
                continue
            reference = aimnet2_minimum(mol, seed=seed, deviation_limit=deviation_limit)
            predicted = model_minimum(parameters[mapped], reference)
        except MissingDependencyError:
            raise
        except BytePolError as error:
            left_out[one] = str(error)
            continue
        for kind, term in compare(one, mol, reference, predicted):
            terms[kind].append(term)
        heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
        rmsd[one] = superposed_rmsd(reference[heavy], predicted[heavy]) if heavy else 0.0
    on_molecule(len(smiles), "")
    return GeometryErrors(terms, rmsd, left_out)


def compare(
    smiles: str, mol: Chem.Mol, reference: FloatArray, predicted: FloatArray
) -> Iterator[tuple[Kind, Term]]:
    """Every bond and angle of a molecule at two geometries, (n_atoms, 3), Å."""
    for bond in mol.GetBonds():
        ends = sorted((bond.GetBeginAtom(), bond.GetEndAtom()), key=_rank)
        group = _ORDERS.get(bond.GetBondType(), "~").join(atom.GetSymbol() for atom in ends)
        pair = tuple(atom.GetIdx() for atom in ends)
        yield "bonds", Term(smiles, group, pair, measure(reference, pair), measure(predicted, pair))
    for centre in mol.GetAtoms():
        for a, b in combinations(sorted(n.GetIdx() for n in centre.GetNeighbors()), 2):
            three = (a, centre.GetIdx(), b)
            values = measure(reference, three), measure(predicted, three)
            yield "angles", Term(smiles, centre.GetSymbol(), three, *values)


def _rank(atom: Chem.Atom) -> tuple[bool, bool, str]:
    """Carbon first, hydrogen last."""
    symbol = atom.GetSymbol()
    return symbol != "C", symbol == "H", symbol


def measure(xyz: FloatArray, atoms: Sequence[int]) -> float:
    """Distance of two atoms, in the unit of ``xyz``, or angle of three, degrees."""
    first = xyz[atoms[0]] - xyz[atoms[1]]
    if len(atoms) == 2:
        return float(np.linalg.norm(first))
    second = xyz[atoms[2]] - xyz[atoms[1]]
    across = np.linalg.norm(np.cross(first, second))
    return float(np.degrees(np.arctan2(across, first @ second)))


def superposed_rmsd(first: FloatArray, second: FloatArray) -> float:
    """Root mean square distance of atoms after the best translation and rotation."""
    _, deviation = align(first - first.mean(0), second - second.mean(0))
    return float(deviation / np.sqrt(len(first)))
