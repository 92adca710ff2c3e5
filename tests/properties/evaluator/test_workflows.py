"""Workflows on tiny boxes of water, in this process and through server, client and Dask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mdtraj
import numpy as np
import openmm
import pytest

pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")

from openff.evaluator.backends import ComputeResources
from openff.evaluator.client import RequestResult
from openff.evaluator.forcefield.system import ParameterizedSystem
from openff.evaluator.layers.reweighting import ReweightingLayer
from openff.evaluator.properties import (
    Density,
    DielectricConstant,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
)
from openff.evaluator.storage import LocalFileStorage
from openff.evaluator.storage.data import StoredSimulationData
from openff.evaluator.substances import Substance
from openff.evaluator.workflow import Workflow
from openff.toolkit import ForceField, Molecule
from openff.units import Quantity

from openff_bytepol.exceptions import CompositionError, ForceFieldError
from openff_bytepol.interop.openmm_multipoles import is_polarizable
from openff_bytepol.models import import_byteff2, save_model
from openff_bytepol.properties.box import Box
from openff_bytepol.properties.dielectric import clausius_mossotti
from openff_bytepol.properties.evaluator import (
    IonicConductivity,
    RunLengths,
    SelfDiffusion,
    ShearViscosity,
    force_field_source,
    simulation_schema,
)
from openff_bytepol.properties.evaluator.build import BuildBytePolSystem
from openff_bytepol.properties.evaluator.dipoles import BytePolDipoleMoments
from openff_bytepol.properties.evaluator.energies import BytePolEvaluateEnergies
from openff_bytepol.properties.evaluator.schemas import reweighting_schema, walk
from openff_bytepol.properties.evaluator.simulate import check_boundaries
from openff_bytepol.properties.evaluator.transport import AnalyseSelfDiffusion
from openff_bytepol.properties.observables import Observables
from tests.properties.evaluator.test_requests import measured

POLARIZABLE, FIXED = "bytepol.offxml", "bytepol-fixed.offxml"
FLEXIBLE = "bytepol-fixed_unconstrained.offxml"
STEP = 0.002
"""ps"""
SHORT = RunLengths(
    equilibration_ps=4 * STEP,
    production_ps=12 * STEP,
    gas_ps=24 * STEP,
    interval_ps=STEP,
    gas_interval_ps=STEP,
    transport_ps=100 * STEP,
)


def source(name: str):
    """A cutoff that fits into a box of 32 water molecules."""
    force_field = ForceField(name, load_plugins=True)
    for tag in ("BytePolvdW", "BytePolElectrostatics", "BytePolNonbonded"):
        if tag in force_field.registered_parameter_handlers:
            force_field[tag].cutoff = Quantity(4.0, "angstrom")
    return force_field_source(force_field)


def schema_of(kind, lengths=SHORT):
    schema = simulation_schema(kind, n_molecules=32, lengths=lengths)
    for protocol in walk(schema.workflow_schema.protocol_schemas):
        if protocol.type == "BytePolEnergyMinimisation":
            protocol.inputs[".max_iterations"] = 30
    return schema


def workflow(kind, name, folder, *smiles, lengths=SHORT, **options):
    path = folder / "force-field.json"
    path.write_text(source(name).json())
    entry = measured(kind, *smiles, **options)
    made = Workflow(Workflow.generate_default_metadata(entry, str(path), []))
    made.schema = schema_of(kind, lengths).workflow_schema
    return made


def estimate(kind, name, folder, *smiles, **options):
    made = workflow(kind, name, folder, *smiles, **options)
    [result] = made.to_graph().execute(str(folder / "run"), compute_resources=ComputeResources(1))
    assert not result.exceptions, "".join(result.exceptions[0].message)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("name", [POLARIZABLE, FIXED, FLEXIBLE])
def test_density(tmp_path, name):
    result = estimate(Density, name, tmp_path, "O")
    assert 0.3 < result.value.value.m_as("gram / milliliter") < 1.5
    assert len(result.data_to_store) == 1
    [statistics] = (tmp_path / "run").rglob("*production_simulation/openmm_statistics.csv")
    steps = np.genfromtxt(statistics, delimiter=",", skip_header=1)[:, 0]
    assert steps[-1] == (24 if name == FLEXIBLE else 12), "the same time in all"


@pytest.mark.slow
def test_dielectric_constant_of_a_polarizable_liquid(tmp_path):
    value = estimate(DielectricConstant, POLARIZABLE, tmp_path, "O").value.value
    [system] = (tmp_path / "run").rglob("*assign_parameters/system.xml")
    box = Box.read(system.parent)
    [statistics] = (tmp_path / "run").rglob("*production_simulation/openmm_statistics.csv")
    table = np.genfromtxt(statistics, delimiter=",", names=True, deletechars="")
    [name] = [name for name in table.dtype.names if "Volume" in name]
    electronic = clausius_mossotti(32 * box.kinds[0].polarizability, 1000 * table[name].mean())
    assert electronic > 1.1
    assert electronic - 1e-9 < value.m_as("dimensionless") < electronic + 5.0


@pytest.mark.slow
def test_dipoles_of_stored_frames_hold_induced_dipoles(tmp_path):
    made = workflow(DielectricConstant, POLARIZABLE, tmp_path, "O")
    [result] = made.to_graph().execute(str(tmp_path / "run"), compute_resources=ComputeResources(1))
    assert not result.exceptions
    [path] = (tmp_path / "run").rglob("*assign_parameters/system.xml")
    [trajectory] = (tmp_path / "run").rglob("*production_simulation/trajectory.dcd")
    system = openmm.XmlSerializer.deserialize(path.read_text())
    protocol = BytePolDipoleMoments("dipoles")
    protocol.parameterized_system = ParameterizedSystem(
        topology_path=str(path.with_name("topology.pdb")), system_path=str(path)
    )
    protocol.trajectory_path = str(trajectory)
    protocol._execute(str(tmp_path), ComputeResources(1))
    moments = protocol.dipole_moments.value.m_as("debye")
    frame = mdtraj.load_frame(str(trajectory), 7, top=str(path.with_name("topology.pdb")))
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPeriodicBoxVectors(*(np.diag(frame.unitcell_lengths[0]).tolist()))
    context.setPositions(frame.xyz[0])
    [force] = [f for f in system.getForces() if isinstance(f, openmm.AmoebaMultipoleForce)]
    expected = np.asarray(force.getSystemMultipoleMoments(context))[1:4]
    np.testing.assert_allclose(moments[7], expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_enthalpy_of_vaporization(tmp_path):
    result = estimate(EnthalpyOfVaporization, POLARIZABLE, tmp_path, "O")
    assert np.isfinite(result.value.value.m_as("kilojoule / mole"))
    [system] = (tmp_path / "run").rglob("*assign_parameters_gas/box.json")
    assert not json.loads(system.read_text())["periodic"]


def test_imported_models_build_systems(tmp_path, reference_data):
    """With 1-4 induction scaled by 1/2: three multipole forces in one, which have no box."""
    save_model(
        import_byteff2(reference_data / "reference" / "byteff_pol_checkpoint"), tmp_path / "model"
    )
    molecule = Molecule.from_smiles("CO")
    molecule.generate_conformers(n_conformers=1)
    topology = molecule.to_topology()
    topology.box_vectors = Quantity(3.0 * np.eye(3), "nanometer")
    topology.to_file(str(tmp_path / "methanol.pdb"))
    path = tmp_path / "force-field.json"
    path.write_text(force_field_source(model=tmp_path / "model").json())
    build = BuildBytePolSystem("build")
    build.force_field_path = str(path)
    build.coordinate_file_path = str(tmp_path / "methanol.pdb")
    build.substance = Substance.from_components("CO")
    for periodic in (True, False):
        build.enable_pbc = periodic
        build._execute(str(tmp_path), ComputeResources(1))
        system = build.parameterized_system.system
        assert system.usesPeriodicBoundaryConditions() is periodic
        assert is_polarizable(system)
        assert any(isinstance(force, openmm.CustomCVForce) for force in system.getForces())
        check_boundaries(system, periodic)
        with pytest.raises(ForceFieldError, match="enable_pbc"):
            check_boundaries(system, not periodic)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [EnthalpyOfMixing, ExcessMolarVolume])
def test_mixtures(tmp_path, kind):
    result = estimate(kind, FIXED, tmp_path, "O", "CO")
    assert np.isfinite(result.value.value.magnitude)
    assert len(result.data_to_store) == 3


def brownian(folder, diffusion, names=("O",)):
    """Random walks of 200 molecules, ``diffusion`` in Å²/ps, as a recorded series."""
    random = np.random.default_rng(3)
    n_frames, n_molecules, interval = 2000, 200, 1.0
    jumps = random.normal(scale=np.sqrt(2 * diffusion * interval), size=(n_frames, n_molecules, 3))
    folder.mkdir()
    Observables(
        names=names,
        molar_masses=(18.0,) * len(names),
        charges=(0.0,) * len(names),
        component_index=np.arange(n_molecules) % len(names),
        degrees_of_freedom=3 * n_molecules,
        temperature=298.15,
        pressure=None,
        times=interval * np.arange(n_frames),
        potential_energies=np.zeros(n_frames),
        kinetic_energies=np.zeros(n_frames),
        boxes=np.tile(20.0 * np.eye(3), (n_frames, 1, 1)),
        centers=jumps.cumsum(axis=0),
    ).save(folder / "series-000000002000.npz")


def test_analysis_of_diffusion(tmp_path):
    brownian(tmp_path / "run", 0.25)
    protocol = AnalyseSelfDiffusion("analysis")
    protocol.run_folder = str(tmp_path / "run")
    protocol._execute(str(tmp_path), ComputeResources(1))
    assert protocol.value.value.m_as("angstrom ** 2 / picosecond") == pytest.approx(0.25, rel=0.05)
    assert 0.0 < protocol.value.error.m_as("angstrom ** 2 / picosecond") < 0.03
    assert "Einstein" in json.loads((tmp_path / "estimate.json").read_text())["method"]


def test_component_that_diffuses(tmp_path):
    brownian(tmp_path / "run", 0.25, names=("CO", "O"))
    protocol = AnalyseSelfDiffusion("analysis")
    protocol.run_folder = str(tmp_path / "run")
    protocol.component = "[H]OC"
    protocol._execute(str(tmp_path), ComputeResources(1))
    details = json.loads((tmp_path / "estimate.json").read_text())["details"]
    assert details["component"] == "CO"
    protocol.component = ""
    with pytest.raises(CompositionError, match="component=SMILES"):
        protocol._execute(str(tmp_path), ComputeResources(1))


@pytest.mark.slow
def test_centres_of_mass_for_diffusion(tmp_path):
    made = workflow(SelfDiffusion, FIXED, tmp_path, "O")
    [result] = made.to_graph().execute(str(tmp_path / "run"), compute_resources=ComputeResources(1))
    assert "simulate longer" in "".join(result.exceptions[0].message)
    [chunk] = (tmp_path / "run").rglob("series-*.npz")
    recorded = Observables.load(chunk)
    assert recorded.names == ("O",)
    assert recorded.centers.shape == (100, 32, 3)
    assert np.ptp(recorded.volumes) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Density, EnthalpyOfVaporization])
def test_reweighting_to_the_same_force_field_changes_nothing(tmp_path, monkeypatch, kind):
    """From what a simulation stored, through the layer's own selection of data."""
    lengths = replace(SHORT, production_ps=48 * STEP, gas_ps=48 * STEP)
    simulated = estimate(kind, FIXED, tmp_path, "O", lengths=lengths)
    monkeypatch.chdir(tmp_path)
    storage = LocalFileStorage("stored_data")
    key = storage.store_force_field(source(FIXED))
    for path, folder in simulated.data_to_store:
        data = StoredSimulationData.from_json(path)
        data.force_field_id, data.source_calculation_id = key, "first"
        storage.store_object(data, folder)
    schema = reweighting_schema(kind, n_effective_samples=1)
    entry = measured(kind, "O")
    Path("again").mkdir()
    metadata = ReweightingLayer._get_workflow_metadata(
        "again", entry, str(tmp_path / "force-field.json"), [], storage, schema
    )
    assert metadata is not None
    again = Workflow(metadata)
    again.schema = schema.workflow_schema
    [result] = again.to_graph().execute("again", compute_resources=ComputeResources(1))
    assert not result.exceptions, "".join(result.exceptions[0].message)
    error = simulated.value.error + result.value.error
    assert abs(result.value.value - simulated.value.value) <= 3 * error + 1e-3 * abs(
        simulated.value.value
    )


