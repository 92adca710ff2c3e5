"""Sources, resources, schemas and options."""

from __future__ import annotations

import pytest

pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")

from openff.evaluator.attributes import UNDEFINED
from openff.evaluator.backends import ComputeResources
from openff.evaluator.client import RequestOptions
from openff.evaluator.datasets import PhysicalPropertyDataSet, PropertyPhase
from openff.evaluator.datasets.thermoml import ThermoMLDataSet
from openff.evaluator.forcefield import ForceFieldSource
from openff.evaluator.properties import Density, DielectricConstant, EnthalpyOfVaporization
from openff.evaluator.properties.binding import HostGuestBindingAffinity
from openff.evaluator.substances import Substance
from openff.evaluator.thermodynamics import ThermodynamicState
from openff.toolkit import ForceField
from openff.units import Quantity

from openff_bytepol.exceptions import EngineError, ForceFieldError, HashMismatchError, PropertyError
from openff_bytepol.interop.platforms import choose_platform
from openff_bytepol.models import load_model, save_model
from openff_bytepol.properties.evaluator import (
    RunLengths,
    SelfDiffusion,
    ShearViscosity,
    estimation_options,
    force_field_source,
    simulation_schema,
)
from openff_bytepol.properties.evaluator.resources import platform_of
from openff_bytepol.properties.evaluator.schemas import (
    REPLACEMENTS,
    REWEIGHTED_PROPERTIES,
    STATIC_PROPERTIES,
    replace_protocols,
    reweighting_schema,
    walk,
)
from openff_bytepol.properties.evaluator.simulate import refuse_gradients
from openff_bytepol.properties.evaluator.transport_properties import TRANSPORT_PROPERTIES

LAYER = "BytePolSimulationLayer"


def measured(kind, *smiles, uncertainty=0.0, **options):
    unit = kind.default_unit()
    return kind(
        thermodynamic_state=ThermodynamicState(
            Quantity(298.15, "kelvin"), Quantity(1.0, "atmosphere")
        ),
        phase=PropertyPhase.Liquid,
        substance=Substance.from_components(*smiles),
        value=1.0 * unit,
        uncertainty=None if uncertainty is None else uncertainty * unit,
        **options,
    )


def test_source_holds_the_hash_of_the_weights():
    source = force_field_source("bytepol-fixed.offxml")
    sha256 = load_model("bytepol").sha256
    assert sha256 in source.json()
    again = ForceFieldSource.parse_json(source.json()).to_force_field()
    assert again["BytePolBonds"].sha256 == sha256
    assert source.json() == force_field_source(ForceField("bytepol-fixed.offxml")).json()


def test_models_by_name_and_directory(tmp_path):
    named = force_field_source(model="bytepol")
    assert "BytePolNonbonded" in named.to_force_field().registered_parameter_handlers
    fixed = force_field_source(model="bytepol", fixed=True).to_force_field()
    assert "BytePolNonbonded" not in fixed.registered_parameter_handlers
    save_model(load_model("bytepol"), tmp_path / "own")
    own = force_field_source(model=tmp_path / "own")
    assert str(tmp_path / "own") in own.json()
    assert own.json() != named.json()


def test_source_without_hash_is_refused():
    force_field = ForceField("bytepol-fixed.offxml")
    force_field["BytePolBonds"].sha256 = ""
    with pytest.raises(ForceFieldError, match="no sha256"):
        force_field_source(force_field)


def test_workers_with_other_weights_refuse():
    from openff.toolkit import Molecule

    xml = force_field_source("bytepol-fixed.offxml").json()
    other = ForceFieldSource.parse_json(xml.replace(load_model("bytepol").sha256, "deadbeef" * 8))
    with pytest.raises(HashMismatchError):
        other.to_force_field().create_interchange(Molecule.from_smiles("O").to_topology())


def test_platforms():
    assert platform_of(ComputeResources(2)).name == "CPU"
    assert platform_of(ComputeResources(1), high_precision=True).name == "Reference"


@pytest.mark.parametrize("toolkit", ["auto", "CUDA", "OpenCL"])
def test_gpus(toolkit):
    resources = ComputeResources(1, 1, preferred_gpu_toolkit=ComputeResources.GPUToolkit(toolkit))
    best, _ = choose_platform()
    if best.getName() in ("CPU", "Reference"):
        with pytest.raises(EngineError, match=r"install OpenMM for this device"):
            platform_of(resources)
    elif toolkit in ("auto", best.getName()):
        assert platform_of(resources).name == best.getName()


@pytest.mark.parametrize(
    "kind", [*STATIC_PROPERTIES, *TRANSPORT_PROPERTIES], ids=lambda kind: kind.__name__
)
def test_schemas_are_complete(kind):
    schema = simulation_schema(kind, n_molecules=100)
    schema.validate()
    protocols = list(walk(schema.workflow_schema.protocol_schemas))
    types = {protocol.type for protocol in protocols}
    assert not types & set(REPLACEMENTS)
    assert {"BuildBytePolSystem", "BytePolEnergyMinimisation", "BytePolSimulation"} <= types
    text = schema.json()
    assert type(schema).parse_json(text).json() == text
    options = RequestOptions()
    options.calculation_layers = [LAYER]
    options.add_schema(LAYER, kind, schema)
    options.validate()


