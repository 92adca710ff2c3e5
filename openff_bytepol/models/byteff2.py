"""Published ByteFF-Pol checkpoints as models of this package.

Reads the files that https://github.com/ByteDance-Seed/byteff2 (Apache-2.0) writes and its
authors publish: ``optimal.pt`` and ``fftrainer_config_in_use.yaml``. Nothing in them is
executed, and nothing is written.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from torch import Tensor

from openff_bytepol.exceptions import (
    CorruptedModelError,
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
)
from openff_bytepol.models.byteff2_config import ELEMENTS, FREE_VOLUMES, read_config
from openff_bytepol.nn.model import Model

WEIGHTS_FILE: Final = "optimal.pt"
CONFIG_FILE: Final = "fftrainer_config_in_use.yaml"

REPOSITORY: Final = "ByteDance-Seed/byteff2"
REVISION: Final = "v1.1.0"

_BONDED: Final = r"preff_block\.pre_layers\.PreMMBondedConj\."
_CHARGE: Final = r"preff_block\.pre_layers\.PreChargeVolume\."
_EXP6: Final = r"preff_block\.pre_layers\.PreExp6Pol\."
_FEATURE: Final = r"graph_block\.feature_layer\."
_GNN: Final = r"graph_block\.gnn_layer\."
_CONV: Final = _GNN + r"gnn\.convs\.(\d+)\."
_END: Final = r"\.(weight|bias)$"
_LINS: Final = r"\.lins\.(\d+)" + _END

_NAMES: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (_FEATURE + r"atom_embedding\.weight$", r"embedding.element.weight"),
        (_FEATURE + r"connectivity_embedding\.weight$", r"embedding.connectivity.weight"),
        (_FEATURE + r"fm_chg_embedding\.weight$", r"embedding.formal_charge.weight"),
        (_FEATURE + r"ring_con_embedding\.weight$", r"embedding.ring_bonds.weight"),
        (_FEATURE + r"min_ring_size_embedding\.weight$", r"embedding.ring_size.weight"),
        (_FEATURE + r"bond_ring_embedding\.weight$", r"embedding.bond_in_ring.weight"),
        (_FEATURE + r"bond_order_embedding\.weight$", r"embedding.bond_order.weight"),
        (_FEATURE + "node_mlp" + _LINS, r"embedding.atom.layers.\1.\2"),
        (_FEATURE + "edge_mlp" + _LINS, r"embedding.bond.layers.\1.\2"),
        (_GNN + "edge_in_lin" + _END, r"transformer.bond_in.\1"),
        (_GNN + "edge_out_lin" + _END, r"transformer.bond_out.\1"),
        (_GNN + r"gnn\.lin" + _END, r"transformer.join.\1"),
        (_CONV + "lin_(key|query|value)" + _END, r"transformer.layers.\1.\2.\3"),
        (_CONV + "lin_proj" + _END, r"transformer.layers.\1.project.\2"),
        (_CONV + "lin_gate" + _END, r"transformer.layers.\1.edge_gate.\2"),
        (_CONV + "lin_edge" + _END, r"transformer.layers.\1.edge_bias.\2"),
        (_CONV + "lin_proj_edge" + _END, r"transformer.layers.\1.edge_project.\2"),
        (_CONV + "norm1" + _END, r"transformer.layers.\1.norm.\2"),
        (_CONV + "norm2" + _END, r"transformer.layers.\1.feed_forward_norm.\2"),
        (_CONV + "norm1_edge" + _END, r"transformer.layers.\1.edge_norm.\2"),
        (_CONV + "norm2_edge" + _END, r"transformer.layers.\1.edge_feed_forward_norm.\2"),
        (_CONV + "ffn" + _LINS, r"transformer.layers.\1.feed_forward.layers.\2.\3"),
        (_CONV + "ffn_edge" + _LINS, r"transformer.layers.\1.edge_feed_forward.layers.\2.\3"),
        (_BONDED + r"pre_mlp\.(\w+)" + _LINS, r"bonded.chain.\1.perceptron.layers.\2.\3"),
        (_BONDED + r"post_mlp\.(\w+)" + _LINS, r"bonded.pooled.\1.layers.\2.\3"),
        (_BONDED + r"out_mlp\.(\w+)" + _LINS, r"bonded.output.\1.layers.\2.\3"),
        (_CHARGE + "volume_mlp" + _LINS, r"charge_volume.volume.layers.\1.\2"),
        (_CHARGE + "charge_pre_mlp" + _LINS, r"charge_volume.chain.perceptron.layers.\1.\2"),
        (_CHARGE + "charge_out_mlp" + _LINS, r"charge_volume.increment.layers.\1.\2"),
        (_EXP6 + "eps_mlp" + _LINS, r"nonbonded.logarithm.epsilon.layers.\1.\2"),
        (_EXP6 + "lamb_mlp" + _LINS, r"nonbonded.logarithm.lambda.layers.\1.\2"),
        (_EXP6 + "ct_eps_mlp" + _LINS, r"nonbonded.logarithm.ct_epsilon.layers.\1.\2"),
        (_EXP6 + "ct_lamb_mlp" + _LINS, r"nonbonded.logarithm.ct_lambda.layers.\1.\2"),
        (_EXP6 + r"v_free\.weight$", "nonbonded.free_volume"),
        (_EXP6 + r"c6_free\.weight$", "nonbonded.free_c6"),
        (_EXP6 + r"rvdw_free\.weight$", "nonbonded.free_radius"),
        (_EXP6 + r"alpha_free\.weight$", "nonbonded.free_polarizability"),
    )
)
"""Name of a published tensor → name in `nn.network.Network`."""

_NUCLEAR_CHARGES: Final = "ff_block.ff_layers.Exp6Pol.nuclear_charge.weight"


def import_byteff2(path: str | Path, *, name: str | None = None) -> Model:
    """Read a published checkpoint.

    Parameters
    ----------
    path
        Directory with ``optimal.pt`` and ``fftrainer_config_in_use.yaml``, or one with a
        subdirectory ``model`` that has them.
    name
        Name of the model; the default is that of the directory.

    Returns
    -------
    Model
        Gives the parameters of the original to float32 rounding.

    Raises
    ------
    ModelNotFoundError
        If a file is missing.
    CorruptedModelError
        If a file is truncated, holds anything but tensors, or lacks or adds tensors.
    UnsupportedModelError
        If the configuration is of another architecture.
    """
    directory = _find_directory(Path(path))
    config = read_config(_read_yaml(directory / CONFIG_FILE), str(directory / CONFIG_FILE))
    weights = _read_weights(directory / WEIGHTS_FILE)
    default = directory.parent.name if directory.name == "model" else directory.name
    model = Model(config, name=name or default)
    expected = model.network.state_dict()
    expected["nonbonded.reference_volume"] = torch.tensor(FREE_VOLUMES)
    state = _rename(weights, directory / WEIGHTS_FILE)
    tables = {key for key, _ in model.network.named_buffers()}
    missing = sorted(set(expected) - tables - set(state))
    unknown = sorted(set(state) - set(expected))
    if missing or unknown:
        raise CorruptedModelError(
            f"{directory / WEIGHTS_FILE} does not fit its configuration: "
            f"missing {missing or 'nothing'}, unknown {unknown or 'nothing'}; "
            "download both files again"
        )
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise CorruptedModelError(
                f"{directory / WEIGHTS_FILE}: {key} has shape {tuple(value.shape)}, its "
                f"configuration needs {tuple(expected[key].shape)}; download both files again"
            )
    model.network.load_state_dict(expected | state)
    model.metadata = {"source": "ByteFF-Pol checkpoint", "paper": "arXiv:2508.08575"}
    return model.eval()


def _find_directory(path: Path) -> Path:
    for directory in (path, path / "model"):
        if (directory / WEIGHTS_FILE).is_file() and (directory / CONFIG_FILE).is_file():
            return directory
    raise ModelNotFoundError(
        f"{path} is not a published ByteFF-Pol checkpoint: it needs {WEIGHTS_FILE} and "
        f"{CONFIG_FILE}, there or in a subdirectory 'model'"
    )


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CorruptedModelError(
            f"{path} is not plain YAML ({error}); nothing was executed; download it again"
        ) from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CorruptedModelError(
            f"{path} is truncated or holds objects other than tensors; nothing was executed; "
            "download it again"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CorruptedModelError(
            f"{path} is truncated or not a PyTorch file ({error}); download it again"
        ) from error
    weights = content.get("model_state_dict") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(value, Tensor) for value in weights.values()
    ):
        raise CorruptedModelError(
            f"{path} has no 'model_state_dict' of tensors; it is not a ByteFF-Pol checkpoint"
        )
    return weights


def _rename(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Published tensors under our names, with an ensemble axis of one."""
    state: dict[str, Tensor] = {}
    unknown = []
    for key, value in weights.items():
        if key == _NUCLEAR_CHARGES:
            if value.flatten().round().to(torch.int64).tolist() != list(ELEMENTS):
                raise CorruptedModelError(
                    f"{path} lists other elements than ByteFF-Pol's; download it again"
                )
            continue
        matched = ((p.match(key), replacement) for p, replacement in _NAMES)
        name = next((m.expand(replacement) for m, replacement in matched if m), None)
        if name is None:
            unknown.append(key)
        elif name.startswith("nonbonded.free_"):
            state[name] = value.squeeze(-1).unsqueeze(0).float()
        else:
            state[name] = value.unsqueeze(0).float()
    if unknown:
        raise CorruptedModelError(
            f"{path} holds tensors that ByteFF-Pol does not have: {', '.join(sorted(unknown))}"
        )
    return state


