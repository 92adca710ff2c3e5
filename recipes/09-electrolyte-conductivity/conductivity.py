"""Conductivity of an electrolyte over its molality."""

import argparse
import csv

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties import State, estimate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--solvent", nargs="+", default=["O=C1OCCO1:0.5", "COC(=O)OC:0.5"])
parser.add_argument("--salt", default="[Li+].F[P-](F)(F)(F)(F)F")
parser.add_argument("--molality", type=float, nargs="+", default=[0.5, 1.0, 1.5])
parser.add_argument("--force-field", default="bytepol.offxml")
parser.add_argument("--temperature", type=float, default=298.15)
parser.add_argument("--n-molecules", type=int, default=500)
parser.add_argument("--time", default="20ns")
parser.add_argument("--platform")
options = parser.parse_args()

wanted = (
    "conductivity",
    "nernst_einstein_conductivity",
    "transference_numbers",
    "self_diffusion",
)
with open("conductivity.csv", "w", newline="") as stream:
    table = csv.writer(stream)
    table.writerow(["molality (mol/kg)", "property", "value", "standard error", "unit"])
    for molality in options.molality:
        result = estimate(
            ("density", *wanted),
            [*options.solvent, f"{options.salt}:{molality:g}m"],
            State(options.temperature),
            options.force_field,
            n_molecules=options.n_molecules,
            time=options.time,
            platform=options.platform,
            output=f"molality-{molality:g}",
        )
        for name, found in result.estimates.items():
            table.writerow([molality, name, found.value, found.uncertainty, found.unit])
            print(molality, found)
        for name, reason in result.failures.items():
            print(f"{molality}: no {name}: {reason}")
        if not result.estimates:
            raise PropertyError(f"nothing could be estimated at {molality:g} mol/kg")
