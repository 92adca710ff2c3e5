"""One row of predicted parameters for each atom of a table of molecules."""

import argparse
import csv
from pathlib import Path

from rdkit import Chem

from openff_bytepol import load_model
from openff_bytepol.parameters import ATOM_PARAMETERS

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("molecules", type=Path)
parser.add_argument("--output", type=Path, required=True)
parser.add_argument("--model", default="bytepol")
arguments = parser.parse_args()

with arguments.molecules.open(newline="") as handle:
    molecules = list(csv.DictReader(handle))
predicted = load_model(arguments.model).predict([row["smiles"] for row in molecules])

with arguments.output.open("x", newline="") as handle:
    table = csv.writer(handle)
    header = [f"{name} ({unit})" if unit else name for name, unit in ATOM_PARAMETERS.items()]
    table.writerow(["molecule", "atom", "element", *header])
    for row, parameters in zip(molecules, predicted, strict=True):
        for atom, number in enumerate(parameters.atomic_numbers.tolist()):
            element = Chem.GetPeriodicTable().GetElementSymbol(number)
            values = [f"{getattr(parameters, name)[atom]:.6g}" for name in ATOM_PARAMETERS]
            table.writerow([row["name"], atom, element, *values])
print(f"wrote {arguments.output}")
