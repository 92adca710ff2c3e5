"""Life beside a plugin of somebody else."""

from __future__ import annotations

import os

import pytest

from tests.smirnoff.test_loading import run_python

PLUGIN = """
from typing import Literal
from openff.interchange.smirnoff._base import SMIRNOFFCollection
from openff.toolkit import unit
from openff.toolkit.typing.engines.smirnoff.parameters import ParameterAttribute, ParameterHandler


class FieldHandler(ParameterHandler):
    _TAGNAME = "Field"
    strength = ParameterAttribute(unit=unit.volt / unit.nanometer)


class FieldCollection(SMIRNOFFCollection):
    type: Literal["Field"] = "Field"
    is_plugin: bool = True
    acts_as: str = ""
    expression: str = "-q*strength*x"
    strength: float = 0.0

    @classmethod
    def allowed_parameter_handlers(cls):
        return [FieldHandler]

    @classmethod
    def supported_parameters(cls):
        return []

    @classmethod
    def create(cls, parameter_handler, topology):
        return cls(strength=parameter_handler.strength.m)

    def modify_openmm_forces(self, interchange, system, **options):
        import openmm

        force = openmm.CustomExternalForce(f"{self.strength}*x")
        for particle in range(system.getNumParticles()):
            force.addParticle(particle)
        system.addForce(force)
"""

ENTRY_POINTS = """
[openff.toolkit.plugins.handlers]
Field = field_plugin:FieldHandler

[openff.interchange.plugins.collections]
Field = field_plugin:FieldCollection
"""

CODE = '''
from openff.interchange import Interchange
from openff.toolkit import ForceField, Molecule
field = """<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">
    <Field version="0.3" strength="2.0 * volt / nanometer"></Field>
</SMIRNOFF>"""
water = Molecule.from_smiles("O").to_topology()

def kinds(*sources):
    interchange = ForceField(*sources, load_plugins=True).create_interchange(water)
    for made in (interchange, Interchange.model_validate_json(interchange.model_dump_json())):
        yield {type(force).__name__ for force in made.to_openmm().getForces()}

for made in kinds("bytepol.offxml"):
    assert "AmoebaMultipoleForce" in made and "CustomExternalForce" not in made
for made in kinds("bytepol.offxml", field):
    assert {"AmoebaMultipoleForce", "CustomExternalForce"} <= made
for made in kinds("bytepol-fixed.offxml", field):
    assert {"NonbondedForce", "CustomExternalForce"} <= made
assert ForceField(field, load_plugins=True).registered_parameter_handlers == ["Field"]
'''


@pytest.mark.slow
def test_another_plugin_works_alone_and_together(tmp_path):
    (tmp_path / "field_plugin.py").write_text(PLUGIN)
    metadata = tmp_path / "field_plugin-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: field-plugin\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = run_python(CODE, PYTHONPATH=path)
    assert result.returncode == 0, result.stderr
