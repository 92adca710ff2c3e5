"""Runs inside Psi4's own Python: reads job.json in the working directory, writes result.json.

Standard library and Psi4 only. Nothing of the job is executed as code.
"""

import json
from pathlib import Path


def main() -> None:
    """Compute the job of the working directory."""
    import numpy
    import psi4

    job = json.loads(Path("job.json").read_text())
    psi4.set_num_threads(job["ncores"])
    psi4.set_memory(job["memory_bytes"])
    molecule = psi4.geometry(job["molecule"])
    molecule.update_geometry()
    psi4.set_options({"basis": job["basis"], **job["keywords"]})
    run = {"energy": psi4.energy, "gradient": psi4.gradient}[job["driver"]]
    value, wavefunction = run(job["method"], molecule=molecule, return_wfn=True)
    variables = {}
    for owner in (psi4.core, wavefunction):
        source = owner.variables() if hasattr(owner, "variables") else owner.get_variables()
        for name, number in source.items():
            if isinstance(number, (int, float)):
                variables[name.lower()] = float(number)
    result = {
        "value": numpy.asarray(value).ravel().tolist() if job["driver"] == "gradient" else value,
        "energy": variables.get("current energy"),
        "variables": variables,
        "basis_functions": wavefunction.nso() if hasattr(wavefunction, "nso") else None,
        "version": psi4.__version__,
    }
    Path("result.json").write_text(json.dumps(result))


main()
