"""Any molecule object → one RDKit molecule in one chosen form, checked.

Kekulé structures, aromaticity models and charge-separated or hypervalent drawings of the
same molecule come out equal: aromaticity is always RDKit's own model, and the groups in
`_NORMALIZATIONS` are written in one way.
"""

from __future__ import annotations

from typing import Any, Final

from rdkit import Chem, rdBase

from openff_bytepol.exceptions import (
    ChemistryError,
    DisconnectedMoleculeError,
    MissingHydrogensError,
    RadicalError,
    UnsupportedElementError,
    UnsupportedValenceError,
)
from openff_bytepol.graph.graph import MAX_CONNECTIVITY, MAX_FORMAL_CHARGE

_KEKULE: Final = {
    1: Chem.BondType.SINGLE,
    2: Chem.BondType.DOUBLE,
    3: Chem.BondType.TRIPLE,
}
ORDER_CLASSES: Final = {
    Chem.BondType.SINGLE: 0,
    Chem.BondType.DOUBLE: 1,
    Chem.BondType.TRIPLE: 2,
    Chem.BondType.AROMATIC: 3,
}
"""RDKit bond type → position in `graph.BOND_ORDERS`."""

_HALOGENS: Final = frozenset((17, 35, 53))
_SANITIZE: Final = (
    Chem.SANITIZE_CLEANUP
    | Chem.SANITIZE_PROPERTIES
    | Chem.SANITIZE_SYMMRINGS
    | Chem.SANITIZE_KEKULIZE
    | Chem.SANITIZE_FINDRADICALS
    | Chem.SANITIZE_SETAROMATICITY
)

_NORMALIZATIONS: Final = tuple(
    (Chem.MolFromSmarts(smarts), charges, orders)
    for smarts, charges, orders in (
        # sulfoxide, S=O → S+–O-
        ("[!O][S+0;D3](=O)[!O]", {1: 1, 2: -1}, {(1, 2): 1}),
        # deprotonated sulfonamide, N=S–O- → N-–S=O
        ("N=[SX4]([O-])=O", {0: -1, 2: 0}, {(0, 1): 1, (1, 2): 2}),
        # N-oxide drawn with a doubly charged nitrogen
        ("[C,N;-;D2,D3]-[N+2;D3]-[O-;D1]", {0: 0, 1: 1}, {(0, 1): 2}),
        # azide, N-–N+#N → N=N+=N-
        ("*[N-][N+]#N", {1: 0, 3: -1}, {(1, 2): 2, (2, 3): 2}),
    )
)
"""Pattern, new formal charges and new bond orders by position in the pattern.

Groups and their chosen forms are those of the ChEMBL structure pipeline
(https://doi.org/10.1186/s13321-020-00456-1) as ByteFF-Pol applies them.
"""


def standard_molecule(molecule: Any, elements: frozenset[int]) -> Chem.Mol:
    """Convert, check and normalize a molecule.

    Parameters
    ----------
    molecule
        SMILES (hydrogens are added; atom order as written, then hydrogens; if every
        atom carries a map number, the order of those numbers), RDKit ``Mol`` with
        explicit hydrogens, or OpenFF ``Molecule``.
    elements
        Supported atomic numbers.

    Returns
    -------
    Chem.Mol
        Sanitized, explicit hydrogens, RDKit aromaticity, atoms in the given order.

    Raises
    ------
    ChemistryError
        Or one of its subclasses, if the model cannot describe the molecule.
    """
    with rdBase.BlockLogs():
        mol = _to_rdkit(molecule)
        _check_before_sanitization(mol, elements)
        _sanitize(mol)
        if _normalize(mol):
            _sanitize(mol)
        _check_after_sanitization(mol)
    return mol


def _to_rdkit(molecule: Any) -> Chem.RWMol:
    if isinstance(molecule, str):
        return _from_smiles(molecule)
    if isinstance(molecule, Chem.Mol):
        return _from_rdkit(molecule)
    if hasattr(molecule, "atoms") and hasattr(molecule, "bonds"):
        return _from_openff(molecule)
    raise ChemistryError(
        f"cannot read a molecule from {type(molecule).__name__}; "
        "give a SMILES, an OpenFF Molecule or an RDKit Mol"
    )


def _from_smiles(smiles: str) -> Chem.RWMol:
    parameters = Chem.SmilesParserParams()
    parameters.removeHs = False  # type: ignore[assignment]
    parameters.sanitize = False  # type: ignore[assignment]
    mol = Chem.MolFromSmiles(smiles, parameters)
    if mol is None or mol.GetNumAtoms() == 0:
        raise ChemistryError(f"'{smiles}' is not a valid SMILES; correct it")
    try:
        Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:
        raise UnsupportedValenceError(
            f"'{smiles}' is not a valid molecule: {error}; correct its bonds or charges"
        ) from error
    mol = Chem.AddHs(mol)
    numbers = [atom.GetAtomMapNum() for atom in atoms_of(mol)]
    if sorted(numbers) == list(range(1, len(numbers) + 1)):
        mol = Chem.RenumberAtoms(mol, sorted(range(len(numbers)), key=numbers.__getitem__))
    for atom in atoms_of(mol):
        atom.SetAtomMapNum(0)
    return Chem.RWMol(mol)