@pytest.mark.slow
def test_energies_of_stored_frames(tmp_path):
    [(path, folder)] = estimate(Density, FIXED, tmp_path, "O").data_to_store
    stored = StoredSimulationData.from_json(path)
    [system] = (tmp_path / "run").rglob("*assign_parameters/system.xml")
    protocol = BytePolEvaluateEnergies("energies")
    protocol.thermodynamic_state = stored.thermodynamic_state
    protocol.parameterized_system = ParameterizedSystem(
        topology_path=str(system.with_name("topology.pdb")), system_path=str(system)
    )
    protocol.trajectory_file_path = str(Path(folder) / stored.trajectory_file_name)
    protocol._execute(str(tmp_path), ComputeResources(1))
    for kind, unit in (("PotentialEnergy", "kilojoule / mole"), ("ReducedPotential", "")):
        found = protocol.output_observables[kind].value.m_as(unit)
        expected = stored.observables[kind].value.m_as(unit)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=0.1)


@pytest.mark.slow
def test_errors_name_the_remedy(tmp_path):
    made = workflow(IonicConductivity, FIXED, tmp_path, "O")
    [result] = made.to_graph().execute(str(tmp_path / "run"), compute_resources=ComputeResources(1))
    assert "no ions" in "".join(result.exceptions[0].message)


