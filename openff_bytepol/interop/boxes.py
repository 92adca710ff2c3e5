"""Boxes of molecules, packed by Packmol."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from openff_bytepol.exceptions import (
    ChemistryError,
    EngineError,
    MissingDependencyError,
    ParameterError,
)

if TYPE_CHECKING:
    from openff.toolkit import Molecule, Topology

_LARGEST_DENSITY = 4.0
"""g/cm³; Packmol would try for hours."""
_TOLERANCE = 1.8
"""Closest distance of two molecules in a packed box, Å."""


def pack_box(molecules: Sequence[Molecule], copies: Sequence[int], *, density: float) -> Topology:
    """Pack molecules at random into a cubic periodic box.

    Parameters
    ----------
    molecules
        Kinds of molecules; one conformer is made for those without.
    copies
        How many of each.
    density
        g/cm³. Packing at the liquid's own density works for small molecules; for long
        ones pack at a lower density and let a barostat compress the box.

    Returns
    -------
    Topology
        With positions and box. Copies of a kind stand together.

    Raises
    ------
    ChemistryError
        If no conformer can be made.
    EngineError
        If Packmol finds no arrangement.
    MissingDependencyError
        If Packmol is not installed.
    ParameterError
        If the density is not that of a liquid.
    """
    if not 0.0 < density <= _LARGEST_DENSITY:
        raise ParameterError(
            f"{density:g} g/cm³ is not the density of a molecular liquid; densities are in "
            f"g/cm³, up to {_LARGEST_DENSITY:g}"
        )
    from openff.interchange.components._packmol import pack_box as run_packmol
    from openff.interchange.exceptions import PACKMOLRuntimeError
    from openff.units import Quantity

    with _packmol_on_path(), TemporaryDirectory() as scratch:
        try:
            return run_packmol(
                [with_conformer(molecule) for molecule in molecules],
                list(copies),
                tolerance=Quantity(_TOLERANCE, "angstrom"),
                target_density=Quantity(density, "gram / milliliter"),
                box_shape=np.eye(3),
                working_directory=scratch,
            )
        except PACKMOLRuntimeError as error:
            raise EngineError(
                f"Packmol found no arrangement at {density:g} g/cm³; lower the density"
            ) from error


def with_conformer(molecule: Molecule) -> Molecule:
    """The molecule with one conformer; itself if it has any.

    Raises
    ------
    ChemistryError
        If no conformer can be made.
    """
    from openff.toolkit import Molecule as OpenFFMolecule
    from openff.toolkit.utils.exceptions import ConformerGenerationError

    if molecule.n_conformers:
        return molecule
    copy = OpenFFMolecule(molecule)
    try:
        copy.generate_conformers(n_conformers=1)
    except ConformerGenerationError as error:
        raise ChemistryError(
            f"no conformer of {molecule.to_smiles()} could be made ({error}); "
            "give a file with coordinates"
        ) from error
    return copy


@contextmanager
def _packmol_on_path() -> Iterator[None]:
    """Let Packmol be found beside the Python that runs, in an environment not activated."""
    before = os.environ.get("PATH", "")
    beside = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([before, beside])
    try:
        if shutil.which("packmol") is None:
            raise MissingDependencyError(
                "Packmol was not found; install it with `pip install packmol` or "
                "`conda install -c conda-forge packmol`"
            )
        yield
    finally:
        os.environ["PATH"] = before
