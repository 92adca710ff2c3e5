"""Workflows on tiny boxes of water, in this process and through server, client and Dask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")

from openff.evaluator.backends import ComputeResources
from openff.evaluator.backends.dask import DaskLocalCluster
from openff.evaluator.client import ConnectionOptions, EvaluatorClient
from openff.evaluator.datasets import PhysicalPropertyDataSet
from openff.evaluator.properties import (
    Density,
    DielectricConstant,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
)
from openff.evaluator.server import EvaluatorServer
from openff.evaluator.workflow import Workflow
from openff.toolkit import ForceField
from openff.units import Quantity

from openff_bytepol.properties.evaluator import (
    IonicConductivity,
    RunLengths,
    SelfDiffusion,
    ShearViscosity,
    estimation_options,
    force_field_source,
    simulation_schema,
)
from openff_bytepol.properties.evaluator.schemas import walk
from tests.properties.evaluator.test_requests import measured

POLARIZABLE, FIXED = "bytepol.offxml", "bytepol-fixed.offxml"
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
            protocol.inputs[".max_iterations"] = 5
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
@pytest.mark.parametrize("name", [POLARIZABLE, FIXED])
def test_density(tmp_path, name):
    result = estimate(Density, name, tmp_path, "O")
    assert 0.3 < result.value.value.m_as("gram / milliliter") < 1.5
    assert len(result.data_to_store) == 1
    [statistics] = (tmp_path / "run").rglob("*production_simulation/openmm_statistics.csv")
    steps = np.genfromtxt(statistics, delimiter=",", skip_header=1)[:, 0]
    assert steps[-1] == (12 if name == POLARIZABLE else 24), "the same time in all"


@pytest.mark.slow
def test_dielectric_constant_of_a_polarizable_liquid(tmp_path):
    value = estimate(DielectricConstant, POLARIZABLE, tmp_path, "O").value.value
    electronic = 1.4
    assert value.m_as("dimensionless") > electronic


@pytest.mark.slow
def test_enthalpy_of_vaporization(tmp_path):
    result = estimate(EnthalpyOfVaporization, POLARIZABLE, tmp_path, "O")
    assert np.isfinite(result.value.value.m_as("kilojoule / mole"))
    [system] = (tmp_path / "run").rglob("*assign_parameters_gas/box.json")
    assert not json.loads(system.read_text())["periodic"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [EnthalpyOfMixing, ExcessMolarVolume])
def test_mixtures(tmp_path, kind):
    result = estimate(kind, FIXED, tmp_path, "O", "CO")
    assert np.isfinite(result.value.value.magnitude)
    assert len(result.data_to_store) == 3


@pytest.mark.slow
def test_transport(tmp_path):
    (tmp_path / "diffusion").mkdir()
    value = estimate(SelfDiffusion, FIXED, tmp_path / "diffusion", "O").value.value
    assert value.check("[length] ** 2 / [time]")
    [file] = (tmp_path / "diffusion").rglob("estimate.json")
    assert "Einstein" in json.loads(file.read_text())["method"]


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


@pytest.mark.slow
def test_server_client_and_dask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = PhysicalPropertyDataSet()
    data.add_properties(measured(Density, "O"), measured(SelfDiffusion, "O"))
    options = estimation_options(data, n_molecules=32, lengths=SHORT)
    for kind in (Density, SelfDiffusion):
        options.add_schema("BytePolSimulationLayer", kind, schema_of(kind))
    port = 8123
    with (
        DaskLocalCluster(1, ComputeResources(1)) as backend,
        EvaluatorServer(calculation_backend=backend, port=port, delete_working_files=False),
    ):
        client = EvaluatorClient(ConnectionOptions(server_port=port))
        request, error = client.request_estimate(data, source(FIXED), options)
        assert error is None
        result, error = request.results(synchronous=True, polling_interval=1)
    assert error is None
    assert not result.exceptions, [str(e) for e in result.exceptions]
    assert len(result.estimated_properties) == 2
    [density] = result.estimated_properties.properties_by_type("Density")
    assert 0.3 < density.value.m_as("gram / milliliter") < 1.5
    assert density.source.fidelity == "BytePolSimulationLayer"
    assert list(Path("stored_data").iterdir())
