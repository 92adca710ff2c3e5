"""Skips, visibly, the tests whose engine is not installed."""

from __future__ import annotations

import pytest

from openff_bytepol.exceptions import MissingDependencyError
from openff_bytepol.interop import executables

_FINDERS = {"gromacs": executables.find_gromacs, "amber": executables.find_sander}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, find in _FINDERS.items():
        if item.get_closest_marker(marker):
            try:
                find()
            except MissingDependencyError as error:
                pytest.skip(str(error))
