"""Every error this package raises on purpose, in one tree.

Each message names the molecule or file, the reason, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence


class BytePolError(Exception):
    """Base class of all errors raised by openff-bytepol."""


class ChemistryError(BytePolError, ValueError):
    """A molecule that the model cannot describe."""


class UnsupportedElementError(ChemistryError):
    """An element outside the model's list."""


class UnsupportedValenceError(ChemistryError):
    """A connectivity, formal charge or bond order outside the model's features."""


class RadicalError(ChemistryError):
    """A molecule with unpaired electrons."""


class DisconnectedMoleculeError(ChemistryError):
    """A molecule object that holds several unconnected species."""


class MissingHydrogensError(ChemistryError):
    """A molecule without explicit hydrogens."""


class ModelError(BytePolError):
    """A model that cannot be used."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No model of that name or at that path."""


class CorruptedModelError(ModelError):
    """Model files that are truncated, incomplete or not what they claim to be."""


class UnsupportedModelError(ModelError):
    """A model of another architecture or a newer format than this version knows."""


class HashMismatchError(ModelError):
    """Weights whose SHA-256 differs from the one requested."""


class ParameterError(BytePolError, ValueError):
    """Parameters that are inconsistent or out of range."""


class ForceFieldError(BytePolError):
    """A SMIRNOFF force field or Interchange that cannot be used as asked."""


class CutoffError(ForceFieldError, ValueError):
    """A cutoff longer than half the shortest box edge."""


class UserChargesError(ForceFieldError):
    """Charges given by the user where the model supplies them."""


class ExportError(ForceFieldError):
    """A system that a file format or engine cannot represent correctly."""


class ConvergenceError(BytePolError):
    """Induced dipoles or another iterative solution that did not converge.

    Attributes
    ----------
    atoms
        Indices of the atoms that are furthest from it, where they are known.
    """

    def __init__(self, message: str, atoms: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.atoms = tuple(atoms)


class PolarizationCatastropheError(BytePolError):
    """Induced dipoles without a minimum: atoms too close for their polarizabilities.

    Attributes
    ----------
    atoms
        Indices of the atoms that take the largest part.
    """

    def __init__(self, message: str, atoms: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.atoms = tuple(atoms)


class OverlappingAtomsError(BytePolError, ValueError):
    """Atoms on top of each other, or at positions that are not finite.

    Attributes
    ----------
    atoms
        Indices of the atoms.
    """

    def __init__(self, message: str, atoms: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.atoms = tuple(atoms)


class DataError(BytePolError, ValueError):
    """Training or benchmark data that fail validation."""


class UnitError(DataError):
    """A unit that is missing, unknown, or does not fit the values."""


class LabelLevelError(DataError):
    """Data from another level of theory than the one asked for."""


class ClashError(DataError):
    """Molecules too close to one another for a label to be of use."""


class NonFiniteLossError(BytePolError, ArithmeticError):
    """A loss or gradient that became NaN or infinite during training."""


class OutputExistsError(BytePolError, FileExistsError):
    """An output that would be overwritten; pass ``--force`` (or ``overwrite=True``)."""


class MissingDependencyError(BytePolError, ImportError):
    """An optional package that this feature needs is not installed."""


class EngineError(BytePolError, RuntimeError):
    """A simulation engine that was started and failed."""


class PropertyError(BytePolError):
    """A property that cannot be estimated."""


class ObservablesError(PropertyError, ValueError):
    """Recorded time series that are inconsistent, damaged or lack what is needed."""


class CompositionError(PropertyError, ValueError):
    """A mixture that cannot be made as described."""


class SamplingError(PropertyError):
    """Too few independent samples, or too little overlap between states, for a result."""


class SimulationError(BytePolError, RuntimeError):
    """A run that broke off: NaN, a lost device. The last good state is kept."""


class UnphysicalLiquidError(SimulationError):
    """A liquid that boiled or fell apart into phases: no property of it means anything."""


class TimeBudgetError(BytePolError):
    """Work that would take longer than the time allowed."""


class RunLockedError(BytePolError):
    """A folder in which another process is at work."""


class StorageError(BytePolError, OSError):
    """Results that could not be written: disk full or folder not writable."""


class CampaignError(BytePolError):
    """An active-learning campaign that cannot go on as asked."""


class CampaignLockedError(CampaignError):
    """Another process is running the campaign."""


class CorruptedStateError(CampaignError):
    """A campaign's state file that is damaged or belongs to another version."""


class BudgetError(CampaignError):
    """Labels that would cost more than the campaign may spend."""


class ServerError(BytePolError, RuntimeError):
    """An embedded or remote QCArchive that does not start, answer or stop."""


class OutOfDomainError(ChemistryError):
    """A molecule too far from what the model was trained on."""


class OutOfDomainWarning(UserWarning):
    """A molecule too far from what the model was trained on."""
