"""Every molecule of a run, featurized once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from openff_bytepol.exceptions import ChemistryError
from openff_bytepol.graph import MolecularGraph, batch_graphs
from openff_bytepol.parameters import ATOM_PARAMETERS, TERM_PARAMETERS, ParameterSet
from openff_bytepol.potentials import Pairs
from openff_bytepol.settings import NonbondedSettings

_TERM_WIDTHS = {"bonds": 2, "angles": 3, "propers": 4, "impropers": 4}


class MoleculeLibrary:
    """Graphs and pair lists of molecules, by mapped SMILES.

    Parameters
    ----------
    build_graph
        Mapped SMILES → graph, atoms ordered by map number; usually `Model.build_graph`.
    settings
        Functional form of the model.
    """

    def __init__(
        self, build_graph: Callable[[Any], MolecularGraph], settings: NonbondedSettings
    ) -> None:
        self._build_graph = build_graph
        self._settings = settings
        self._position: dict[str, int] = {}
        self._pairs: dict[tuple[int, ...], Pairs] = {}
        self.graphs: list[MolecularGraph] = []
        self.refused: dict[str, str] = {}

    def add(self, smiles: Iterable[str]) -> None:
        """Featurize molecules that are not here yet; unsupported ones go to ``refused``."""
        for one in smiles:
            if one in self._position or one in self.refused:
                continue
            try:
                graph = self._build_graph(one)
            except ChemistryError as error:
                self.refused[one] = str(error)
            else:
                self._position[one] = len(self.graphs)
                self.graphs.append(graph)

    def __contains__(self, smiles: str) -> bool:
        return smiles in self._position

    def index(self, smiles: str) -> int:
        """Number of a molecule that is here."""
        return self._position[smiles]

    def pairs(self, molecules: Sequence[int]) -> Pairs:
        """Pairs of one system made of these molecules, cached."""
        key = tuple(molecules)
        if key not in self._pairs:
            members = [indices_only(self.graphs[i], self._settings) for i in key]
            self._pairs[key] = Pairs.from_parameters(ParameterSet.concatenate(members))
        return self._pairs[key]

    def atom_rows(self, molecules: Sequence[int]) -> dict[int, Tensor]:
        """Rows of each molecule's atoms in the `batch` of several, by its number."""
        sizes = [self.graphs[i].n_atoms for i in molecules]
        rows = torch.split(torch.arange(sum(sizes)), sizes)
        return dict(zip(molecules, rows, strict=True))

    def batch(self, molecules: Sequence[int]) -> MolecularGraph:
        """Graph of several molecules."""
        return batch_graphs([self.graphs[i] for i in molecules])


def indices_only(graph: MolecularGraph, settings: NonbondedSettings) -> ParameterSet:
    """Parameters of a graph with every value zero, to list pairs from."""
    values: dict[str, Tensor] = {name: torch.zeros(graph.n_atoms) for name in ATOM_PARAMETERS}
    for index, names in TERM_PARAMETERS.items():
        count = len(getattr(graph, index))
        for name in names:
            values[name] = torch.zeros((count, 4) if name == "proper_k" else (count,))
    return ParameterSet(
        atomic_numbers=graph.atomic_numbers,
        molecule_index=graph.molecule_index,
        **{index: getattr(graph, index) for index in TERM_PARAMETERS},
        **values,
        settings=settings,
    )


def gather_nonbonded(parameters: ParameterSet, atoms: Tensor, molecule: Tensor) -> ParameterSet:
    """Nonbonded parameters of chosen atoms, repeats allowed, without bonded terms.

    Parameters
    ----------
    parameters
        Of distinct molecules.
    atoms
        Row in ``parameters`` of each new atom; (n_atoms,).
    molecule
        Molecule index of each new atom; (n_atoms,).
    """
    lead = parameters.charges.shape[:-1]
    values = {n: getattr(parameters, n).index_select(-1, atoms) for n in ATOM_PARAMETERS}
    for index, width in _TERM_WIDTHS.items():
        values[index] = atoms.new_empty((0, width))
        for name in TERM_PARAMETERS[index]:
            shape = (*lead, 0, 4) if name == "proper_k" else (*lead, 0)
            values[name] = parameters.charges.new_zeros(shape)
    return ParameterSet(
        atomic_numbers=parameters.atomic_numbers[atoms],
        molecule_index=molecule,
        **values,
        settings=parameters.settings,
    )