def fetch_byteff2(
    directory: str | Path,
    *,
    subfolder: str = "ByteFF-Pol-25",
    revision: str = REVISION,
    show_terms: Callable[[str], None] = print,
) -> Path:
    """Download a published checkpoint from Hugging Face.

    The weights are the authors' and are not redistributed here; the licence texts found in
    the download are shown.

    Parameters
    ----------
    directory
        Where to put the files.
    subfolder
        Folder of the repository that holds the checkpoint.
    revision
        Tag or commit of the repository.
    show_terms
        Called with the text of each licence or readme file found.

    Returns
    -------
    Path
        Directory to pass to `import_byteff2`.

    Raises
    ------
    MissingDependencyError
        If huggingface_hub is not installed.
    ModelError
        If the download fails, with what to do by hand.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError(
            "downloading needs huggingface_hub; install it with 'pip install huggingface_hub'"
        ) from error
    directory = Path(directory)
    try:
        snapshot_download(
            REPOSITORY,
            revision=revision,
            local_dir=directory,
            allow_patterns=[f"{subfolder}/*", "LICENSE*", "README*", "NOTICE*"],
        )
    except Exception as error:  # of the hub, its HTTP library, the disk
        raise ModelError(
            f"could not download {REPOSITORY} ({revision}) from Hugging Face: {error}; without "
            f"a connection, get https://huggingface.co/{REPOSITORY}/tree/{revision} elsewhere "
            "and import the copied folder"
        ) from error
    for pattern in ("LICENSE*", "NOTICE*", "README*"):
        for file in sorted(directory.rglob(pattern)):
            show_terms(f"--- {file.relative_to(directory)}\n{file.read_text('utf-8', 'replace')}")
    return directory / subfolder
