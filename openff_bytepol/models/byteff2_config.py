"""Configuration of a published ByteFF-Pol checkpoint → `ModelConfig`."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from openff_bytepol.exceptions import CorruptedModelError, UnsupportedModelError
from openff_bytepol.nn.config import (
    HEXAFLUOROPHOSPHATE,
    BondedConfig,
    ChargeVolumeConfig,
    ElementOverride,
    FeatureConfig,
    ModelConfig,
    NonbondedConfig,
    OutputSizes,
    PerceptronSizes,
    Range,
    TransformerConfig,
)
from openff_bytepol.settings import NonbondedSettings

ELEMENTS: Final = (1, 6, 7, 8, 9, 15, 16, 17, 35, 53, 3)
"""Order of the element tables."""

_BOHR: Final = 1 / 1.88973
"""The bohr of the original, Å."""

FREE_VOLUMES: Final = tuple(
    volume * _BOHR**3
    for volume in (7.9, 35.7, 27.0, 22.7, 18.6, 95.7, 77.0, 66.7, 97.0, 152.2, 89.0)
)
"""Volumes that the predicted ratios multiply, Å³; apart from the trained free volumes."""

LITHIUM_VOLUME: Final = 13.0
"""Å³"""

_FEATURE: Final[dict[str, Any]] = {
    "atom_embedding_dim": 16,
    "connectivity_embedding_dim": 8,
    "ring_con_embedding_dim": 8,
    "min_ring_size_embedding_dim": 8,
    "fm_chg_embedding_dim": 8,
    "bond_ring_embedding_dim": 8,
    "bond_order_embedding_dim": 8,
    "scale_grad_by_freq": False,
    "node_mlp_dims": (32, 32, 3),
    "edge_mlp_dims": (32, 32, 3),
    "act": "gelu",
}
_GNN: Final[dict[str, Any]] = {
    "gnn_type": "EGT",
    "gnn_dims": (32, 32, 3),
    "act": "gelu",
    "jk": None,
    "heads": 1,
    "at_channels": 16,
    "dropout": 0.0,
    "ffn_dims": None,
    "scale_by_degree": False,
}
_TRAINING_ONLY: Final = {"ff_require_grad": True}
_BONDED: Final[dict[str, Any]] = _TRAINING_ONLY | {
    "type": None,
    "pre_mlp_dims": (32, 32, 3),
    "post_mlp_dims": (32, 32, 3),
    "out_mlp_dims": (32, 3),
    "act": "gelu",
    "tanh_output": 15.0,
    "grad_max": None,
}
_CHARGE: Final[dict[str, Any]] = _TRAINING_ONLY | {
    "type": None,
    "pre_mlp_dims": (32, 32, 3),
    "out_mlp_dims": (32, 3),
    "act": "gelu",
}
_EXP6: Final[dict[str, Any]] = _TRAINING_ONLY | {
    "type": None,
    "pre_mlp_dims": None,
    "out_mlp_dims": (32, 3),
    "act": "gelu",
    "c6_scale": 1000.0,
    "combining_rule": "LB",
    "pol_damp_clip": 1e-6,
    "li_damp_clip": 1e-6,
    "fix_li_alpha": None,
    "vdw14": 0.5,
    "charge14": 0.5,
    "ind14": 0.5,
    "ind15": 1.0,
    "pol_damping_factor": 0.39,
    "disp_damping_factor": 0.4,
    "s12": 0.0,
    "calc_pol": True,
}
"""Options of each part with the original's defaults."""

_LAYERS: Final = {"MMBondedConj": _BONDED, "ChargeVolume": _CHARGE, "Exp6Pol": _EXP6}


def read_config(content: Any, source: str) -> ModelConfig:
    """Translate the content of ``fftrainer_config_in_use.yaml``.

    Raises
    ------
    CorruptedModelError
        If a section is missing or a value has the wrong type.
    UnsupportedModelError
        If a ``type`` or an option is not one of ByteFF-Pol's, named in the message.
    """
    try:
        model = dict(content["model"])
        graph, blocks = model["graph_block"], model["ff_block"]
        feature = _options(graph.get("feature_layer"), _FEATURE, "feature_layer", source)
        gnn = _options(graph.get("gnn_layer"), _GNN, "gnn_layer", source)
        layers = {block["type"]: block for block in blocks}
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptedModelError(
            f"{source} is not the configuration of a ByteFF-Pol model ({error!r} is missing or "
            "malformed); download it again"
        ) from error
    if set(layers) != set(_LAYERS) or len(blocks) != len(_LAYERS):
        raise UnsupportedModelError(
            f"{source} has force field layers {', '.join(sorted(map(str, layers)))}; "
            f"only {', '.join(sorted(_LAYERS))} together are supported"
        )
    bonded, charge, exp6 = (
        _options(layers[name], known, name, source) for name, known in _LAYERS.items()
    )
    _require(source, "gnn_layer.gnn_type", gnn["gnn_type"], "EGT")
    _require(source, "Exp6Pol.combining_rule", exp6["combining_rule"], "LB")
    _require(source, "Exp6Pol.ind15", exp6["ind15"], 1.0)
    _require(source, "Exp6Pol.calc_pol", exp6["calc_pol"], True)
    if gnn["ffn_dims"] is None:
        raise UnsupportedModelError(f"{source}: gnn_layer.ffn_dims must be given")
    try:
        return _translate(feature, gnn, bonded, charge, exp6)
    except (ValidationError, TypeError, IndexError, ValueError) as error:
        raise UnsupportedModelError(f"{source} cannot be represented: {error}") from error


