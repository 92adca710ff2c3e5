"""Figures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openff.toolkit import Molecule

    from openff_bytepol.cli.liquid import Record

_DRAWING = (900, 640)


def plot_liquid(
    path: Path, records: Sequence[Record], molecule: Molecule, charges: Sequence[float]
) -> None:
    """Molecule with charges, and energy, density and temperature of a liquid over time.

    Parameters
    ----------
    path
        PNG file; replaced if it exists.
    records
        At least one.
    molecule, charges
        What to draw; one charge (e) for each atom.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    drawing, energy, density, temperature = figure.subplots(1, 4, width_ratios=(1.4, 1, 1, 1))
    drawing.imshow(_draw(molecule, charges))
    drawing.set_axis_off()
    drawing.set_title("partial charges (e)")
    time = [record.time for record in records]
    for axes, values, label in (
        (energy, [record.potential_energy for record in records], "potential energy (kJ/mol)"),
        (density, [record.density for record in records], "density (g/cm³)"),
        (temperature, [record.temperature for record in records], "temperature (K)"),
    ):
        axes.plot(time, values, color="tab:blue")
        axes.set_title(label)
        axes.set_xlabel("time (ps)")
        axes.ticklabel_format(useOffset=False)
    figure.savefig(path, dpi=150)


def _draw(molecule: Molecule, charges: Sequence[float]) -> np.ndarray:
    """RGB image of a molecule with its charges."""
    from PIL import Image
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    drawn = molecule.to_rdkit()
    drawn.RemoveAllConformers()
    rdDepictor.Compute2DCoords(drawn)
    for atom, charge in zip(drawn.GetAtoms(), charges, strict=True):
        atom.SetAtomMapNum(0)
        atom.SetProp("atomNote", f"{charge:+.2f}")
    canvas = rdMolDraw2D.MolDraw2DCairo(*_DRAWING)
    options = canvas.drawOptions()
    options.annotationFontScale = 0.8  # type: ignore[assignment]
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, drawn)
    return np.asarray(Image.open(BytesIO(canvas.GetDrawingText())))
