"""Properties of a liquid in ten lines."""

import argparse

from openff_bytepol.properties import State, estimate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("smiles")
parser.add_argument("--force-field", default="bytepol-fixed.offxml")
parser.add_argument("--temperature", type=float, default=298.15)
parser.add_argument("--n-molecules", type=int, default=125)
parser.add_argument("--time", default="200ps")
parser.add_argument("--output", default="liquid")
options = parser.parse_args()

result = estimate(
    ["density", "enthalpy_of_vaporization"],
    options.smiles,
    State(options.temperature),
    options.force_field,
    n_molecules=options.n_molecules,
    time=options.time,
    output=options.output,
)
for found in result.estimates.values():
    print(found)
