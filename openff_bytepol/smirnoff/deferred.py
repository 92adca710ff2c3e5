"""Collections that are filled when somebody first looks at their terms.

The fixed-charge projection takes longer than all other parameters of a molecule, and a
polarizable simulation does not need it: only files of other engines do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from openff.interchange.components.potentials import Collection
from pydantic import PrivateAttr, SerializerFunctionWrapHandler, model_serializer

_CONTENTS: Final = ("key_map", "potentials")


class _Recipe:
    """How to fill a collection; copies of the collection share it."""

    def __init__(self, fill: Callable[[Any], None]) -> None:
        self.fill = fill

    def __deepcopy__(self, memo: dict[int, Any]) -> _Recipe:
        return self


class DeferredCollection(Collection):
    """Base class of collections whose ``key_map`` and ``potentials`` are made on demand.

    Until then the two fields are absent, so that Python asks ``__getattr__`` for them.
    """

    _recipe: _Recipe | None = PrivateAttr(default=None)

    def defer(self, fill: Callable[[Any], None]) -> None:
        """Have a function fill the empty collection, in place, when it is needed."""
        self._recipe = _Recipe(fill)
        for name in _CONTENTS:
            del self.__dict__[name]

    def __getattr__(self, name: str) -> Any:
        if name not in _CONTENTS:
            return super().__getattr__(name)
        recipe = self._recipe
        if recipe is None:
            raise AttributeError(name)
        self.__dict__ |= {content: {} for content in _CONTENTS}
        try:
            recipe.fill(self)
        except BaseException:
            for content in _CONTENTS:
                del self.__dict__[content]
            raise
        self._recipe = None
        return self.__dict__[name]

    def __getstate__(self) -> dict[Any, Any]:
        _ = self.key_map
        state: dict[Any, Any] = super().__getstate__()
        return state

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler) -> Any:
        _ = self.key_map
        return handler(self)