def _from_rdkit(molecule: Chem.Mol) -> Chem.RWMol:
    mol = Chem.RWMol(molecule)
    mol.RemoveAllConformers()
    mol.UpdatePropertyCache(strict=False)
    for atom in atoms_of(mol):
        atom.SetAtomMapNum(0)
        if atom.GetTotalNumHs() > 0:
            raise MissingHydrogensError(
                f"{_name(mol)} has implicit hydrogens; add them with Chem.AddHs"
            )
        atom.SetNoImplicit(True)
    return mol


def _from_openff(molecule: Any) -> Chem.RWMol:
    mol = Chem.RWMol()
    for atom in molecule.atoms:
        new = Chem.Atom(atom.atomic_number)
        new.SetFormalCharge(int(atom.formal_charge.m))
        new.SetNoImplicit(True)
        mol.AddAtom(new)
    for bond in molecule.bonds:
        order = _KEKULE.get(bond.bond_order)
        if order is None:
            raise UnsupportedValenceError(
                f"{_name(mol)} has a bond of order {bond.bond_order}; "
                "only single, double and triple bonds are supported"
            )
        mol.AddBond(bond.atom1_index, bond.atom2_index, order)
    return mol


def atoms_of(mol: Chem.Mol) -> list[Chem.Atom]:
    """Atoms as a list, which is much faster to make than iterating over ``GetAtoms``."""
    return [mol.GetAtomWithIdx(i) for i in range(mol.GetNumAtoms())]


def _check_before_sanitization(mol: Chem.RWMol, elements: frozenset[int]) -> None:
    for bond in (mol.GetBondWithIdx(i) for i in range(mol.GetNumBonds())):
        if bond.GetBondType() not in ORDER_CLASSES:
            raise UnsupportedValenceError(
                f"{_name(mol)} has a bond of type {bond.GetBondType().name.lower()}; "
                "only single, double, triple and aromatic bonds are supported"
            )
    for atom in atoms_of(mol):
        if atom.GetAtomicNum() not in elements:
            supported = ", ".join(
                Chem.GetPeriodicTable().GetElementSymbol(number) for number in sorted(elements)
            )
            raise UnsupportedElementError(
                f"{_name(mol)} contains {atom.GetSymbol()} (atom {atom.GetIdx()}); "
                f"this model supports {supported}: use another model for this molecule"
            )
        if atom.GetDegree() > MAX_CONNECTIVITY:
            raise UnsupportedValenceError(
                f"{_name(mol)}: atom {atom.GetIdx()} ({atom.GetSymbol()}) has "
                f"{atom.GetDegree()} bonds; at most {MAX_CONNECTIVITY} are supported"
            )
    if len(Chem.GetMolFrags(mol)) > 1:
        raise DisconnectedMoleculeError(
            f"{_name(mol)} holds several unconnected species; pass each as its own molecule"
        )


def _sanitize(mol: Chem.RWMol) -> None:
    try:
        Chem.SanitizeMol(mol, _SANITIZE)
    except Chem.MolSanitizeException as error:
        raise UnsupportedValenceError(
            f"{_name(mol)} is not a valid molecule: {error}; correct its bonds or charges"
        ) from error


def _normalize(mol: Chem.RWMol) -> bool:
    """Write groups with several usual drawings in one way; whether anything changed."""
    changed = False
    for pattern, charges, orders in _NORMALIZATIONS:
        while match := mol.GetSubstructMatch(pattern):
            for position, charge in charges.items():
                mol.GetAtomWithIdx(match[position]).SetFormalCharge(charge)
            for (i, j), order in orders.items():
                mol.GetBondBetweenAtoms(match[i], match[j]).SetBondType(_KEKULE[order])
            mol.UpdatePropertyCache(strict=False)
            changed = True
    return changed


def _check_after_sanitization(mol: Chem.RWMol) -> None:
    unpaired = 0
    for atom in atoms_of(mol):
        unpaired += atom.GetNumRadicalElectrons() + atom.GetTotalNumHs()
        charge = atom.GetFormalCharge()
        limit = MAX_FORMAL_CHARGE + (atom.GetAtomicNum() in _HALOGENS)
        if abs(charge) > limit:
            raise UnsupportedValenceError(
                f"{_name(mol)}: atom {atom.GetIdx()} ({atom.GetSymbol()}) has formal charge "
                f"{charge:+d}; at most ±{limit} is supported"
            )
    if unpaired > 2:
        raise MissingHydrogensError(
            f"{_name(mol)} lacks about {unpaired} hydrogens; add them, for example with "
            "Chem.AddHs or by reading a file that has them"
        )
    if unpaired:
        raise RadicalError(
            f"{_name(mol)} has {unpaired} unpaired electron(s); only closed-shell molecules "
            "are supported: check charges and hydrogens"
        )


def _name(mol: Chem.Mol) -> str:
    return f"molecule '{Chem.MolToSmiles(Chem.RemoveAllHs(mol, sanitize=False))}'"
