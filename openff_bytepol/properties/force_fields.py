"""Any SMIRNOFF force field by name, and Interchanges from it."""

from __future__ import annotations

import hashlib
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from openff_bytepol.exceptions import BytePolError, ForceFieldError, MissingDependencyError

if TYPE_CHECKING:
    from openff.interchange import Interchange
    from openff.toolkit import ForceField, Molecule, Topology

POLARIZABLE: Final = "bytepol.offxml"
FIXED_CHARGE: Final = "bytepol-fixed.offxml"
POLARIZABLE_SECTION: Final = "BytePolNonbonded"
"""Of OFFXML files: holds the name and hash of the model."""
_NAGL_MODEL: Final = "openff-gnn-am1bcc-0.1.0-rc.3.pt"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Parameters:
    """A force field, ready to make Interchanges.

    Attributes
    ----------
    name
        As the user gave it.
    force_field
        An OpenFF ``ForceField``.
    sha256
        Of its OFFXML, which holds the hash of the weights.
    """

    name: str
    force_field: ForceField
    sha256: str

    @classmethod
    def load(cls, source: str | Path | ForceField | Parameters) -> Parameters:
        """Read a force field.

        Parameters
        ----------
        source
            Name of an installed OFFXML file, path of one, or a ``ForceField``. What
            this returned before is returned again.

        Raises
        ------
        ForceFieldError
            If there is none, or it cannot be read.
        MissingDependencyError
            If the OpenFF packages are not installed.
        """
        if isinstance(source, Parameters):
            return source
        try:
            from openff.toolkit import ForceField
        except ImportError as error:
            raise MissingDependencyError(
                f"the OpenFF packages are not installed ({error}); install them with "
                '`pip install "openff-bytepol[openff]"`'
            ) from error
        if isinstance(source, ForceField):
            force_field, name = source, "ForceField"
        else:
            name = str(source)
            try:
                force_field = ForceField(name, load_plugins=True)
            except OSError as error:
                raise ForceFieldError(
                    f"there is no force field {name!r}: give the name of an installed one, such "
                    f"as {FIXED_CHARGE} or openff-2.2.1.offxml, or the path of an OFFXML file"
                ) from error
        text = force_field.to_string(discard_cosmetic_attributes=True)
        return cls(name, force_field, hashlib.sha256(text.encode()).hexdigest())

    @property
    def is_polarizable(self) -> bool:
        """Whether OpenMM runs it with induced dipoles."""
        return POLARIZABLE_SECTION in self.force_field.registered_parameter_handlers

    def interchange(self, topology: Topology) -> Interchange:
        """Parameterize a topology.

        Where a force field asks for AM1-BCC charges and neither AmberTools nor OpenEye is
        installed, OpenFF NAGL predicts them (said in a log message).

        Raises
        ------
        ForceFieldError
            If the force field does not describe a molecule.
        """
        charged = self._nagl_charges(topology)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="this Interchange is polarizable")
            try:
                return self.force_field.create_interchange(topology, **charged)
            except BytePolError:
                raise
            except Exception as error:  # the toolkit and Interchange have no common base class
                raise ForceFieldError(
                    f"{self.name} does not describe this liquid: {error}"
                ) from error

    def _nagl_charges(self, topology: Topology) -> dict[str, Any]:
        import shutil

        from openff.toolkit.utils import GLOBAL_TOOLKIT_REGISTRY

        if "ToolkitAM1BCC" not in self.force_field.registered_parameter_handlers:
            return {}
        tools = {type(t).__name__ for t in GLOBAL_TOOLKIT_REGISTRY.registered_toolkits}
        if shutil.which("sqm") or "OpenEyeToolkitWrapper" in tools:
            return {}
        logger.warning(
            "%s wants AM1-BCC charges and AmberTools is not installed: charges are those of "
            "OpenFF NAGL (%s)",
            self.name,
            _NAGL_MODEL,
        )
        kinds: list[Molecule] = []
        for molecule in topology.unique_molecules:
            kinds.append(molecule)
            molecule.assign_partial_charges(_NAGL_MODEL)
        return {"charge_from_molecules": kinds}

    def molecular_polarizability(self, molecule: Molecule) -> float:
        """Isotropic polarizability of a molecule in one conformer, Å³; 0 with fixed charges."""
        if not self.is_polarizable:
            return 0.0
        import torch

        from openff_bytepol.interop.boxes import with_conformer
        from openff_bytepol.models import load_model
        from openff_bytepol.potentials import molecular_polarizabilities

        handler = self.force_field.get_parameter_handler(POLARIZABLE_SECTION)
        model = load_model(handler.model, expected_sha256=handler.sha256)
        xyz = with_conformer(molecule).conformers[0].m_as("angstrom")
        tensor = molecular_polarizabilities(model.predict([molecule])[0], torch.as_tensor(xyz))
        return float(torch.diagonal(tensor.reshape(3, 3)).mean())
