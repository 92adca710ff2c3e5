"""From chosen candidates to rows of the training schema."""

from active_learning.labelling.base import (
    JobState,
    LabelJob,
    LabelKind,
    Labeller,
    LabelResult,
    LabelStatus,
    Provenance,
    find_labeller,
)

__all__ = [
    "JobState",
    "LabelJob",
    "LabelKind",
    "LabelResult",
    "LabelStatus",
    "Labeller",
    "Provenance",
    "find_labeller",
]
