"""OpenMM files of an Interchange, with a script that runs them without this package."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

import openmm
from openff.units.elements import SYMBOLS
from openmm import app, unit

from openff_bytepol.exceptions import ExportError
from openff_bytepol.interop.export_checks import without_companions
from openff_bytepol.interop.names import atom_names
from openff_bytepol.interop.outputs import write_files

if TYPE_CHECKING:
    from openff.interchange import Interchange

_LARGEST_PDB: Final = 99_999
"""Atoms that a PDB file can number."""

_READERS: Final = {".pdb": app.PDBFile, ".cif": app.PDBxFile}

_SCRIPT: Final = Template('''\
"""Minimise $name and run dynamics with OpenMM; written by openff-bytepol.

Usage: python $script [number of steps]
"""

import sys
from pathlib import Path

import openmm
from openmm import app, unit

PREFIX = str(Path(__file__).with_name("$name"))
TEMPERATURE = 298.15 * unit.kelvin
PRESSURE = 1.0 * unit.bar
FRICTION = 1.0 / unit.picosecond
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000

system = openmm.XmlSerializer.deserialize(Path(PREFIX + "_system.xml").read_text())
state = openmm.XmlSerializer.deserialize(Path(PREFIX + "_state.xml").read_text())
topology = app.$reader(PREFIX + "$suffix").topology
if system.usesPeriodicBoundaryConditions():
    system.addForce(openmm.MonteCarloBarostat(PRESSURE, TEMPERATURE))
$integrator
simulation = app.Simulation(topology, system, integrator)
simulation.context.setState(state)
simulation.minimizeEnergy(maxIterations=1000)
simulation.context.setVelocitiesToTemperature(TEMPERATURE)
interval = max(STEPS // 100, 1)
simulation.reporters += [
    app.DCDReporter(PREFIX + "_trajectory.dcd", interval),
    app.StateDataReporter(
        PREFIX + "_run.csv", interval, step=True, time=True, potentialEnergy=True,
        temperature=True, density=system.usesPeriodicBoundaryConditions(),
    ),
    app.StateDataReporter(sys.stdout, interval, step=True, speed=True),
]
simulation.step(STEPS)
simulation.saveState(PREFIX + "_final.xml")
''')
_LANGEVIN: Final = """\
integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, FRICTION, $step * unit.femtosecond)
"""
_MULTIPLE_STEPS: Final = """\
# Bonded terms (group 0) every 1 fs; between molecules (group 1) every 2 fs.
integrator = openmm.MTSLangevinIntegrator(
    TEMPERATURE, FRICTION, 2.0 * unit.femtosecond, [(1, 1), (0, 2)]
)
"""


def export_openmm(
    interchange: Interchange,
    prefix: str | Path,
    *,
    fixed_charge: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Write OpenMM files of an Interchange.

    Written are ``PREFIX_system.xml``, the starting positions and box ``PREFIX_state.xml``
    (in full precision), the structure ``PREFIX.pdb`` (``PREFIX.cif`` beyond 99,999 atoms) and
    ``PREFIX_run.py``, which minimises and runs dynamics with OpenMM alone. All files
    appear or none.

    Parameters
    ----------
    interchange
        With positions; with a box where the system is periodic.
    prefix
        Path without extension.
    fixed_charge
        Of a polarizable Interchange, write the fixed-charge projection.
    overwrite
        Replace files that exist.

    Returns
    -------
    list of Path
        The files, system first.

    Raises
    ------
    ExportError
        If the Interchange has no positions or has virtual sites.
    OutputExistsError
        If a file exists and ``overwrite`` is false.
    """
    if interchange.positions is None:
        raise ExportError("the Interchange has no positions; set interchange.positions")
    fixed = without_companions(interchange)
    polarizable = not fixed_charge and len(fixed.collections) < len(interchange.collections)
    system = (interchange if polarizable else fixed).to_openmm(
        combine_nonbonded_forces=not polarizable
    )
    if system.getNumParticles() != interchange.topology.n_atoms:
        raise ExportError("virtual sites cannot be written; use Interchange.to_openmm itself")
    name = Path(prefix).name
    structure = StringIO()
    positions = interchange.positions.m_as("nanometer") * unit.nanometer
    suffix = ".pdb" if system.getNumParticles() <= _LARGEST_PDB else ".cif"
    _READERS[suffix].writeFile(_topology(interchange), positions, structure, keepIds=True)
    contents = {
        Path(f"{prefix}_system.xml"): openmm.XmlSerializer.serialize(system),
        Path(f"{prefix}_state.xml"): _state_text(system, positions),
        Path(f"{prefix}{suffix}"): structure.getvalue(),
        Path(f"{prefix}_run.py"): _script_text(name, suffix, system, polarizable=polarizable),
    }
    return write_files(contents, overwrite=overwrite)


def _topology(interchange: Interchange) -> app.Topology:
    """OpenMM topology in which every atom and residue has a name."""
    topology = app.Topology()
    chain = topology.addChain()
    for molecule in interchange.topology.molecules:
        labels = atom_names(molecule)
        atoms: list[Any] = []
        for atom, name, residue_name, index in zip(
            molecule.atoms, labels.atoms, labels.residue_names, labels.residues, strict=True
        ):
            if not atoms or index != labels.residues[len(atoms) - 1]:
                residue = topology.addResidue(residue_name, chain)
            element = app.Element.getBySymbol(SYMBOLS[atom.atomic_number])
            atoms.append(topology.addAtom(name, element, residue))
        for bond in molecule.bonds:
            ends = (molecule.atom_index(bond.atom1), molecule.atom_index(bond.atom2))
            topology.addBond(*(atoms[end] for end in ends))
    if interchange.box is not None:
        topology.setPeriodicBoxVectors(interchange.box.m_as("nanometer") * unit.nanometer)
    return topology


def _state_text(system: openmm.System, positions: unit.Quantity) -> str:
    particles = openmm.System()
    for index in range(system.getNumParticles()):
        particles.addParticle(system.getParticleMass(index))
    particles.setDefaultPeriodicBoxVectors(*system.getDefaultPeriodicBoxVectors())
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(particles, openmm.VerletIntegrator(0.001), reference)
    context.setPositions(positions)
    return str(openmm.XmlSerializer.serialize(context.getState(positions=True)))


def _script_text(name: str, suffix: str, system: openmm.System, *, polarizable: bool) -> str:
    step = 2.0 if system.getNumConstraints() else 1.0
    integrator = _MULTIPLE_STEPS if polarizable else Template(_LANGEVIN).substitute(step=step)
    return _SCRIPT.substitute(
        name=name,
        script=f"{name}_run.py",
        suffix=suffix,
        reader=_READERS[suffix].__name__,
        integrator=integrator.rstrip(),
    )
