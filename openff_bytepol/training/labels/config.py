"""Settings of labels made by quantum chemistry."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """Part of a configuration; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PoolConfig(Section):
    """A file of SMILES and how many diverse molecules to take from it."""

    path: str
    count: Count


class ResponseConfig(Section):
    """Dipoles, polarizabilities and electrostatic potentials of molecules (PySCF)."""

    pools: dict[str, PoolConfig] = {}
    extra: tuple[str, ...] = ()
    """SMILES that are labelled first."""
    n_ions: Count = 0
    max_heavy_atoms: Annotated[int, Field(ge=1)] = 7
    functional: str = "pbe0"
    basis: str = "def2-svpd"
    n_conformers: Annotated[int, Field(ge=1)] = 4
    relaxation_steps: Count = 60
    chunk_size: Annotated[int, Field(ge=1)] = 5
    seed: int = 1

    @property
    def level(self) -> str:
        """Level of theory, as the labels carry it."""
        return f"{self.functional.upper()}/{self.basis} (density fitting)"
