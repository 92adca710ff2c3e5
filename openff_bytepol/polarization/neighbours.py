"""Verlet lists of all neighbours of every atom, by linked cells of half the reach.

Rows hold the close neighbours first: those that can come within the range of Thole damping
while the list lasts.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from openff_bytepol.polarization.arrays import FAST, Floats, Indices


class NeighbourList:
    """Neighbours within a cutoff plus a skin.

    Parameters
    ----------
    cutoff
        Å.
    close
        Range of the interactions that matter at short distance only, Å.
    skin
        Å; the list is made anew once an atom has moved by half of it, or the box has changed.

    Attributes
    ----------
    indices
        (n_atoms, capacity); row i holds the neighbours of atom i.
    n_close, n_all
        Of each row, the length of its close part and of all of it; (n_atoms,).
    builds
        How often the list has been made.
    """

    def __init__(self, cutoff: float, close: float, skin: float) -> None:
        self.cutoff, self.close, self.skin = cutoff, close, skin
        self.indices: Indices = np.empty((0, 0), dtype=np.int32)
        self.n_close: Indices = np.empty(0, dtype=np.int32)
        self.n_all: Indices = np.empty(0, dtype=np.int32)
        self.builds = 0
        self._positions: Floats | None = None
        self._box: Floats | None = None

    def update(self, positions: Floats, box: Floats) -> None:
        """Make the list anew if need be.

        Parameters
        ----------
        positions
            Å; (n_atoms, 3).
        box
            Reduced vectors as rows, Å; (3, 3).
        """
        if self._is_valid(positions, box):
            return
        reach = self.cutoff + self.skin
        close = min(self.close + self.skin, reach)
        order, starts, cells = _sort_into_cells(positions, box, reach)
        capacity = max(self.indices.shape[1], 64)
        n_atoms = len(positions)
        while True:
            if self.indices.shape != (n_atoms, capacity):
                self.indices = np.empty((n_atoms, capacity), dtype=np.int32)
                self.n_close = np.empty(n_atoms, dtype=np.int32)
                self.n_all = np.empty(n_atoms, dtype=np.int32)
            _fill(
                positions[order],
                order,
                starts,
                cells,
                box,
                reach * reach,
                close * close,
                self.indices,
                self.n_close,
                self.n_all,
            )
            longest = int(self.n_all.max())
            if longest <= capacity:
                break
            capacity = 16 * (int(1.08 * longest) // 16 + 1)
        self._positions, self._box = positions.copy(), box.copy()
        self.builds += 1

    def take_all(self, n_atoms: int) -> None:
        """Make every atom a close neighbour of every other."""
        everyone = np.arange(n_atoms, dtype=np.int32)
        indices = np.broadcast_to(everyone, (n_atoms, n_atoms))
        self.indices = indices[~np.eye(n_atoms, dtype=bool)].reshape(n_atoms, n_atoms - 1)
        self.n_close = np.full(n_atoms, n_atoms - 1, dtype=np.int32)
        self.n_all = self.n_close
        self.builds += 1

    def _is_valid(self, positions: Floats, box: Floats) -> bool:
        if self._positions is None or self._box is None:
            return False
        if len(self._positions) != len(positions) or not np.array_equal(self._box, box):
            return False
        return bool(_largest_displacement(positions, self._positions, box) < 0.25 * self.skin**2)


def _sort_into_cells(
    positions: Floats, box: Floats, reach: float
) -> tuple[Indices, NDArray[np.int64], NDArray[np.int64]]:
    """Atoms in the order of cells, where each cell starts, and cells along each axis."""
    cells = np.clip(np.floor(2.0 * _widths(box) / reach), 1, 256).astype(np.int64)
    fractions = positions @ np.linalg.inv(box)
    fractions -= np.floor(fractions)
    place = np.minimum((fractions * cells).astype(np.int64), cells - 1)
    index = (place[:, 0] * cells[1] + place[:, 1]) * cells[2] + place[:, 2]
    order = np.argsort(index, kind="stable").astype(np.int32)
    starts = np.zeros(int(cells.prod()) + 1, dtype=np.int64)
    np.cumsum(np.bincount(index, minlength=len(starts) - 1), out=starts[1:])
    return order, starts, cells


def _widths(box: Floats) -> Floats:
    """Distances between opposite faces, Å; (3,)."""
    widths: Floats = 1.0 / np.linalg.norm(np.linalg.inv(box), axis=0)
    return widths


@njit(**FAST)
def _largest_displacement(positions, before, box):
    """Largest square of a displacement, up to box vectors, Å²."""
    largest = 0.0
    for i in range(len(positions)):
        x = positions[i, 0] - before[i, 0]
        y = positions[i, 1] - before[i, 1]
        z = positions[i, 2] - before[i, 2]
        n = np.floor(z / box[2, 2] + 0.5)
        x, y, z = x - n * box[2, 0], y - n * box[2, 1], z - n * box[2, 2]
        n = np.floor(y / box[1, 1] + 0.5)
        x, y = x - n * box[1, 0], y - n * box[1, 1]
        x -= np.floor(x / box[0, 0] + 0.5) * box[0, 0]
        largest = max(largest, x * x + y * y + z * z)
    return largest


@njit(cache=True)
def _steps(place, count):
    """Cells to visit along one axis, each once: two to either side."""
    if count <= 5:
        return np.arange(count)
    return (np.arange(-2, 3) + place) % count


@njit(**FAST)
def _squares(x, start, stop, centre, box, squares):  # noqa: PLR0917
    """Squares of the distances to the nearest images of consecutive atoms."""
    xi, yi, zi = x[centre, 0], x[centre, 1], x[centre, 2]
    ax, bx, by = box[0, 0], box[1, 0], box[1, 1]
    cx, cy, cz = box[2, 0], box[2, 1], box[2, 2]
    for b in range(start, stop):
        dx, dy, dz = x[b, 0] - xi, x[b, 1] - yi, x[b, 2] - zi
        n = np.floor(dz / cz + 0.5)
        dx, dy, dz = dx - n * cx, dy - n * cy, dz - n * cz
        n = np.floor(dy / by + 0.5)
        dx, dy = dx - n * bx, dy - n * by
        dx -= np.floor(dx / ax + 0.5) * ax
        squares[b - start] = dx * dx + dy * dy + dz * dz


@njit(parallel=True, **FAST)
def _fill(x, order, starts, cells, box, reach2, close2, indices, n_close, n_all):  # noqa: PLR0917
    n_cells = len(starts) - 1
    capacity = indices.shape[1]
    largest = 0
    for c in range(n_cells):
        largest = max(largest, starts[c + 1] - starts[c])
    for cell in prange(n_cells):
        steps_x = _steps(cell // (cells[1] * cells[2]), cells[0])
        steps_y = _steps(cell // cells[2] % cells[1], cells[1])
        steps_z = _steps(cell % cells[2], cells[2])
        squares = np.empty(largest)
        close = np.empty(capacity + 1, dtype=np.int32)
        far = np.empty(capacity + 1, dtype=np.int32)
        for a in range(starts[cell], starts[cell + 1]):
            n_near, n_far = 0, 0
            for sx in steps_x:
                for sy in steps_y:
                    for sz in steps_z:
                        other = (sx * cells[1] + sy) * cells[2] + sz
                        start, stop = starts[other], starts[other + 1]
                        _squares(x, start, stop, a, box, squares)
                        for b in range(start, stop):
                            square = squares[b - start]
                            within = (square < reach2) & (b != a)
                            close[min(n_near, capacity)] = order[b]
                            far[min(n_far, capacity)] = order[b]
                            n_near += within & (square < close2)
                            n_far += within & (square >= close2)
            i = order[a]
            n_close[i] = n_near
            n_all[i] = n_near + n_far
            if n_near + n_far <= capacity:
                for k in range(n_near):
                    indices[i, k] = close[k]
                for k in range(n_far):
                    indices[i, n_near + k] = far[k]
