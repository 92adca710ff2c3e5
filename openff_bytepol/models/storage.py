"""A model as a directory: ``config.json``, ``weights.safetensors`` and ``MODEL_CARD.md``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from openff_bytepol.exceptions import (
    CorruptedModelError,
    HashMismatchError,
    ModelNotFoundError,
    OutputExistsError,
    UnsupportedModelError,
)
from openff_bytepol.nn.config import ModelConfig
from openff_bytepol.nn.model import Model, model_sha256

FORMAT_VERSION: Final = 1
CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "weights.safetensors"
CARD_FILE: Final = "MODEL_CARD.md"

Upgrade = Callable[[dict[str, Any], dict[str, Tensor]], tuple[dict[str, Any], dict[str, Tensor]]]

UPGRADES: dict[int, Upgrade] = {}
"""Format version → function that turns the content of ``config.json`` and the weights of
that version into those of the next, with ``sha256`` recomputed."""

_DEFAULT_CARD: Final = """# {name}

No description was given when this model was saved.
"""


def save_model(
    model: Model,
    directory: str | Path,
    card: str | None = None,
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a model; nothing is left behind if that fails.

    Parameters
    ----------
    model
        Its `Model.metadata` are stored, too, and must be representable in JSON.
    directory
        Where to; parents are made.
    card
        Text of ``MODEL_CARD.md``: what the model is, how it was made, how good it is.
    name
        Name to store; the default is the model's own.
    overwrite
        Replace an existing model.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    OutputExistsError
        If the directory exists and ``overwrite`` is not set, or is not a model.
    """
    directory = Path(directory)
    if directory.exists() and not (overwrite and _replaceable(directory)):
        remedy = "choose another directory" if overwrite else "pass overwrite=True to replace it"
        raise OutputExistsError(f"{directory} exists; {remedy}")
    name = name or model.name
    state = {key: value.detach().cpu() for key, value in model.network.state_dict().items()}
    header = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "sha256": model.sha256,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_members": model.n_members,
        "config": model.config.model_dump(mode="json"),
        "metadata": model.metadata,
    }
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".saving-") as scratch:
        complete = Path(scratch) / "model"
        complete.mkdir()
        (complete / CONFIG_FILE).write_text(json.dumps(header, indent=2) + "\n", "utf-8")
        (complete / WEIGHTS_FILE).write_bytes(
            save_tensors({key: value.contiguous().clone() for key, value in state.items()})
        )
        (complete / CARD_FILE).write_text(card or _DEFAULT_CARD.format(name=name), "utf-8")
        if directory.exists():
            directory.rename(Path(scratch) / "replaced")
        complete.rename(directory)
    return directory


def _replaceable(directory: Path) -> bool:
    """Whether a directory holds a model or nothing."""
    return directory.is_dir() and (
        (directory / CONFIG_FILE).is_file() or not any(directory.iterdir())
    )


def read_model(directory: str | Path, *, expected_sha256: str | None = None) -> Model:
    """Read a model that `save_model` wrote.

    Parameters
    ----------
    directory
        The model's directory.
    expected_sha256
        Hash that configuration and weights must have.

    Raises
    ------
    ModelNotFoundError
        If the directory or one of its files does not exist.
    CorruptedModelError
        If a file is truncated or altered.
    UnsupportedModelError
        If the format is newer than this version of the package.
    HashMismatchError
        If the model is intact but not the expected one.
    """
    directory = Path(directory)
    header, state = _read_header(directory), _read_weights(directory)
    header, state = _upgrade(directory, header, state)
    try:
        config = ModelConfig.model_validate(header["config"])
        stored, name, n_members = header["sha256"], header["name"], int(header["n_members"])
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise CorruptedModelError(
            f"{directory / CONFIG_FILE} is not a valid model configuration ({error}); "
            "restore it from its source"
        ) from error
    actual = model_sha256(config, state)
    if actual != stored:
        raise CorruptedModelError(
            f"{directory} was altered: its content has SHA-256 {actual}, its header says "
            f"{stored}; restore it from its source"
        )
    if expected_sha256 is not None and actual != expected_sha256.lower():
        raise HashMismatchError(
            f"model '{name}' in {directory} has SHA-256 {actual}, expected {expected_sha256}; "
            "get the expected weights or change the hash"
        )
    model = Model(config, n_members=n_members, name=name)
    try:
        model.network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise CorruptedModelError(
            f"the weights in {directory} do not fit their configuration ({error}); "
            "restore both from their source"
        ) from error
    model.metadata = header.get("metadata", {})
    return model.eval()


def _read_header(directory: Path) -> dict[str, Any]:
    path = directory / CONFIG_FILE
    try:
        header = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelNotFoundError(
            f"{directory} holds no model: {CONFIG_FILE} is missing; check the path"
        ) from error
    except ValueError as error:
        raise CorruptedModelError(
            f"{path} is not valid JSON ({error}); restore it from its source"
        ) from error
    if not isinstance(header, dict):
        raise CorruptedModelError(f"{path} is not a JSON object; restore it from its source")
    return header


def _read_weights(directory: Path) -> dict[str, Tensor]:
    path = directory / WEIGHTS_FILE
    try:
        return load_tensors(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelNotFoundError(
            f"{directory} is incomplete: {WEIGHTS_FILE} is missing; restore it from its source"
        ) from error
    except SafetensorError as error:
        raise CorruptedModelError(
            f"{path} is truncated or not a safetensors file ({error}); restore it from its source"
        ) from error


def _upgrade(
    directory: Path, header: dict[str, Any], state: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Bring an older format up to `FORMAT_VERSION`."""
    version = header.get("format_version")
    if not isinstance(version, int):
        raise CorruptedModelError(
            f"{directory / CONFIG_FILE} has no format_version; restore it from its source"
        )
    while version < FORMAT_VERSION and version in UPGRADES:
        header, state = UPGRADES[version](header, state)
        version = header["format_version"]
    if version != FORMAT_VERSION:
        raise UnsupportedModelError(
            f"{directory} has format {version}; this version of openff-bytepol reads up to "
            f"{FORMAT_VERSION}: upgrade openff-bytepol"
        )
    return header, state
