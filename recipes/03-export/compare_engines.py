"""Energy of one box of ethanol and water in OpenMM, GROMACS and AMBER, term by term."""

import argparse

from openff.toolkit import ForceField, Molecule

from openff_bytepol.exceptions import MissingDependencyError
from openff_bytepol.interop.boxes import pack_box
from openff_bytepol.interop.energies import TERMS
from openff_bytepol.interop.engines import amber_energy, gromacs_energy
from openff_bytepol.interop.openmm_energies import openmm_energy

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--copies", type=int, nargs=2, default=(40, 80))
arguments = parser.parse_args()

kinds = [Molecule.from_smiles("CCO"), Molecule.from_smiles("O")]
topology = pack_box(kinds, arguments.copies, density=0.85)
interchange = ForceField("bytepol-fixed_unconstrained.offxml").create_interchange(topology)

engines = {
    "GROMACS": (gromacs_energy, openmm_energy(interchange)),
    "AMBER": (amber_energy, openmm_energy(interchange, switched=False)),
}
for name, (run, reference) in engines.items():
    try:
        report = run(interchange)
    except MissingDependencyError as error:
        print(f"{name}: {error}")
        continue
    print(f"\n{report.engine} and {reference.engine}, kJ/mol")
    differences = report.differences(reference)
    for term in TERMS:
        if term in differences:
            value = report.terms.get(term, 0.0)
            print(f"{term:24s} {value:14.4f}   difference {differences[term]:+.1e}")
    print(f"{'total':24s} {report.total:14.4f}   difference {report.total - reference.total:+.1e}")
