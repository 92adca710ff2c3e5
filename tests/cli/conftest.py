"""Runs the command in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from openff_bytepol.cli import app


class Finished(NamedTuple):
    code: int
    output: str
    messages: str

    @property
    def document(self) -> Any:
        return json.loads(self.output)


@pytest.fixture
def bytepol() -> Callable[..., Finished]:
    def run(*arguments: object) -> Finished:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Finished(result.exit_code, result.stdout, result.stderr)

    return run