@pytest.mark.slow
def test_pressure_tensors_for_viscosity(tmp_path):
    made = workflow(ShearViscosity, FIXED, tmp_path, "O")
    [result] = made.to_graph().execute(str(tmp_path / "run"), compute_resources=ComputeResources(1))
    if result.exceptions:
        assert "simulate longer" in "".join(result.exceptions[0].message)
    chunks = list((tmp_path / "run").rglob("series-*.npz"))
    with np.load(chunks[0]) as archive:
        assert archive["pressure_tensors_atm"].shape[1:] == (3, 3)
        assert "centers_angstrom" not in archive


SERVER = """
from pathlib import Path

from openff.evaluator.backends import ComputeResources
from openff.evaluator.backends.dask import DaskLocalCluster
from openff.evaluator.client import ConnectionOptions, EvaluatorClient
from openff.evaluator.datasets import PhysicalPropertyDataSet
from openff.evaluator.properties import Density
from openff.evaluator.server import EvaluatorServer
from openff_bytepol.properties.evaluator import SelfDiffusion, estimation_options
from tests.properties.evaluator.test_requests import measured
from tests.properties.evaluator.test_workflows import FIXED, SHORT, schema_of, source

data = PhysicalPropertyDataSet()
data.add_properties(measured(Density, "O"), measured(SelfDiffusion, "O"))
options = estimation_options(data, n_molecules=32, lengths=SHORT)
for kind in (Density, SelfDiffusion):
    options.add_schema("BytePolSimulationLayer", kind, schema_of(kind))
with (
    DaskLocalCluster(1, ComputeResources(1)) as backend,
    EvaluatorServer(calculation_backend=backend, port=8123),
):
    client = EvaluatorClient(ConnectionOptions(server_port=8123))
    request, error = client.request_estimate(data, source(FIXED), options)
    assert error is None, error
    result, error = request.results(synchronous=True, polling_interval=1)
assert error is None, error
Path("result.json").write_text(result.json())
"""


@pytest.mark.slow
def test_server_client_and_dask(tmp_path):
    """In a process of its own: tasks are forked, and this one has run OpenMM."""
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    finished = subprocess.run(
        [sys.executable, "-c", SERVER],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    result = RequestResult.parse_json((tmp_path / "result.json").read_text())
    [density] = result.estimated_properties.properties_by_type("Density")
    assert 0.3 < density.value.m_as("gram / milliliter") < 1.5
    assert density.source.fidelity == "BytePolSimulationLayer"
    assert list((tmp_path / "stored_data").iterdir())
    others = [*result.estimated_properties.properties_by_type("SelfDiffusion"), *result.exceptions]
    assert others, "a value, or an error that says to simulate longer"
