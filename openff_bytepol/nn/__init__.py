"""The network that turns molecular graphs into force field parameters."""

from openff_bytepol.nn.config import ModelConfig
from openff_bytepol.nn.model import Model

__all__ = ["Model", "ModelConfig"]
