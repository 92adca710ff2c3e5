"""The ``bytepol`` command."""

from openff_bytepol.cli.app import app

__all__ = ["app"]
