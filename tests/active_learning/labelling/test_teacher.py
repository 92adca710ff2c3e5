"""What a teacher cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from active_learning.labelling.teacher import evaluate
from openff_bytepol.exceptions import ConvergenceError

pytest.importorskip("tblite")


def test_an_scf_without_a_solution_is_a_typed_error() -> None:
    far = np.array([[[0.0, 0.0, 0.0], [50.0, 0.0, 0.0], [0.0, 50.0, 0.0]]])
    with pytest.raises(ConvergenceError, match="not converged"):
        evaluate("gfn2-xtb", np.array([8, 1, 1]), far, 2)
