"""From what the user names to an Interchange with positions."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from openff_bytepol.cli.inputs import is_file, read_molecules, read_pdb, require_openff
from openff_bytepol.exceptions import DataError

if TYPE_CHECKING:
    from openff.interchange import Interchange
    from openff.toolkit import ForceField, Topology

CopiesOption = Annotated[
    list[int] | None,
    typer.Option("--copies", "-n", help="Copies of each molecule, in the order given."),
]
DensityOption = Annotated[
    float | None, typer.Option(help="Pack a periodic box at this density, g/cm³.", min=1e-3)
]
BoxOption = Annotated[
    float | None, typer.Option("--box", help="Edge of a cubic box around one molecule, Å.", min=1.0)
]
TemplateOption = Annotated[
    list[str] | None,
    typer.Option("--template", "-t", help="SMILES of a molecule in a PDB file; repeatable."),
]


def build_topology(
    inputs: Sequence[str],
    *,
    copies: Sequence[int] = (),
    density: float | None = None,
    box: float | None = None,
    templates: Sequence[str] = (),
) -> Topology:
    """Topology with positions.

    A PDB file supplies its own positions and box; anything else is one molecule in
    vacuum or in an empty box, or molecules packed at a density.

    Raises
    ------
    DataError
        If the arguments do not fit together.
    """
    require_openff()
    from openff.units import Quantity

    from openff_bytepol.interop.boxes import pack_box, with_conformer

    if len(inputs) == 1 and is_file(inputs[0]) and inputs[0].lower().endswith(".pdb"):
        if copies or density:
            raise DataError(f"{inputs[0]} has its own molecules; leave out --copies and --density")
        topology = read_pdb(Path(inputs[0]), templates)
    else:
        kinds = [named.to_openff() for named in read_molecules(inputs, templates)]
        numbers = list(copies) or [1] * len(kinds)
        if len(numbers) != len(kinds):
            raise DataError(
                f"{len(kinds)} kinds of molecules but {len(numbers)} numbers of copies; "
                "give --copies once for each kind, in the same order"
            )
        if density is not None:
            return pack_box(kinds, numbers, density=density)
        if sum(numbers) > 1:
            raise DataError("more than one molecule needs a box; give its --density in g/cm³")
        topology = with_conformer(kinds[0]).to_topology()
    if box is not None:
        topology.box_vectors = Quantity(np.eye(3) * box, "angstrom")
        _centre(topology)
    return topology


def _centre(topology: Topology) -> None:
    from openff.units import Quantity

    positions = topology.get_positions().m_as("angstrom")
    middle = topology.box_vectors.m_as("angstrom").sum(axis=0) / 2
    centred = positions - positions.mean(axis=0) + middle
    topology.set_positions(Quantity(centred, "angstrom"))


def load_force_field(model: str, *, fixed: bool = False, constraints: bool = True) -> ForceField:
    """SMIRNOFF force field of a model, or of its fixed-charge projection.

    Parameters
    ----------
    model
        Name, or directory. One whose own force field leaves bonds free has no constraints here
        either, see `openff_bytepol.smirnoff.writing.is_constrained`.
    fixed
        The projection.
    constraints
        False leaves bonds free, so that no term of the energy is missing.
    """
    require_openff()
    from openff.toolkit import ForceField

    from openff_bytepol.smirnoff.writing import is_constrained, offxml_text

    kept = constraints and is_constrained(model)
    return ForceField(offxml_text(model, fixed=fixed, constraints=kept))


def build_interchange(
    topology: Topology, model: str, *, fixed: bool = False, constraints: bool = True
) -> Interchange:
    """Interchange of a topology; arguments as `load_force_field`, errors of the force field."""
    force_field = load_force_field(model, fixed=fixed, constraints=constraints)
    return force_field.create_interchange(topology)


def pdb_text(interchange: Interchange) -> str:
    """PDB file of the positions, with the box and bonds."""
    from openmm.app import PDBFile

    text = StringIO()
    PDBFile.writeFile(
        interchange.to_openmm_topology(), interchange.positions.to_openmm(), text, keepIds=True
    )
    return text.getvalue()
