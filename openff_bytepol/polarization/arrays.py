"""Names for the arrays and compiler options of the kernel."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Reals: TypeAlias = NDArray[np.floating]
"""In the precision of storage."""
Indices: TypeAlias = NDArray[np.int32]

FAST: Final[dict[str, Any]] = {"fastmath": True, "error_model": "numpy", "cache": True}
"""Options of every compiled function; division by zero must not raise for loops to vectorise."""
