"""The solver of induced dipoles in requests."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from openff_bytepol.properties.request import Request
from openff_bytepol.properties.substance import Substance


def request(**options: object) -> Request:
    return Request(properties=("density",), substance=Substance.parse(["O"]), **options)


def test_solver_reaches_the_engine_and_makes_another_run():
    usual, fast = request(), request(solver="fast")
    assert usual.engine().solver is None
    assert fast.engine().solver == "fast"
    assert "solver" not in usual.identity("0" * 64)
    assert fast.identity("0" * 64) == {**usual.identity("0" * 64), "solver": "fast"}
    with pytest.raises(ValidationError):
        request(solver="quick")
