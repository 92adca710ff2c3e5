"""Perceptron over the atoms and bonds along a chain, the input of every term."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from openff_bytepol.nn.config import PerceptronSizes
from openff_bytepol.nn.layers import Perceptron, sizes_of


class ChainPerceptron(nn.Module):
    """Perceptron on the vectors along a chain of atoms, [x0, e01, x1, …].

    The first map is applied to all atoms and bonds once and then gathered, which is the
    same as mapping the concatenation and cheaper, since there are more terms than atoms.
    """

    def __init__(
        self, n_members: int, widths: tuple[int, int], length: int, sizes: PerceptronSizes,
        activation: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.slots = [widths[i % 2] for i in range(2 * length - 1)]
        self.perceptron = Perceptron(
            n_members,
            sizes_of(sum(self.slots), sizes.hidden, sizes.out, sizes.layers),
            activation,
        )

    def project(self, atoms: Tensor, bonds: Tensor) -> list[Tensor]:
        """First map of each position of the chain, for all atoms or bonds."""
        pieces = torch.split(self.perceptron.first.weight, self.slots, dim=2)
        return [torch.bmm(bonds if i % 2 else atoms, piece.mT) for i, piece in enumerate(pieces)]

    def forward(self, projected: list[Tensor], atom_rows: Tensor, bond_rows: Tensor) -> Tensor:
        """Chains given by atoms (n, length) and bonds (n, length - 1) → (m, n, out)."""
        gathered = [
            values.index_select(1, (bond_rows if i % 2 else atom_rows)[:, i // 2])
            for i, values in enumerate(projected)
        ]
        bias = self.perceptron.first.bias
        total = sum(gathered[1:], gathered[0])
        return self.perceptron.after_first(total if bias is None else total + bias[:, None])
