"""Labels, datasets, targets and the trainer."""

from openff_bytepol.training.labels.make import make_labels

__all__ = ["make_labels"]
