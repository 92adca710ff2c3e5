"""What Evaluator loads through the entry point ``openff_evaluator.plugins``.

Evaluator passes over a plugin that raises ``ImportError``, with a line in its log; any
other error would break ``import openff.evaluator`` for every user of the environment.
"""

from __future__ import annotations

try:
    from openff_bytepol.properties.evaluator import (
        build,
        dielectric,
        dipoles,
        energies,
        layer,
        simulate,
        transport,
        transport_properties,
    )
except ImportError:
    raise
except Exception as error:
    raise ImportError(
        "the Evaluator plugin of openff-bytepol does not work with this version of "
        f"openff-evaluator ({type(error).__name__}: {error}); it is tested with 0.5.3 and 0.5.4"
    ) from error

__all__ = [
    "build",
    "dielectric",
    "dipoles",
    "energies",
    "layer",
    "simulate",
    "transport",
    "transport_properties",
]