def test_replacement_reaches_into_groups():
    upstream = Density.default_simulation_schema(n_molecules=100).workflow_schema
    replace_protocols(upstream.protocol_schemas, REPLACEMENTS)
    inside = [
        protocol.type
        for group in upstream.protocol_schemas
        if group.type == "ConditionalGroup"
        for protocol in group.protocol_schemas.values()
    ]
    assert "BytePolSimulation" in inside


def test_the_gas_is_a_molecule_in_vacuum_for_a_sane_time():
    schema = simulation_schema(EnthalpyOfVaporization, lengths=RunLengths(gas_ps=100.0))
    protocols = {p.id: p for p in walk(schema.workflow_schema.protocol_schemas)}
    gas = protocols["production_simulation_gas"].inputs
    assert gas[".steps_per_iteration"] == 50_000
    assert not gas[".enable_pbc"]
    assert not protocols["assign_parameters_gas"].inputs[".enable_pbc"]
    assert protocols["assign_parameters_liquid"].inputs[".enable_pbc"]


def test_lengths():
    schema = simulation_schema(
        Density, lengths=RunLengths(production_ps=12.5, interval_ps=0.5, max_iterations=3)
    )
    protocols = {p.id: p for p in walk(schema.workflow_schema.protocol_schemas)}
    production = protocols["production_simulation"].inputs
    assert production[".output_frequency"] == 250
    assert production[".steps_per_iteration"] == 6250
    assert protocols["conditional_group"].inputs[".max_iterations"] == 3
    with pytest.raises(PropertyError, match="fewer than 12 frames"):
        RunLengths(production_ps=1.0, interval_ps=0.1)
    with pytest.raises(PropertyError, match="positive"):
        RunLengths(gas_ps=-1.0)


def test_unknown_properties_are_refused():
    with pytest.raises(PropertyError, match="there are those for Density"):
        simulation_schema(HostGuestBindingAffinity)


def test_options_for_a_data_set():
    data = PhysicalPropertyDataSet()
    data.add_properties(
        measured(Density, "CCO"),
        measured(DielectricConstant, "CCO"),
        measured(SelfDiffusion, "CCO", "O", component="O"),
    )
    target = Quantity(0.002, "gram / milliliter")
    options = estimation_options(data, n_molecules=50, absolute_tolerances={Density: target})
    options.validate()
    assert options.calculation_layers == [LAYER]
    assert options.calculation_schemas["Density"][LAYER].absolute_tolerance == target
    dielectric = options.calculation_schemas["DielectricConstant"][LAYER]
    assert dielectric.absolute_tolerance == UNDEFINED
    group = options.calculation_schemas["Density"][LAYER].workflow_schema.protocol_schemas
    assert len(next(p for p in group if p.id == "conditional_group").inputs[".conditions"]) == 1


def test_stored_simulations_are_tried_first():
    data = [measured(Density, "CCO"), measured(DielectricConstant, "CCO")]
    options = estimation_options(data, reuse=True)
    options.validate()
    assert options.calculation_layers == ["ReweightingLayer", LAYER]
    assert set(options.calculation_schemas["Density"]) == {"ReweightingLayer", LAYER}
    assert set(options.calculation_schemas["DielectricConstant"]) == {LAYER}
    with pytest.raises(PropertyError, match="cannot be reweighted"):
        reweighting_schema(DielectricConstant)


@pytest.mark.parametrize("kind", REWEIGHTED_PROPERTIES, ids=lambda kind: kind.__name__)
def test_schemas_of_reweighting(kind):
    schema = reweighting_schema(kind)
    schema.validate()
    protocols = list(walk(schema.workflow_schema.protocol_schemas))
    types = {protocol.type for protocol in protocols}
    assert not types & set(REPLACEMENTS)
    assert {"BuildBytePolSystem", "BytePolEvaluateEnergies"} <= types
    for protocol in protocols:
        if protocol.type in ("BuildBytePolSystem", "BytePolEvaluateEnergies"):
            assert protocol.inputs[".enable_pbc"] == ("_gas" not in protocol.id)


def test_transport_simulations_go_on_until_the_target():
    schema = simulation_schema(ShearViscosity, absolute_tolerance=Quantity(0.1, "mPa * s"))
    group = next(p for p in schema.workflow_schema.protocol_schemas if p.type == "ConditionalGroup")
    assert len(group.inputs[".conditions"]) == 1


def test_measurements_need_an_uncertainty():
    with pytest.raises(PropertyError, match="no uncertainty"):
        estimation_options([measured(Density, "O", uncertainty=None)])


def test_components_of_diffusion_survive_json():
    data = PhysicalPropertyDataSet()
    data.add_properties(measured(SelfDiffusion, "CCO", "O", component="O"))
    again = PhysicalPropertyDataSet.parse_json(data.json())
    assert again.properties[0].metadata == {"component": "O"}


def test_transport_properties_are_read_from_thermoml():
    names = {plugin.string_identifier for plugin in ThermoMLDataSet.registered_properties.values()}
    assert {"Viscosity, Pa*s", "Electrical conductivity, S/m"} <= names


def test_gradients_of_attributes_are_refused():
    refuse_gradients([])
    with pytest.raises(PropertyError, match="leave parameter_gradient_keys out"):
        refuse_gradients(["key"])
