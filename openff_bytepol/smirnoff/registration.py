"""How the OpenFF Toolkit finds our force fields by name.

``ForceField`` keeps the handlers of plugins only with ``load_plugins=True``. So that plain
``ForceField("bytepol.offxml")`` works too, `force_field_directories`, which the toolkit
calls before it reads any force field by name, also teaches
``ForceField._get_parameter_handler_class`` to register our handlers when it meets one of
our sections. Other force fields never reach that branch. Set the environment variable
``BYTEPOL_REGISTER_HANDLERS=0`` to leave the toolkit as it is and pass
``load_plugins=True``.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from openff.toolkit import ForceField

TAG_PREFIX: Final = "BytePol"
"""Every section of ours starts with it."""

_OPT_OUT: Final = "BYTEPOL_REGISTER_HANDLERS"


def force_field_directories() -> list[str]:
    """Directories with our OFFXML files; the toolkit's entry point."""
    if os.environ.get(_OPT_OUT, "1") != "0":
        register_on_demand()
    return [str(Path(__file__).parent / "offxml")]


def register_on_demand() -> None:
    """Let every ``ForceField`` register our handlers when it meets one of our sections."""
    from openff.toolkit import ForceField

    original = ForceField._get_parameter_handler_class
    if hasattr(original, "registers_bytepol"):
        return

    @functools.wraps(original)
    def get_parameter_handler_class(self: ForceField, tagname: str) -> Any:
        if tagname.startswith(TAG_PREFIX) and tagname not in self._parameter_handler_classes:
            from openff_bytepol.smirnoff.handlers import HANDLERS

            self._register_parameter_handler_classes(list(HANDLERS))
            self._plugin_parameter_handler_classes.extend(HANDLERS)
        return original(self, tagname)

    get_parameter_handler_class.registers_bytepol = True  # type: ignore[attr-defined]
    ForceField._get_parameter_handler_class = get_parameter_handler_class
