"""What every reader of reference data returns."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple


class Imported(NamedTuple):
    """Rows of one schema, and what was left out."""

    rows: list[dict[str, Any]]
    dropped: Counter[str]
    """Entries left out, by reason."""
