"""Energies of one system from several engines, in one schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TERMS: Final = (
    "bonds",
    "angles",
    "torsions",
    "lennard_jones_14",
    "coulomb_14",
    "lennard_jones",
    "coulomb",
    "dispersion_correction",
    "repulsion",
    "dispersion",
    "charge_transfer",
    "permanent",
    "induction",
)
"""Terms in the order they are shown.

Torsions are propers and impropers; lennard_jones and coulomb are all pairs but 1-4, with
the reciprocal space; dispersion_correction is the Lennard-Jones energy beyond the cutoff.
repulsion, dispersion, charge_transfer, permanent (charges) and induction (induced
dipoles) are those of the polarizable force field.
"""


@dataclass(frozen=True)
class EnergyReport:
    """Potential energy of one system, term by term.

    Attributes
    ----------
    engine
        Name, version and precision.
    terms
        kJ/mol, by names of `TERMS`; terms an engine or force field lacks are absent.
    """

    engine: str
    terms: Mapping[str, float]

    @property
    def total(self) -> float:
        """Sum of all terms, kJ/mol."""
        return sum(self.terms.values())

    def differences(self, other: EnergyReport) -> dict[str, float]:
        """Energies of this report less those of the other, kJ/mol; absent terms count as zero."""
        return {
            name: self.terms.get(name, 0.0) - other.terms.get(name, 0.0)
            for name in TERMS
            if name in self.terms or name in other.terms
        }


def collect_terms(names: Mapping[str, str], found: Mapping[str, float]) -> dict[str, float]:
    """Sum an engine's energies into our terms; ``names`` maps theirs to ours."""
    terms: dict[str, float] = {}
    for theirs, ours in names.items():
        if theirs in found:
            terms[ours] = terms.get(ours, 0.0) + found[theirs]
    return terms
