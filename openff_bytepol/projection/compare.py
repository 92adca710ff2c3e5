"""Report on what the projection to fixed charges changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openff_bytepol.exceptions import OutputExistsError, ParameterError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.projection.dimers import CONTACTS, DimerCurves, dimer_curves, make_monomer
from openff_bytepol.projection.profiles import PROFILE_ANGLES, TorsionProfile, torsion_profiles
from openff_bytepol.projection.project import project_fixed_charge

_SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class MoleculeComparison:
    """What one molecule loses in its projection.

    Attributes
    ----------
    name
        Of the molecule.
    profiles
        Torsion profiles with projections ``"refit"`` and ``"copy"``.
    dimers
        Partner → dimer curves.
    """

    name: str
    profiles: list[TorsionProfile]
    dimers: dict[str, DimerCurves]

    def torsion_rmsd(self, projection: str) -> float | None:
        """Over all profiles, kcal/mol; None without rotors."""
        if not self.profiles:
            return None
        return float(np.sqrt(np.mean([p.rmsd(projection) ** 2 for p in self.profiles])))

    def to_dict(self) -> dict[str, Any]:
        """Numbers for JSON, in kcal/mol and Å."""
        dimers = {}
        for partner, curves in self.dimers.items():
            (r, e), (r_fixed, e_fixed) = (
                curves.minimum(name) for name in ("polarizable", "fixed_charge")
            )
            dimers[partner] = {
                "rmsd": curves.rmsd(),
                "polarizable_minimum": {"contact": r, "energy": e},
                "fixed_charge_minimum": {"contact": r_fixed, "energy": e_fixed},
            }
        return {
            "name": self.name,
            "n_rotors": len(self.profiles) // len(_SEEDS),
            "torsion_rmsd_refit": self.torsion_rmsd("refit"),
            "torsion_rmsd_copy": self.torsion_rmsd("copy"),
            "dimers": dimers,
        }


def compare(
    parameters: Sequence[ParameterSet],
    molecules: Sequence[Any],
    *,
    names: Sequence[str] | None = None,
    probe: tuple[ParameterSet, Any] | None = None,
) -> list[MoleculeComparison]:
    """Compare the polarizable model with its projection.

    Torsions: rigid rotations of three conformers that the projection did not see. Dimers:
    rigid molecules in 24 orientations, with a copy of themselves and with a probe.

    Parameters
    ----------
    parameters
        One set for each molecule.
    molecules
        OpenFF ``Molecule`` or RDKit ``Mol``.
    names
        For the report; by default numbers.
    probe
        Parameters and molecule of the dimer partner, such as water.

    Raises
    ------
    ParameterError
        If the arguments do not fit together, or no geometry can be generated.
    """
    names = [str(n) for n in range(len(molecules))] if names is None else names
    if not len(parameters) == len(molecules) == len(names):
        raise ParameterError(
            f"{len(parameters)} parameter sets, {len(molecules)} molecules and {len(names)} "
            "names were given; one of each is needed for every molecule"
        )
    partner = None
    if probe is not None:
        partner = make_monomer(*probe, project_fixed_charge(*probe))
    results = []
    for single, molecule, name in zip(parameters, molecules, names, strict=True):
        refit = project_fixed_charge(single, molecule)
        copied = project_fixed_charge(single, molecule, torsions="copy")
        projections = {"refit": refit, "copy": copied}
        profiles = [
            profile
            for seed in _SEEDS
            for profile in torsion_profiles(single, molecule, projections, seed=seed)
        ]
        monomer = make_monomer(single, molecule, refit)
        dimers = {"itself": dimer_curves(monomer, monomer)}
        if partner is not None:
            dimers["probe"] = dimer_curves(monomer, partner)
        results.append(MoleculeComparison(name, profiles, dimers))
    return results


def plot_comparison(
    comparisons: Sequence[MoleculeComparison], path: Path, *, overwrite: bool = False
) -> None:
    """Draw, for each molecule, its worst torsion profile and its strongest dimers as PNG.

    Raises
    ------
    OutputExistsError
        If the file exists and is not to be overwritten.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists; pass overwrite=True to replace it")
    from matplotlib.figure import Figure

    partners = max((len(c.dimers) for c in comparisons), default=0)
    shape = (max(len(comparisons), 1), 1 + partners)
    figure = Figure(figsize=(3.6 * shape[1], 2.6 * shape[0]), layout="constrained")
    axes = figure.subplots(*shape, squeeze=False)
    for row, comparison in zip(axes, comparisons, strict=False):
        row[0].set_title(f"{comparison.name}: worst torsion", fontsize=9)
        row[0].set_xlabel("rotation, degrees", fontsize=8)
        if comparison.profiles:
            worst = max(comparison.profiles, key=lambda p: p.rmsd("refit"))
            angles = np.degrees(PROFILE_ANGLES)
            row[0].plot(angles, worst.polarizable, "k-", label="polarizable")
            for name, style in (("refit", "C0-"), ("copy", "C1--")):
                row[0].plot(angles, worst.fixed_charge[name], style, label=f"fixed, {name}")
            row[0].set_ylim(-1.0, 10.0)
            row[0].legend(fontsize=7)
        else:
            row[0].set_axis_off()
            row[0].set_title(f"{comparison.name}: no rotatable bond", fontsize=9)
        for axis, (partner, curves) in zip(row[1:], comparison.dimers.items(), strict=False):
            best = curves.strongest
            axis.plot(CONTACTS, curves.polarizable[best], "k-", label="polarizable")
            axis.plot(CONTACTS, curves.fixed_charge[best], "C0-", label="fixed")
            axis.set_ylim(min(1.3 * curves.polarizable[best].min(), -0.5), 3.0)
            axis.set_title(f"{comparison.name} with {partner}", fontsize=9)
            axis.set_xlabel("shortest contact, Å", fontsize=8)
            axis.legend(fontsize=7)
        row[0].set_ylabel("kcal/mol", fontsize=8)
    figure.savefig(path, dpi=120, format="png")
