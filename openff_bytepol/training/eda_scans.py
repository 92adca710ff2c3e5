"""Energy decomposition of dimer scans and clusters against ALMO-EDA references.

A system is a folder with one extended-XYZ file per molecule, ``NAME_0.xyz``,
``NAME_1.xyz``, … (``mapped_smiles`` in each comment line, one frame per geometry),
and ``EDA.json`` with the components in kcal/mol: the layout of the comparison data
of ByteFF-Pol (arXiv:2508.08575, https://github.com/ByteDance-Seed/byteff2). Where
``EDA.json`` holds one value per component it belongs to the last frame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.exceptions import DataError
from openff_bytepol.parameters import ParameterSet
from openff_bytepol.training.dimer_files import read_frames

if TYPE_CHECKING:
    from openff.toolkit import Molecule

    from openff_bytepol.nn.model import Model

COMPONENTS: Final = {
    "ELEC+PAULI": "ELEC_PAULI",
    "DISP": "DISP",
    "POL": "POLARIZATION",
    "CT": "CHARGE TRANSFER",
    "TOTAL": "TOTAL",
}
"""Component as compared here → key in ``EDA.json``.

Electrostatics and Pauli repulsion are compared as their sum, since a force field
with point charges puts charge penetration into its repulsion.
"""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class EDASystem:
    """Geometries of one dimer or cluster with reference energies.

    Attributes
    ----------
    name
        Folder name.
    molecules
        One molecule per file, atoms in file order.
    coordinates
        Shape (n_frames, n_atoms, 3), Å.
    reference
        Interaction energies by component, each of shape (n_frames,), kcal/mol.
    """

    name: str
    molecules: tuple[Molecule, ...]
    coordinates: FloatArray
    reference: Mapping[str, FloatArray]


@dataclass(frozen=True)
class EDAComparison:
    """Predicted beside reference interaction energies, kcal/mol, each (n_frames,)."""

    name: str
    reference: Mapping[str, FloatArray]
    predicted: Mapping[str, FloatArray]

    def mean_absolute_errors(self) -> dict[str, float]:
        """MAE of each component over the frames, kcal/mol."""
        return {
            component: float(np.abs(self.predicted[component] - self.reference[component]).mean())
            for component in COMPONENTS
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers for JSON, kcal/mol."""
        return {
            "name": self.name,
            "unit": "kcal/mol",
            "reference": {key: value.tolist() for key, value in self.reference.items()},
            "predicted": {key: value.tolist() for key, value in self.predicted.items()},
            "mean_absolute_error": self.mean_absolute_errors(),
        }


def read_eda_system(folder: str | Path) -> EDASystem:
    """Read one dimer scan or cluster.

    Raises
    ------
    DataError
        If a file is missing, frames and energies don't match, or a component is absent.
    """
    from openff.toolkit import Molecule

    folder = Path(folder)
    try:
        energies = json.loads((folder / "EDA.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{folder}: no readable EDA.json ({error})") from error
    absent = [key for key in COMPONENTS.values() if key not in energies]
    if absent:
        raise DataError(f"{folder}/EDA.json lacks {', '.join(absent)}")
    files = sorted(folder.glob("*_*.xyz"), key=lambda path: int(path.stem.rsplit("_", 1)[1]))
    if len(files) < 2:
        raise DataError(f"{folder}: at least two files NAME_INDEX.xyz are needed")
    frames = [list(read_frames(path)) for path in files]
    reference = {
        component: np.atleast_1d(np.asarray(energies[key], dtype=np.float64))
        for component, key in COMPONENTS.items()
    }
    n_frames = len(reference["TOTAL"])
    if n_frames == 1:
        frames = [trajectory[-1:] for trajectory in frames]
    if any(len(trajectory) != n_frames for trajectory in frames):
        lengths = ", ".join(str(len(trajectory)) for trajectory in frames)
        raise DataError(f"{folder}: {n_frames} energies but {lengths} frames")
    coordinates = [
        np.concatenate([frame.coordinates for frame in geometry])
        for geometry in zip(*frames, strict=True)
    ]
    return EDASystem(
        name=folder.name,
        molecules=tuple(
            Molecule.from_mapped_smiles(
                trajectory[0].fields["mapped_smiles"], allow_undefined_stereo=True
            )
            for trajectory in frames
        ),
        coordinates=np.stack(coordinates),
        reference=reference,
    )


def compare_with_eda(system: EDASystem, model: Model) -> EDAComparison:
    """Interaction energies of a model by component, beside the reference.

    Parameters
    ----------
    system
        What `read_eda_system` returns.
    model
        Any loaded model.
    """
    from openff_bytepol.potentials import interaction_components

    parameters = ParameterSet.concatenate(model.predict(list(system.molecules)))
    coordinates = torch.from_numpy(system.coordinates)
    with torch.no_grad():
        parts = interaction_components(parameters, coordinates)
    predicted = {
        "ELEC+PAULI": parts.elec + parts.pauli,
        "DISP": parts.disp,
        "POL": parts.pol,
        "CT": parts.ct,
    }
    predicted["TOTAL"] = torch.stack(list(predicted.values())).sum(dim=0)
    return EDAComparison(
        name=system.name,
        reference=system.reference,
        predicted={key: value.reshape(-1).numpy() for key, value in predicted.items()},
    )


def plot_comparisons(comparisons: Sequence[EDAComparison], path: str | Path) -> None:
    """Write a parity plot per component as PNG, one colour per system."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(COMPONENTS), 3.4), layout="constrained")
    axes = figure.subplots(1, len(COMPONENTS))
    for axis, component in zip(axes, COMPONENTS, strict=True):
        for comparison in comparisons:
            axis.plot(
                comparison.reference[component],
                comparison.predicted[component],
                "o",
                markersize=4,
                label=comparison.name,
            )
        values = np.concatenate(
            [c.reference[component] for c in comparisons]
            + [c.predicted[component] for c in comparisons]
        )
        limits = (values.min(), values.max())
        axis.plot(limits, limits, color="0.6", linewidth=0.8, zorder=0)
        axis.set(title=component, xlabel="ALMO-EDA, kcal/mol")
    axes[0].set_ylabel("model, kcal/mol")
    axes[-1].legend(fontsize="x-small")
    figure.savefig(path, dpi=150)
