"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-slow"):
        return
    skip = pytest.mark.skip(reason="slow; pass --run-slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder with public reference data, named by BYTEPOL_REFERENCE_DATA."""
    default = Path(__file__).parents[2] / "shared"
    path = Path(os.environ.get("BYTEPOL_REFERENCE_DATA", default))
    if not (path / "reference").is_dir():
        pytest.skip(f"no reference data in {path}; set BYTEPOL_REFERENCE_DATA")
    return path
