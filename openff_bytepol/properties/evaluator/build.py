"""Systems from molecules, for Evaluator's workflows."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openff.evaluator.forcefield import ForceFieldSource, SmirnoffForceFieldSource
from openff.evaluator.forcefield.system import ParameterizedSystem
from openff.evaluator.protocols.forcefield import BaseBuildSystem
from openff.evaluator.workflow import workflow_protocol
from openff.evaluator.workflow.attributes import InputAttribute
from openmm import app

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.properties.box import SYSTEM_FILE, Box, describe
from openff_bytepol.properties.force_fields import Parameters

if TYPE_CHECKING:
    from openff.toolkit import Molecule, Topology


@workflow_protocol()
class BuildBytePolSystem(BaseBuildSystem):
    """Parameters of any SMIRNOFF force field, polarizable ones included.

    Beside the system it writes what the box contains (`openff_bytepol.properties.box`).
    """

    enable_pbc = InputAttribute(
        docstring="Periodic boundary conditions. Without them there is no cutoff either.",
        type_hint=bool,
        default_value=True,
    )

    def _execute(self, directory: str, available_resources: Any) -> None:  # noqa: ARG002
        source = ForceFieldSource.from_json(self.force_field_path)
        if not isinstance(source, SmirnoffForceFieldSource):
            raise ForceFieldError(
                f"{type(source).__name__} is not a SMIRNOFF force field; make the source with "
                "openff_bytepol.properties.evaluator.force_field_source"
            )
        parameters = Parameters.load(source.to_force_field())
        topology = self._topology()
        interchange = parameters.interchange(topology)
        plugins = any(collection.is_plugin for collection in interchange.collections.values())
        system = interchange.to_openmm(
            combine_nonbonded_forces=not plugins, add_constrained_forces=False
        )
        molecules, counts = _kinds(topology)
        box = describe(interchange, system, molecules, counts, parameters)
        folder = Path(directory)
        box.write(folder, system, Path(self.coordinate_file_path).read_text("utf-8"))
        self.parameterized_system = ParameterizedSystem(
            substance=self.substance,
            force_field=source,
            topology_path=self.coordinate_file_path,
            system_path=str(folder / SYSTEM_FILE),
        )

    def _topology(self) -> Topology:
        from openff.toolkit import Molecule, Topology

        molecules = [Molecule.from_smiles(part.smiles) for part in self.substance.components]
        topology = Topology.from_openmm(
            app.PDBFile(self.coordinate_file_path).topology, unique_molecules=molecules
        )
        if not self.enable_pbc:
            topology.box_vectors = None
        return topology


def box_of(system: ParameterizedSystem) -> Box:
    """What the box of a system that `BuildBytePolSystem` made contains.

    Raises
    ------
    ForceFieldError
        If another protocol made it.
    """
    folder = Path(system.system_path).parent
    try:
        return Box.read(folder)
    except FileNotFoundError as error:
        raise ForceFieldError(
            f"{folder} does not say what the box contains; build the system with "
            "BuildBytePolSystem, as the schemas of BytePolSimulationLayer do"
        ) from error


def _kinds(topology: Topology) -> tuple[list[Molecule], list[int]]:
    """Molecules and copies, in the order of the topology."""
    molecules, counts = [], []
    for _, copies in groupby(topology.molecules, key=lambda m: m.to_smiles(mapped=False)):
        same = list(copies)
        molecules.append(same[0])
        counts.append(len(same))
    return molecules, counts
