"""Readers of reference data: one module per source, each with its own label level."""

from openff_bytepol.training.datasets.imported import Imported
from openff_bytepol.training.datasets.readers.registry import READERS, Reader, read

__all__ = ["READERS", "Imported", "Reader", "read"]
