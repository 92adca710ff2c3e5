"""What a simulation leaves behind for analysis: time series of one run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import ObservablesError, OutputExistsError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_FORMAT: Final = 1
_SERIES: Final = {
    "times": ("times_ps", ()),
    "potential_energies": ("potential_energies_kcal_per_mol", ()),
    "kinetic_energies": ("kinetic_energies_kcal_per_mol", ()),
    "boxes": ("boxes_angstrom", (3, 3)),
    "dipoles": ("dipoles_e_angstrom", (3,)),
    "centers": ("centers_angstrom", (-1, 3)),
    "pressure_tensors": ("pressure_tensors_atm", (3, 3)),
    "flow_amplitudes": ("flow_amplitudes_angstrom_per_ps", ()),
}
"""Field → its name in files, and shape of one frame (-1: one per molecule)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Observables:
    """Time series of one run, evenly spaced.

    What has to be sampled at different intervals (pressure tensors every few fs, centres of
    mass every ps) goes into several objects. Property functions take production data only:
    see `openff_bytepol.properties.statistics.production`.

    Attributes
    ----------
    names
        Of the components, usually SMILES.
    molar_masses
        Of the components, g/mol.
    charges
        Total charge of one molecule of each component, e.
    component_index
        Component of each molecule; (n_molecules,).
    degrees_of_freedom
        Of the whole system, constraints and removed centre-of-mass motion taken off.
    temperature
        Of the thermostat, K.
    pressure
        Of the barostat, atm; None at constant volume.
    times
        ps; (n_frames,).
    potential_energies, kinetic_energies
        kcal/mol of the whole system; (n_frames,). Potential energies include induction.
    boxes
        Box vectors as rows, Å; (n_frames, 3, 3). None without a periodic box.
    dipoles
        Of the whole box, charges and induced dipoles of unwrapped molecules, e·Å;
        (n_frames, 3).
    centers
        Centres of mass of molecules, unwrapped, Å; (n_frames, n_molecules, 3).
    pressure_tensors
        Instantaneous, atm; (n_frames, 3, 3).
    flow_amplitudes
        Of the velocity profile under a periodic acceleration, Å/ps; (n_frames,).
    polarizabilities
        Isotropic molecular polarizability of each component, Å³; None or zeros with fixed
        charges.
    discarded
        Time at the beginning that was taken off as equilibration, ps.

    Raises
    ------
    ObservablesError
        If shapes do not fit together, times are not evenly spaced, or numbers are not finite.
    """

    names: tuple[str, ...]
    molar_masses: tuple[float, ...]
    charges: tuple[float, ...]
    component_index: Ints
    degrees_of_freedom: int
    temperature: float
    pressure: float | None
    times: Floats
    potential_energies: Floats
    kinetic_energies: Floats
    boxes: Floats | None = None
    dipoles: Floats | None = None
    centers: Floats | None = None
    pressure_tensors: Floats | None = None
    flow_amplitudes: Floats | None = None
    polarizabilities: tuple[float, ...] | None = None
    discarded: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "component_index", np.asarray(self.component_index, np.int64))
        for name in _SERIES:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, np.float64))
        self._check_components()
        self._check_series()

    def _check_components(self) -> None:
        n = len(self.names)
        for name in ("molar_masses", "charges", "polarizabilities"):
            values = getattr(self, name)
            if values is not None and len(values) != n:
                raise ObservablesError(f"{len(values)} {name} for {n} components {self.names}")
        index = self.component_index
        if index.ndim != 1 or len(index) == 0 or index.min() < 0 or index.max() >= n:
            raise ObservablesError(f"component_index must hold numbers from 0 to {n - 1}")

    def _check_series(self) -> None:
        n_frames = len(self.times)
        if n_frames == 0:
            raise ObservablesError("there are no frames")
        for name, (_, frame) in _SERIES.items():
            values = getattr(self, name)
            if values is None:
                continue
            shape = (n_frames, *(self.n_molecules if size == -1 else size for size in frame))
            if values.shape != shape:
                raise ObservablesError(f"{name} have shape {values.shape}; {shape} is needed")
            if not np.isfinite(values).all():
                raise ObservablesError(
                    f"{name} hold NaN or infinite numbers: the run failed; go back to a "
                    "checkpoint before that, with a shorter time step"
                )
        steps = np.diff(self.times)
        if n_frames > 1 and (steps.min() <= 0.0 or np.ptp(steps) > 1e-3 * steps.mean()):
            raise ObservablesError("times are not evenly spaced and rising")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def n_molecules(self) -> int:
        """Of all components together."""
        return len(self.component_index)

    @property
    def counts(self) -> tuple[int, ...]:
        """Molecules of each component."""
        return tuple(np.bincount(self.component_index, minlength=len(self.names)).tolist())

    @property
    def mole_fractions(self) -> tuple[float, ...]:
        """Of the components."""
        return tuple(count / self.n_molecules for count in self.counts)

    @property
    def mass(self) -> float:
        """Of the whole system, g/mol (Da)."""
        return float(np.dot(self.counts, self.molar_masses))

    @property
    def interval(self) -> float:
        """Time between frames, ps."""
        if len(self) < 2:
            raise ObservablesError("one frame has no interval; simulate longer")
        return float((self.times[-1] - self.times[0]) / (len(self) - 1))

    @property
    def volumes(self) -> Floats:
        """Å³; (n_frames,)."""
        return np.asarray(np.abs(np.linalg.det(self.require("boxes"))))

    def require(self, name: str) -> Floats:
        """A series that may be missing.

        Raises
        ------
        ObservablesError
            If it was not recorded.
        """
        values = getattr(self, name)
        if values is None:
            raise ObservablesError(f"this needs {name}, which were not recorded in this run")
        return np.asarray(values)

    def __getitem__(self, frames: slice) -> Observables:
        """Frames of a slice."""
        chosen: dict[str, Any] = {
            n: v[frames] for n in _SERIES if (v := getattr(self, n)) is not None
        }
        return replace(self, **chosen)

    def after(self, time: float) -> Observables:
        """Frames from ``time`` ps after the first, which count as discarded equilibration."""
        start = int(np.searchsorted(self.times, self.times[0] + time - 1e-9))
        if start >= len(self):
            raise ObservablesError(f"the run is shorter than {time:g} ps")
        return replace(self[start:], discarded=self.discarded + time)

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write a compressed NumPy archive with units in the names of its arrays.

        The file appears at once or not at all.

        Raises
        ------
        OutputExistsError
            If the file exists.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise OutputExistsError(f"{path} exists; pass overwrite=True to replace it")
        metadata = {
            "format": _FORMAT,
            "names": self.names,
            "molar_masses_g_per_mol": self.molar_masses,
            "charges_e": self.charges,
            "degrees_of_freedom": self.degrees_of_freedom,
            "temperature_K": self.temperature,
            "pressure_atm": self.pressure,
            "polarizabilities_angstrom3": self.polarizabilities,
            "discarded_ps": self.discarded,
        }
        arrays: dict[str, Any] = {
            key: value
            for name, (key, _) in _SERIES.items()
            if (value := getattr(self, name)) is not None
        }
        arrays["component_index"] = self.component_index
        arrays["metadata"] = np.array(json.dumps(metadata))
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as stream:
                np.savez_compressed(stream, **arrays)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str) -> Observables:
        """Read what `save` wrote.

        Raises
        ------
        ObservablesError
            If it is something else, or truncated.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                metadata = json.loads(str(archive["metadata"]))
                series = {n: archive[k] for n, (k, _) in _SERIES.items() if k in archive}
                index = archive["component_index"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ObservablesError(f"{path} is not a file of observables: {error}") from error
        if metadata["format"] > _FORMAT:
            raise ObservablesError(f"{path} was written by a newer version; update this one")
        alpha = metadata["polarizabilities_angstrom3"]
        return cls(
            names=tuple(metadata["names"]),
            molar_masses=tuple(metadata["molar_masses_g_per_mol"]),
            charges=tuple(metadata["charges_e"]),
            component_index=index,
            degrees_of_freedom=metadata["degrees_of_freedom"],
            temperature=metadata["temperature_K"],
            pressure=metadata["pressure_atm"],
            polarizabilities=None if alpha is None else tuple(alpha),
            discarded=metadata["discarded_ps"],
            **series,
        )

    @staticmethod
    def concatenate(chunks: Sequence[Observables]) -> Observables:
        """Chunks of one run, one after another.

        A chunk that was written again after a restart replaces the frames from its beginning.

        Raises
        ------
        ObservablesError
            If there are none, or they are of different systems, states or recordings.
        """
        if not chunks:
            raise ObservablesError("nothing to concatenate")
        kept: list[Observables] = []
        for chunk in chunks:
            _check_same(chunks[0], chunk)
            while kept and kept[-1].times[0] > chunk.times[0] - 1e-9:
                kept.pop()
            if kept:
                n_before = int(np.searchsorted(kept[-1].times, chunk.times[0] - 1e-9))
                kept[-1] = kept[-1][:n_before]
            kept.append(chunk)
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(chunk, name) for chunk in kept])
            for name in _SERIES
            if getattr(chunks[0], name) is not None
        }
        return replace(kept[0], **joined)


def _check_same(first: Observables, other: Observables) -> None:
    for field in fields(Observables):
        a, b = getattr(first, field.name), getattr(other, field.name)
        if field.name in _SERIES:
            same = (a is None) == (b is None)
        elif field.name == "component_index":
            same = np.array_equal(a, b)
        else:
            same = field.name == "discarded" or a == b
        if not same:
            raise ObservablesError(f"{field.name} differ between chunks: not one run")
