"""Calibrate a model on labels that it was not trained on, and store the result with it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from openff_bytepol.exceptions import (
    ChemistryError,
    DataError,
    OutputExistsError,
    PolarizationCatastropheError,
)
from openff_bytepol.models.registry import find_model, load_model
from openff_bytepol.nn.model import Model
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.config import load_config
from openff_bytepol.training.data import load_dimers, load_molecules
from openff_bytepol.uncertainty.calibration import (
    CALIBRATION_FILE,
    Calibration,
    QuantityCalibration,
    Thresholds,
    calibrate_quantity,
)
from openff_bytepol.uncertainty.domain import disagreement_of, novelty_of
from openff_bytepol.uncertainty.energies import (
    DIMER_QUANTITIES,
    dimer_disagreement,
    monomer_members,
)
from openff_bytepol.uncertainty.ensemble import SCALES, parameter_disagreement
from openff_bytepol.uncertainty.environments import environment_codes

logger = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]
Rows = Sequence[dict[str, Any]]

EDGE, OUT = 0.95, 0.995
"""Quantiles of held-out molecules' scores that become the thresholds."""
_REFERENCE: Final = {
    "elst+exch": ("elst", "exch"),
    "ind": ("ind",),
    "disp": ("disp",),
    "total": ("total",),
}
_STRONGEST: Final = 5.0
"""Dimers with a larger total interaction are left out: errors there are of another kind."""
_STEEPEST: Final = 20.0
"""The same for geometries of molecules above their lowest, kcal/mol."""


def calibrate_model(
    model: str,
    training: str | Path,
    *,
    max_dimers: int = 1500,
    max_molecules: int = 150,
    overwrite: bool = False,
    plot: Path | None = None,
) -> Calibration:
    """Calibrate a model with the held-out data of its training, and store it beside the weights.

    Parameters
    ----------
    model
        Name or directory.
    training
        The configuration that the model was trained by: it says which labels were held out
        and which were trained on.
    max_dimers, max_molecules
        At most so many held-out items, drawn at random.
    overwrite
        Replace an earlier calibration.
    plot
        Also draw the coverage of every quantity, as PNG.

    Raises
    ------
    OutputExistsError
        If there is a calibration and ``overwrite`` is not set.
    DataError
        If there are too few held-out labels.
    """
    directory, loaded = find_model(model), load_model(model)
    if (directory / CALIBRATION_FILE).exists() and not overwrite:
        raise OutputExistsError(
            f"{directory / CALIBRATION_FILE} exists; pass --force to replace it"
        )
    config = load_config(training)
    dimers, molecules = load_dimers(config), load_molecules(config)
    generator = np.random.default_rng(1)
    held_dimers = [*dimers["validation"], *dimers["test"]]
    held_molecules = [*molecules["validation"], *molecules["test"]]
    trained = sorted(
        {row["smiles"] for row in molecules["train"]}
        | {
            canonical_smiles(s)
            for s in {row[f"smiles_{side}"] for row in dimers["train"] for side in "ab"}
        }
    )
    calibration = make_calibration(
        loaded,
        sample_rows(held_dimers, max_dimers, generator),
        sample_rows(held_molecules, max_molecules, generator),
        trained,
        {"training": config.name, "split": config.split.model_dump()},
    )
    calibration.write(directory)
    if plot is not None:
        plot_coverage(calibration, plot)
    return calibration


def make_calibration(
    model: Model, dimers: Rows, molecules: Rows, trained: Sequence[str], data: Mapping[str, Any]
) -> Calibration:
    """Calibration from rows of the two schemas that the model has not seen.

    Parameters
    ----------
    model
        Ensemble, or a single model: it gets one standard error for all.
    dimers, molecules
        Held-out rows; either may be empty.
    trained
        SMILES of molecules trained on.
    data
        What to say about their origin.

    Raises
    ------
    DataError
        If fewer than 20 held-out molecules are left.
    """
    quantities = _dimer_quantities(model, dimers) | _molecule_quantities(model, molecules)
    known = _codes(model, trained)
    mapped = {row[f"smiles_{side}"] for row in dimers for side in "ab"}
    seen = set(trained)
    names = {row["smiles"] for row in molecules} | {canonical_smiles(s) for s in mapped}
    held_out = sorted(names - seen)
    graphs = [model.build_graph(s) for s in held_out if _covered(model, s)]
    if len(graphs) < 20:
        raise DataError(
            f"calibration needs 20 molecules that were not trained on, not {len(graphs)}"
        )
    members = model.predict_members(graphs)
    novelty = np.array([novelty_of(graph, known) for graph in graphs])
    scales: dict[str, float] = {}
    disagreement = None
    if model.n_members > 1:
        spread = [parameter_disagreement(one) for one in members]
        scales = {
            name: max(float(np.median([float(s[name][0]) for s in spread])), 0.01 * SCALES[name])
            for name in SCALES
        }
        disagreement = _thresholds(np.array([disagreement_of(one, scales) for one in members]))
    return Calibration(
        model_sha256=model.sha256,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=dict(data)
        | {
            "held_out_dimers": len(dimers),
            "held_out_molecules": len(molecules),
            "molecules_for_thresholds": len(graphs),
            "molecules_trained_on": len(trained),
            "quantiles": {"edge": EDGE, "out": OUT},
        },
        scales=scales,
        known_environments=tuple(known.tolist()),
        disagreement=disagreement,
        novelty=_thresholds(novelty),
        quantities=quantities,
    )


