"""Labels that one workstation can make: AIMNet2 surfaces and physical priors."""

from openff_bytepol.training.labels.make import make_labels

__all__ = ["make_labels"]
