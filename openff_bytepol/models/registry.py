"""Find models by name: shipped, in ``BYTEPOL_MODEL_PATH``, or anywhere by path."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from openff_bytepol.exceptions import HashMismatchError, ModelNotFoundError
from openff_bytepol.models.storage import CONFIG_FILE, WEIGHTS_FILE, read_model
from openff_bytepol.nn.model import Model
from openff_bytepol.parameters import ParameterSet

DEFAULT_MODEL: Final = "bytepol"
ALIASES: Final = {DEFAULT_MODEL: "bytepol-1.0"}
PATH_VARIABLE: Final = "BYTEPOL_MODEL_PATH"
"""Environment variable with directories of models, separated like ``PATH``."""

_SHIPPED: Final = Path(__file__).parent


def list_models() -> dict[str, Path]:
    """Name → directory of every model that can be loaded by name.

    Models in ``BYTEPOL_MODEL_PATH`` come before, and hide, shipped ones of the same name;
    aliases come last.
    """
    searched = [Path(p) for p in os.environ.get(PATH_VARIABLE, "").split(os.pathsep) if p]
    found: dict[str, Path] = {}
    for root in (*searched, _SHIPPED):
        for config in sorted(root.glob(f"*/{CONFIG_FILE}")):
            found.setdefault(config.parent.name, config.parent)
    for alias, name in ALIASES.items():
        if name in found:
            found.setdefault(alias, found[name])
    return found


def find_model(name_or_path: str | Path) -> Path:
    """Directory of a model.

    Raises
    ------
    ModelNotFoundError
        If neither a name nor a path fits.
    """
    known = list_models()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path)
    if (path / CONFIG_FILE).is_file():
        return path
    raise ModelNotFoundError(
        f"no model '{name_or_path}': it is neither a directory with a {CONFIG_FILE} nor one of "
        f"{', '.join(known) or 'the installed models (there are none)'}; "
        f"set {PATH_VARIABLE} to where your models are"
    )


def load_model(
    name_or_path: str | Path | Model = DEFAULT_MODEL, *, expected_sha256: str | None = None
) -> Model:
    """Load a model by name or path.

    Parameters
    ----------
    name_or_path
        One of `list_models`, or a model's directory. A `Model` is passed through.
    expected_sha256
        Hash that the model must have.

    Returns
    -------
    Model
        Cached and shared: copy it (``copy.deepcopy``) before changing its weights.

    Raises
    ------
    ModelNotFoundError, CorruptedModelError, UnsupportedModelError, HashMismatchError
        See `storage.read_model`.
    """
    if isinstance(name_or_path, Model):
        model = name_or_path
    else:
        directory = find_model(name_or_path).resolve()
        stamps = tuple(
            (directory / file).stat().st_mtime_ns if (directory / file).is_file() else 0
            for file in (CONFIG_FILE, WEIGHTS_FILE)
        )
        model = _read_cached(directory, stamps)
    if expected_sha256 is not None and model.sha256 != expected_sha256.lower():
        raise HashMismatchError(
            f"model '{model.name}' has SHA-256 {model.sha256}, expected {expected_sha256}; "
            "get the expected weights or change the hash"
        )
    return model


@lru_cache(maxsize=8)
def _read_cached(directory: Path, stamps: tuple[int, ...]) -> Model:  # noqa: ARG001
    return read_model(directory)


def predict(molecules: Any, model: str | Path | Model = DEFAULT_MODEL) -> list[ParameterSet]:
    """Parameters of molecules: `Model.predict` of a model given by name or path."""
    return load_model(model).predict(molecules)