def _thresholds(scores: FloatArray) -> Thresholds:
    edge, out = np.quantile(scores, [EDGE, OUT])
    return Thresholds(edge=float(edge), out=float(out))


def _covered(model: Model, smiles: str) -> bool:
    try:
        model.build_graph(smiles)
    except ChemistryError:
        return False
    return True


def _codes(model: Model, smiles: Sequence[str]) -> torch.Tensor:
    codes = [environment_codes(model.build_graph(s)).numpy() for s in smiles if _covered(model, s)]
    return torch.from_numpy(np.unique(np.concatenate(codes)))


def sample_rows(rows: Rows, limit: int, generator: np.random.Generator) -> list[dict[str, Any]]:
    """At most so many rows, drawn at random, in their order."""
    if len(rows) <= limit:
        return list(rows)
    return [rows[i] for i in sorted(generator.choice(len(rows), limit, replace=False))]


def _dimer_quantities(model: Model, rows: Rows) -> dict[str, QuantityCalibration]:
    usable = [row for row in rows if row["total"] < _STRONGEST]
    if not usable:
        return {}
    predicted = dimer_disagreement(model, usable)
    groups = [
        "|".join(sorted(canonical_smiles(row[f"smiles_{side}"]) for side in "ab"))
        for row in predicted.rows
    ]
    found = {}
    for name in DIMER_QUANTITIES:
        reference = np.array([sum(row[p] for p in _REFERENCE[name]) for row in predicted.rows])
        errors = predicted.mean[name] - reference
        known = ~np.isnan(errors)
        found[f"dimer {name}"] = calibrate_quantity(
            errors[known],
            predicted.deviation[name][known],
            [g for g, k in zip(groups, known, strict=True) if k],
            "kcal/mol",
        )
    return found


def _molecule_quantities(model: Model, rows: Rows) -> dict[str, QuantityCalibration]:
    """Relative energies, and force components, of molecules' geometries."""
    parts: dict[str, list[tuple[FloatArray, FloatArray, str]]] = {"energies": [], "forces": []}
    for row in rows:
        low = np.asarray(row["energies"]) < _STEEPEST
        if low.sum() < 2 or not _covered(model, row["mapped_smiles"]):
            continue
        shape = (len(row["energies"]), -1, 3)
        xyz, forces = (
            np.asarray(row[name], dtype=np.float64).reshape(shape)[low]
            for name in ("coordinates", "forces")
        )
        try:
            members = monomer_members(model, row["mapped_smiles"], torch.from_numpy(xyz.copy()))
        except PolarizationCatastropheError as error:
            logger.warning("%s left out: %s", row["smiles"], error)
            continue
        reference = np.asarray(row["energies"])[low]
        reference = reference - reference.mean()
        for name, value, target in (
            ("energies", members.energies, reference),
            ("forces", members.forces, forces),
        ):
            spread = value.std(0, ddof=1) if len(value) > 1 else np.zeros(value.shape[1:])
            parts[name].append((value.mean(0) - target, spread, row["smiles"]))
    if len({smiles for _, _, smiles in parts["energies"]}) < 4:
        return {}
    units = {"energies": "kcal/mol", "forces": "kcal/mol/Å"}
    return {
        f"molecule {name}": calibrate_quantity(
            np.concatenate([error.ravel() for error, _, _ in items]),
            np.concatenate([spread.ravel() for _, spread, _ in items]),
            [smiles for error, _, smiles in items for _ in range(error.size)],
            units[name],
        )
        for name, items in parts.items()
    }


def plot_coverage(calibration: Calibration, path: Path) -> None:
    """Observed against expected coverage of every quantity, as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from openff_bytepol.uncertainty.calibration import LEVELS

    figure, axis = plt.subplots(figsize=(5, 5))
    axis.plot([0, 1], [0, 1], "k-", linewidth=0.7)
    for name, quantity in calibration.quantities.items():
        label = f"{name}: area {quantity.miscalibration_area:.3f}"
        axis.plot([0, *LEVELS, 1], [0, *quantity.coverage, 1], ".-", label=label)
    axis.set(xlabel="expected coverage", ylabel="observed coverage", xlim=(0, 1), ylim=(0, 1))
    axis.legend(fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
