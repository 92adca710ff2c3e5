"""How levels of theory become records of QCArchive."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from openff_bytepol.exceptions import DataError
from openff_bytepol.qm import LEVELS, Level

LevelKind = Literal["gradient", "almo-eda", "sapt"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Alternative(_Settings):
    """Other settings for records that fail with the level's own; fields left out stay."""

    method: str | None = None
    basis: str | None = None
    keywords: dict[str, Any] = {}
    """Added to the level's."""


class RecordLevel(_Settings):
    """A level of theory as a QCArchive specification."""

    kind: LevelKind
    """``gradient``: energies and gradients of molecules, and totals of dimers and clusters by
    many-body records; ``almo-eda``, ``sapt``: interaction energies in components."""
    program: str
    method: str
    basis: str | None = None
    keywords: dict[str, Any] = {}
    counterpoise: bool = True
    """In many-body records of levels with a basis set."""
    relax: Annotated[int, Field(ge=0)] = 0
    """Optimize monomers first and label so many geometries on the way, the last included."""
    alternatives: tuple[Alternative, ...] = ()
    """Tried one after another, each with its own attempts."""

    def variant(self, attempt: int) -> RecordLevel:
        """The level (0) or one of its alternatives (1…)."""
        if attempt == 0:
            return self
        other = self.alternatives[attempt - 1]
        return self.model_copy(
            update={
                "method": other.method or self.method,
                "basis": other.basis or self.basis,
                "keywords": {**self.keywords, **other.keywords},
            }
        )


def record_levels(own: dict[str, RecordLevel]) -> dict[str, RecordLevel]:
    """Levels by name: this package's, and a user's own, which go first."""
    kinds = get_args(LevelKind)
    known = {name: _record_level(level) for name, level in LEVELS.items() if level.kind in kinds}
    teacher = RecordLevel(kind="gradient", program="auto3d-aimnet2", method="aimnet2")
    return known | {"aimnet2": teacher} | own


def find_record_level(levels: dict[str, RecordLevel], name: str) -> RecordLevel:
    """A level by name.

    Raises
    ------
    DataError
        If there is none.
    """
    if name not in levels:
        raise DataError(
            f"no level '{name}': define it under labels.settings.levels, or use one of "
            f"{', '.join(levels)}"
        )
    return levels[name]


def _record_level(level: Level) -> RecordLevel:
    keywords: dict[str, Any] = {}
    alternatives: tuple[Alternative, ...] = ()
    if level.program == "psi4":
        keywords = {"scf_type": "df", "freeze_core": True}
        alternatives = (Alternative(keywords={"soscf": True, "maxiter": 300}),)
    elif level.program == "pyscf":
        keywords = {"auxiliary_basis": level.auxiliary_basis}
        if level.method != "hf":
            keywords |= {"grid": list(level.grid), "nonlocal_grid": list(level.nonlocal_grid)}
    return RecordLevel(
        kind=cast(LevelKind, level.kind),
        program="almo-eda" if level.kind == "almo-eda" else level.program,
        method=level.method,
        basis=level.basis,
        keywords=keywords,
        alternatives=alternatives,
    )
