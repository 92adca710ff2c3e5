"""Molecules that keep their shape."""

from __future__ import annotations

import re

import pytest

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.labels.rigid import rigid_molecule


@pytest.mark.parametrize(
    ("smiles", "elements"),
    [("[Li+]", "Li"), ("[Na+]", "Na"), ("[K+]", "K"), ("[Li]OC", "Li"), ("[Na]O[Li]", "Li, Na")],
)
def test_elements_that_aimnet2_lacks_are_named_with_a_remedy(smiles: str, elements: str) -> None:
    message = (
        f"^{re.escape(smiles)}: AIMNet2, .* does not know {elements}; "
        "leave it out of `labels.contacts` and `labels.clusters` .*`labels.decompositions`"
    )
    with pytest.raises(DataError, match=message):
        rigid_molecule(smiles, 1, 0, 1)
