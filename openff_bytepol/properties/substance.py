"""What is simulated: components by mole fraction, and salts by molality."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from openff_bytepol.exceptions import ChemistryError, CompositionError
from openff_bytepol.properties.composition import (
    check_neutral,
    counts_by_fraction,
    formula_units_by_molality,
)

if TYPE_CHECKING:
    from openff.toolkit import Molecule

_AMOUNT: Final = re.compile(r"^(?P<number>\d*\.?\d+(?:[eE][+-]?\d+)?)(?P<unit>|m|x)$")


class Component(BaseModel):
    """A kind of molecule, or a salt, and how much of it.

    Attributes
    ----------
    smiles
        Ions of a salt are separated by dots: ``[Na+].[Cl-]``.
    amount
        Mole fraction, or mol of salt per kg of everything given by mole fraction.
    molal
        Whether the amount is a molality.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    smiles: str
    amount: Annotated[float, Field(gt=0.0)] = 1.0
    molal: bool = False

    @classmethod
    def parse(cls, text: str) -> Component:
        """Read ``SMILES``, ``SMILES:0.2`` (mole fraction) or ``SMILES:1.0m`` (mol/kg).

        Raises
        ------
        CompositionError
            If the amount is zero.
        """
        smiles, colon, amount = text.strip().rpartition(":")
        match = _AMOUNT.match(amount) if colon else None
        if match is None:
            return cls(smiles=text.strip())
        if float(match["number"]) == 0.0:
            raise CompositionError(f"{text}: an amount of zero; leave the component out")
        return cls(smiles=smiles, amount=float(match["number"]), molal=match["unit"] == "m")

    def __str__(self) -> str:
        return f"{self.smiles}:{self.amount:g}{'m' if self.molal else ''}"


class Substance(BaseModel):
    """A pure liquid, a mixture or an electrolyte.

    Attributes
    ----------
    components
        Mole fractions are of the components given by mole fraction, and are normalised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    components: Annotated[tuple[Component, ...], Field(min_length=1)]

    @classmethod
    def parse(cls, texts: str | Iterable[str] | Substance) -> Substance:
        """Read components, as `Component.parse`.

        ``"CCO"`` is ethanol; ``["O:0.8", "CCO:0.2"]`` a mixture;
        ``["O", "[Na+].[Cl-]:1.0m"]`` 1 mol of salt per kg of water.

        Raises
        ------
        CompositionError
            If there is no component, one comes twice, all are salts by molality, or mole
            fractions do not add up to 1.
        """
        if isinstance(texts, Substance):
            return texts
        parts = [texts] if isinstance(texts, str) else list(texts)
        components = [Component.parse(part) for part in parts if part.strip()]
        fractions = [c.amount for c in components if not c.molal]
        names = [c.smiles for c in components]
        if not fractions:
            raise CompositionError("there is no solvent; give at least one component by fraction")
        if len(set(names)) < len(names):
            raise CompositionError(f"a component comes twice in {', '.join(parts)}")
        if abs(sum(fractions) - 1.0) > 1e-3:
            raise CompositionError(
                f"mole fractions of {', '.join(parts)} add up to {sum(fractions):g}, not 1"
            )
        return cls(components=tuple(components))

    @property
    def is_pure(self) -> bool:
        """Whether it is one kind of neutral molecule."""
        return len(self.components) == 1 and "." not in self.components[0].smiles

    def species(self) -> list[str]:
        """SMILES of every kind of molecule and ion, in order, each once."""
        found = [part for c in self.components for part in c.smiles.split(".")]
        return list(dict.fromkeys(found))

    def molecules(self, n_molecules: int) -> tuple[list[Molecule], list[int]]:
        """Kinds of molecules and ions, and how many of each to simulate.

        Parameters
        ----------
        n_molecules
            Of everything given by mole fraction; a salt counts as one.

        Raises
        ------
        ChemistryError
            If a SMILES cannot be read.
        CompositionError
            If rounding to whole molecules changes an amount by more than a tenth, or the box
            has a charge.
        """
        molecules = {smiles: to_molecule(smiles) for smiles in self.species()}
        counts = dict.fromkeys(molecules, 0)
        solvents = [c for c in self.components if not c.molal]
        numbers = counts_by_fraction(
            [c.smiles for c in solvents], [c.amount for c in solvents], n_molecules
        )
        for component, number in zip(solvents, numbers, strict=True):
            for part in component.smiles.split("."):
                counts[part] += number
        mass = sum(
            counts[smiles] * sum(atom.mass.m_as("dalton") for atom in molecule.atoms)
            for smiles, molecule in molecules.items()
        )
        for salt in (c for c in self.components if c.molal):
            units = formula_units_by_molality(salt.smiles, salt.amount, mass)
            for part in salt.smiles.split("."):
                counts[part] += units
        names, chosen = list(molecules), list(molecules.values())
        charges = [float(m.total_charge.m_as("elementary_charge")) for m in chosen]
        check_neutral(names, list(counts.values()), charges)
        return chosen, list(counts.values())

    def __str__(self) -> str:
        if len(self.components) == 1:
            return self.components[0].smiles
        return " ".join(map(str, self.components))


def to_molecule(smiles: str) -> Molecule:
    """OpenFF molecule of a SMILES.

    Raises
    ------
    ChemistryError
        If it cannot be read.
    """
    from openff.toolkit import Molecule

    try:
        molecule = Molecule.from_smiles(smiles, allow_undefined_stereo=True)
    except Exception as error:
        raise ChemistryError(f"{smiles!r} is no SMILES that can be read: {error}") from error
    molecule.name = smiles
    return molecule
