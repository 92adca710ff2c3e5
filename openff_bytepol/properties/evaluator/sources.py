"""Force fields as Evaluator wants them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from openff.evaluator.forcefield import SmirnoffForceFieldSource

from openff_bytepol.exceptions import ForceFieldError
from openff_bytepol.smirnoff.registration import TAG_PREFIX

if TYPE_CHECKING:
    from openff.toolkit import ForceField

    from openff_bytepol.nn.model import Model


def force_field_source(
    force_field: str | Path | ForceField = "bytepol.offxml",
    *,
    model: str | Path | Model | None = None,
    fixed: bool = False,
) -> SmirnoffForceFieldSource:
    """A force field for ``EvaluatorClient.request_estimate``.

    The source holds the SHA-256 of the model's weights. Evaluator recognises stored
    simulations by the text of the source, so that other weights never reuse them, and a
    worker whose model has other weights refuses to run.

    Parameters
    ----------
    force_field
        Name or path of an OFFXML file, or the force field itself.
    model
        Name or directory of a model (one imported from ByteFF-Pol, for instance), in place of
        a force field. Workers on other machines find models by name in the directories of
        ``BYTEPOL_MODEL_PATH``.
    fixed
        With a model: its fixed-charge projection instead of the polarizable force field. Bonds
        to hydrogen are constrained as in the force field file beside the model.

    Returns
    -------
    SmirnoffForceFieldSource

    Raises
    ------
    ForceFieldError
        If a bytepol section does not name its weights.
    ModelError
        If the model cannot be loaded.
    """
    from openff.toolkit import ForceField as OpenFFForceField

    if model is not None:
        from openff_bytepol.smirnoff.writing import is_constrained, offxml_text

        text = offxml_text(model, fixed=fixed, constraints=is_constrained(model))
        loaded = OpenFFForceField(text, load_plugins=True)
    elif isinstance(force_field, OpenFFForceField):
        loaded = force_field
    else:
        loaded = OpenFFForceField(str(force_field), load_plugins=True)
    for tag in loaded.registered_parameter_handlers:
        if tag.startswith(TAG_PREFIX) and not loaded.get_parameter_handler(tag).sha256:
            raise ForceFieldError(
                f"<{tag}> has no sha256, so that results of different weights could be mixed up; "
                "write the force field with openff_bytepol.smirnoff.write_offxml"
            )
    return SmirnoffForceFieldSource.from_object(loaded)
