"""Factors that bring quantities of one level of theory nearer to a better one."""

from __future__ import annotations

from typing import Any

from openff_bytepol.training.config import TrainingConfig


def corrected(row: dict[str, Any], config: TrainingConfig) -> dict[str, Any]:
    """A row with the factors of its level on the quantities that it holds.

    Parameters
    ----------
    row
        With its ``level``.
    config
        With ``level_factors``.
    """
    factors = config.level_factors.get(row["level"], {})
    return row | {name: factor * row[name] for name, factor in factors.items() if name in row}
