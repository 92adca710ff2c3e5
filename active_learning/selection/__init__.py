"""Which candidates to label: uncertainty × diversity × cost under a budget."""

from active_learning.selection.costs import CostModel
from active_learning.selection.kernels import rbf_kernel, tanimoto_kernel, vendi_score
from active_learning.selection.strategies import Chosen, Problem, select

__all__ = [
    "Chosen",
    "CostModel",
    "Problem",
    "rbf_kernel",
    "select",
    "tanimoto_kernel",
    "vendi_score",
]
