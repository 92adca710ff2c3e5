"""What to do about records that failed."""

from __future__ import annotations

from typing import Literal

Action = Literal["reset", "alternative", "give up"]
_HOPELESS = (
    "input error",
    "input_error",
    "unknown keywords",
    "basissetnotfound",
    "validationerror",
    "no module named",
)
_TRANSIENT = (
    "random_error",
    "resource_error",
    "killed by signal",
    "out of memory",
    "no space left",
    "connection",
    "timed out",
    "manager",
)


def decide(error_type: str, message: str, attempts: int, max_attempts: int) -> Action:
    """Next step for a failed record.

    Parameters
    ----------
    error_type, message
        As QCEngine reported them.
    attempts
        How often the record was computed with its present settings.
    max_attempts
        How often it may be.

    Returns
    -------
    Action
        ``reset`` (compute again), ``alternative`` (other settings, if the level has any), or
        ``give up``.
    """
    text = f"{error_type} {message}".lower()
    if any(word in text for word in _HOPELESS):
        return "give up"
    if any(word in text for word in _TRANSIENT) and attempts < max_attempts:
        return "reset"
    return "alternative"


def short_reason(error_type: str, message: str) -> str:
    """One line for status and report; the last line of a traceback says most."""
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    return f"{error_type}: {lines[-1][:300] if lines else 'no message'}"