def _options(
    given: dict[str, Any] | None, known: dict[str, Any], part: str, source: str
) -> dict[str, Any]:
    given = given or {}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UnsupportedModelError(
            f"{source}: {part} has unknown options {', '.join(unknown)}; this is not a "
            "ByteFF-Pol configuration that this version knows"
        )
    return known | given


def _require(source: str, name: str, value: Any, supported: Any) -> None:
    if value != supported:
        raise UnsupportedModelError(
            f"{source}: {name} is {value!r}; only {supported!r} is supported"
        )


def _translate(
    feature: dict[str, Any],
    gnn: dict[str, Any],
    bonded: dict[str, Any],
    charge: dict[str, Any],
    exp6: dict[str, Any],
) -> ModelConfig:
    pooled = _sizes(bonded["pre_mlp_dims"])
    lithium = ElementOverride(
        volume=LITHIUM_VOLUME,
        polarizability=exp6["fix_li_alpha"],
        minimum_damping=exp6["li_damp_clip"] if exp6["li_damp_clip"] > 0 else None,
    )
    return ModelConfig(
        elements=ELEMENTS,
        settings=NonbondedSettings(
            charge_14=exp6["charge14"],
            vdw_14=exp6["vdw14"],
            induction_14=exp6["ind14"],
            repulsion_s12=exp6["s12"],
            dispersion_damping=exp6["disp_damping_factor"],
            thole=exp6["pol_damping_factor"],
        ),
        impropers="single",
        symmetry="canonical_rank",
        trans_angles=True,
        priors="constant",
        features=FeatureConfig(
            element=feature["atom_embedding_dim"],
            connectivity=feature["connectivity_embedding_dim"],
            formal_charge=feature["fm_chg_embedding_dim"],
            ring_bonds=feature["ring_con_embedding_dim"],
            ring_size=feature["min_ring_size_embedding_dim"],
            bond_in_ring=feature["bond_ring_embedding_dim"],
            bond_order=feature["bond_order_embedding_dim"],
            atom=_sizes(feature["node_mlp_dims"]),
            bond=_sizes(feature["edge_mlp_dims"]),
            activation=feature["act"],
        ),
        transformer=TransformerConfig(
            hidden=gnn["gnn_dims"][0],
            out=gnn["gnn_dims"][1],
            layers=gnn["gnn_dims"][2],
            heads=gnn["heads"],
            channels=gnn["at_channels"],
            feed_forward=_output_sizes(gnn["ffn_dims"]),
            jumping_knowledge=gnn["jk"],
            scale_by_degree=gnn["scale_by_degree"],
            dropout=gnn["dropout"],
            activation=gnn["act"],
        ),
        bonded=BondedConfig(
            term=pooled,
            pooled=pooled,
            output=_output_sizes(bonded["out_mlp_dims"]),
            activation=bonded["act"],
            tanh_scale=bonded["tanh_output"],
            proper_k=Range(std=1.2, mean=0.4, minimum=-20.0, maximum=20.0),
            improper_k=Range(std=3.7, mean=4.3, minimum=0.0, maximum=40.0),
        ),
        charge_volume=ChargeVolumeConfig(
            increment=_sizes(charge["pre_mlp_dims"]),
            output=_output_sizes(charge["out_mlp_dims"]),
            activation=charge["act"],
        ),
        nonbonded=NonbondedConfig(
            output=_output_sizes(exp6["out_mlp_dims"]),
            activation=exp6["act"],
            c6_scale=exp6["c6_scale"],
            minimum_damping=exp6["pol_damp_clip"],
        ),
        element_overrides={3: lithium},
        fixed_terms=(HEXAFLUOROPHOSPHATE,),
    )


def _sizes(dims: Any) -> PerceptronSizes:
    hidden, out, layers = dims
    return PerceptronSizes(hidden=hidden, out=out, layers=layers)


def _output_sizes(dims: Any) -> OutputSizes:
    hidden, layers = dims
    return OutputSizes(hidden=hidden, layers=layers)
