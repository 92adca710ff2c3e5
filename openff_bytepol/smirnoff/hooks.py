"""Three additions to ``Interchange`` that its plugin interface has no place for.

They are made once one of our sections exists, and pass on Interchanges of other force
fields untouched.

- ``from_smirnoff`` builds standard sections without asking plugins, and hands plugins
  neither the force field nor ``charge_from_molecules``. It would drop charges given by the
  user, overwrite standard parameters with predicted ones, or lose constraints, all
  silently; it is made to check first (`guards`).
- ``to_openmm`` exports the fixed-charge projection before a plugin can put polarizable
  forces in its place; it is made to leave the projection out, and so unmade. Without
  this the result would be the same, later.
- JSON with collections of plugins, which Interchange writes but cannot read, becomes
  readable.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from openff_bytepol.smirnoff.guards import (
    check_cutoff,
    check_domain,
    check_force_field,
    with_predicted_constraints,
)
from openff_bytepol.smirnoff.registration import TAG_PREFIX

if TYPE_CHECKING:
    import openmm
    from openff.interchange import Interchange

_TAKES_PLACE_OF: Final = {
    "BytePolNonbonded": ("vdW", "Electrostatics"),
    "BytePolPolarizableTorsions": ("ProperTorsions",),
}
"""Collection of the polarizable energy → collections of the projection."""


def extend_interchange() -> None:
    """Make the three additions, once."""
    from openff.interchange import Interchange

    original = Interchange.from_smirnoff.__func__
    if hasattr(original, "checks_bytepol"):
        return
    Interchange.from_smirnoff = classmethod(_checking(original))
    Interchange.to_openmm_system = _without_projection(Interchange.to_openmm_system)
    Interchange.to_openmm = Interchange.to_openmm_system
    _read_plugin_collections()


def _checking(original: Any) -> Any:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def from_smirnoff(*args: Any, **kwargs: Any) -> Interchange:
        bound = signature.bind(*args, **kwargs)
        force_field = bound.arguments["force_field"]
        sections = force_field.registered_parameter_handlers
        if not any(tag.startswith(TAG_PREFIX) for tag in sections):
            return original(*args, **kwargs)
        check_force_field(force_field, bound.arguments.get("charge_from_molecules"))
        bound.arguments["force_field"] = with_predicted_constraints(force_field)
        check_domain(force_field, _as_topology(bound.arguments["topology"]))
        with _paused_garbage_collection():
            interchange = original(*bound.args, **bound.kwargs)
        check_cutoff(interchange.box, interchange["vdW"].cutoff)
        if "BytePolNonbonded" not in sections:
            _ = [collection.key_map for collection in interchange.collections.values()]
        return interchange

    from_smirnoff.checks_bytepol = True  # type: ignore[attr-defined]
    return from_smirnoff


def _as_topology(molecules: Any) -> Any:
    from openff.toolkit import Topology

    return Topology.from_molecules(molecules) if isinstance(molecules, list) else molecules


def _without_projection(original: Any) -> Any:
    @functools.wraps(original)
    def to_openmm_system(self: Interchange, *args: Any, **kwargs: Any) -> openmm.System:
        replaced = [
            name
            for polarizable, names in _TAKES_PLACE_OF.items()
            for name in names
            if polarizable in self.collections
        ]
        if not replaced:
            return original(self, *args, **kwargs)
        kept = {name: c for name, c in self.collections.items() if name not in replaced}
        return original(self.model_copy(update={"collections": kept}), *args, **kwargs)

    return to_openmm_system


@contextlib.contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    """Make many objects that all stay without searching them for garbage again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read_plugin_collections() -> None:
    """Let ``Interchange.model_validate_json`` read collections of plugins.

    Upstream knows the standard collections only, by name.
    """
    from openff.interchange import Interchange
    from openff.interchange.components.potentials import validate_collections
    from pydantic import WrapValidator

    def validate(value: Any, handler: Any, info: Any) -> dict[str, Any]:
        from openff.interchange.plugins import load_smirnoff_plugins

        plugins = {c.model_fields["type"].default: c for c in load_smirnoff_plugins()}
        return {
            name: plugins[name].model_validate(data)
            if name in plugins and plugins[name].model_fields["is_plugin"].default
            else validate_collections({name: data}, handler, info)[name]
            for name, data in value.items()
        }

    Interchange.model_fields["collections"].metadata = [WrapValidator(validate)]
    Interchange.model_rebuild(force=True)
