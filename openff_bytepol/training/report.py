"""What a finished run reached on data it did not see: JSON, parity plots and Markdown."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openff_bytepol.exceptions import DataError
from openff_bytepol.nn.model import Model
from openff_bytepol.potentials import electrostatic_potentials
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.datasets.readers.gscdb import read_trimers
from openff_bytepol.training.evaluate import (
    COMPONENTS,
    DimerErrors,
    evaluate_dimers,
    evaluate_response,
    evaluate_torsions,
    predict_molecules,
    torsion_profiles,
)
from openff_bytepol.training.groups import functional_groups
from openff_bytepol.training.html import Picture, write_html
from openff_bytepol.training.labels.responses import not_labelled
from openff_bytepol.training.metrics import read_metrics, validation_losses
from openff_bytepol.training.moments import read_responses
from openff_bytepol.training.plots import (
    plot_curves,
    plot_groups,
    plot_losses,
    plot_parity,
    plot_torsions,
)
from openff_bytepol.training.references import read_torsion_scans
from openff_bytepol.training.targets.base import Target
from openff_bytepol.training.targets.clusters import ClusterTarget
from openff_bytepol.training.targets.dimers import DimerTarget
from openff_bytepol.training.targets.potentials import PotentialTarget
from openff_bytepol.training.three_body import evaluate_three_body

logger = logging.getLogger(__name__)

NEAR_EQUILIBRIUM = 20.0
"""Dimers with less exchange than this count as near equilibrium, kcal/mol."""

SMALLEST_SUBSET = 15
"""Subsets with fewer dimers are left out of the Markdown table."""


def write_report(
    model: Model, targets: Mapping[str, Target], config: TrainingConfig, folder: Path
) -> str:
    """Evaluate on held-out dimers and the benchmark files that are present.

    Writes ``report.json``, ``report.html`` and the plots in it into ``folder``.

    Returns
    -------
    str
        The same numbers as Markdown, for the model card.
    """
    report: dict[str, Any] = {
        "model": config.name,
        "sha256": model.sha256,
        "data": {
            name: {split: target.size(split) for split in ("train", "validation", "test")}
            for name, target in targets.items()
        },
    }
    pictures = _loss_pictures(folder)
    dimers = [target for target in targets.values() if isinstance(target, DimerTarget)]
    if rows := [row for target in dimers for row in target.rows("test")]:
        errors = evaluate_dimers(model, rows)
        report["dimers"] = _dimer_summary(errors)
        pictures += _dimer_pictures(errors, report["dimers"], folder)
    potentials = targets.get("potentials")
    if isinstance(potentials, PotentialTarget) and potentials.size("test"):
        report["potentials"] = potential_summary(model, potentials.rows("test"))
    clusters = targets.get("clusters")
    if isinstance(clusters, ClusterTarget) and clusters.size("test"):
        report["clusters"] = evaluate_three_body(model, clusters.rows("test")).summary()
    if losses := validation_losses(folder, "clusters"):
        report["clusters_validation_loss"] = losses[-1]
    torsions = config.data_path(config.evaluation.torsions)
    if torsions.is_file():
        scans = read_torsion_scans(torsions)
        report["torsions"] = torsion_summary(evaluate_torsions(model, scans))
        plot_torsions(torsion_profiles(model, scans), folder / "torsions.png")
        caption = "Points: reference. Lines: model. RMSE in the title."
        pictures.append(Picture("Torsion profiles", caption, folder / "torsions.png"))
    responses = config.data_path(config.evaluation.gscdb)
    if responses.is_file():
        molecules = not_labelled(read_responses(responses), config.labels.responses)
        report["response"] = response_summary(evaluate_response(model, molecules))
        try:
            trimers = read_trimers(responses).rows
        except DataError as error:
            logger.warning("no three-body energies of 3B-69 in the report: %s", error)
        else:
            report["three_body"] = evaluate_three_body(model, trimers).summary()
    (folder / "report.json").write_text(json.dumps(_finite(report), indent=2))
    text = _markdown(report)
    write_html(folder / "report.html", config.name, text, pictures)
    return text


def _loss_pictures(folder: Path) -> list[Picture]:
    records = read_metrics(folder)
    if not records:
        return []
    plot_losses(records, folder / "losses.png")
    caption = "Sum of the parts of each target's loss, by epoch; stages follow one another."
    return [Picture("Losses", caption, folder / "losses.png")]


def _dimer_pictures(errors: DimerErrors, summary: dict[str, Any], folder: Path) -> list[Picture]:
    plot_parity(errors, folder / "parity.png")
    plot_groups(summary["functional_groups"], folder / "groups.png")
    pictures = [
        Picture("Dimers by component", "Held-out pairs of molecules.", folder / "parity.png"),
        Picture("Dimers by functional group", "Held-out pairs.", folder / "groups.png"),
    ]
    if plot_curves(errors, folder / "curves.png"):
        caption = "Held-out pairs. Points: reference total. Lines: model."
        pictures.append(Picture("Dimer curves", caption, folder / "curves.png"))
    return pictures


def is_charged(row: dict[str, Any]) -> bool:
    """Whether a molecule of a dimer row has a net charge."""
    from rdkit import Chem

    return any(
        Chem.GetFormalCharge(Chem.MolFromSmiles(row[key])) for key in ("smiles_a", "smiles_b")
    )


def _dimer_summary(errors: DimerErrors) -> dict[str, Any]:
    near = errors.reference["exch"] < NEAR_EQUILIBRIUM
    charged = np.array([is_charged(row) for row in errors.rows], dtype=bool)
    groups = {
        "all": np.ones_like(near),
        "neutral, exchange < 20": near & ~charged,
        "charged, exchange < 20": near & charged,
    }
    return {
        "groups": {
            name: errors.mean_absolute(mask) | {"n": int(mask.sum())}
            for name, mask in groups.items()
            if mask.any()
        },
        "subsets": errors.by(lambda row: str(row["subset"])),
        "functional_groups": _by_functional_group(errors),
    }


def _by_functional_group(errors: DimerErrors) -> dict[str, dict[str, float]]:
    """Mean absolute errors of the dimers in which a molecule has the group."""
    groups = [
        {*functional_groups(row["smiles_a"]), *functional_groups(row["smiles_b"])}
        for row in errors.rows
    ]
    found = {}
    for name in sorted(set().union(*groups)):
        mask = np.array([name in group for group in groups])
        found[name] = errors.mean_absolute(mask) | {"n": int(mask.sum())}
    return found


def torsion_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean RMSE over neutral molecules and over ions, for every method."""
    known = [row for row in rows if "refused" not in row]
    summary: dict[str, Any] = {"refused": len(rows) - len(known)}
    for name, charged in (("neutral", False), ("ions", True)):
        chosen = [row for row in known if bool(row["charge"]) == charged]
        methods = [key for key in (chosen[0] if chosen else {}) if key not in {"smiles", "charge"}]
        summary[name] = {m: float(np.mean([row[m] for row in chosen])) for m in methods}
        summary[name]["n"] = len(chosen)
    return summary


def response_summary(rows: list[dict[str, float | str]]) -> dict[str, float]:
    """Mean absolute error of dipoles (D), mean relative error of polarizabilities (%)."""
    summary: dict[str, float] = {}
    for name, key, unit in (("dipole", "mae_D", 1.0), ("polarizability", "mean_percent", 100.0)):
        pairs = np.array(
            [[float(row[name]), float(row[f"{name}_ref"])] for row in rows if name in row]
        ).reshape(-1, 2)
        deviation = pairs[:, 0] - pairs[:, 1]
        if name == "polarizability":
            deviation = deviation / pairs[:, 1]
        summary[f"{name}_n"] = len(pairs)
        summary[f"{name}_{key}"] = float(unit * np.abs(deviation).mean())
        summary[f"{name}_signed"] = float(unit * deviation.mean())
    return summary


def potential_summary(model: Model, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Root mean square errors of potentials round molecules: means over molecules.

    Parameters
    ----------
    model
        Ensembles are evaluated with their mean parameters.
    rows
        Of the potentials schema.

    Returns
    -------
    dict
        ``n``; ``rms``, kcal/mol/e; ``rrms_percent``, relative to the root mean square of the
        reference (RRMS of Bayly et al., https://doi.org/10.1021/j100142a004), %.
    """
    parameters, _ = predict_molecules(model, (row["mapped_smiles"] for row in rows))
    errors = []
    for row in (row for row in rows if row["mapped_smiles"] in parameters):
        xyz, points = (
            torch.from_numpy(np.reshape(row[name], (-1, 3)).astype(float))
            for name in ("coordinates", "points")
        )
        found = electrostatic_potentials(parameters[row["mapped_smiles"]], xyz, points).numpy()
        reference = np.asarray(row["potential"])
        rms = float(np.sqrt(np.mean((found - reference) ** 2)))
        errors.append((rms, rms / float(np.sqrt(np.mean(reference**2)))))
    mean, relative = np.mean(errors, axis=0)
    return {"n": len(errors), "rms": float(mean), "rrms_percent": 100.0 * float(relative)}


def _finite(value: Any) -> Any:
    """The same with None for NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value


def _markdown(report: dict[str, Any]) -> str:
    lines = ["## Errors on held-out data", ""]
    data = report["data"]
    lines += ["Items (train / validation / test): " + "; ".join(
        f"{name} {n['train']} / {n['validation']} / {n['test']}" for name, n in data.items()
    ), ""]  # fmt: skip
    if "dimers" in report:
        lines += ["Dimers of monomer pairs not trained on, mean absolute errors in kcal/mol:", ""]
        lines += ["| dimers | n | " + " | ".join(COMPONENTS) + " |"]
        lines += ["|" + "---|" * (len(COMPONENTS) + 2)]
        subsets = report["dimers"]["subsets"]
        large = {name: errors for name, errors in subsets.items() if errors["n"] >= SMALLEST_SUBSET}
        groups = report["dimers"]["groups"] | large
        for name, errors in groups.items():
            values = " | ".join(
                "–" if np.isnan(errors[c]) else f"{errors[c]:.2f}" for c in COMPONENTS
            )
            lines.append(f"| {name} | {errors['n']} | {values} |")
        lines.append("")
    if "potentials" in report:
        found = report["potentials"]
        lines += [
            f"- Electrostatic potentials ({found['n']} molecules of held-out scaffolds): mean "
            f"relative RMS error {found['rrms_percent']:.1f} %, "
            f"RMS error {found['rms']:.2f} kcal/mol/e",
            "",
        ]
    if "clusters" in report:
        lines += [_three_body_line("held-out clusters", report["clusters"]), ""]
    if "clusters_validation_loss" in report:
        loss = report["clusters_validation_loss"]
        lines += [f"- Validation loss of clusters after the last epoch: {loss:.4f}", ""]
    if "torsions" in report:
        lines += ["Torsion scans (MobleyLab qm-theory-benchmark), mean RMSE in kcal/mol:", ""]
        for name in ("neutral", "ions"):
            rows = report["torsions"][name]
            text = ", ".join(f"{m} {v:.2f}" for m, v in rows.items() if m != "n")
            lines.append(f"- {name} ({rows['n']} molecules): {text}")
        lines.append("")
    if "response" in report:
        response = report["response"]
        lines += [
            f"- Dipole moments (Dip146, {response['dipole_n']} molecules): mean absolute error "
            f"{response['dipole_mae_D']:.2f} D, signed {response['dipole_signed']:+.2f} D",
            f"- Polarizabilities (Pol130, {response['polarizability_n']} molecules): mean error "
            f"{response['polarizability_mean_percent']:.1f} %, "
            f"signed {response['polarizability_signed']:+.1f} %",
        ]
    if "three_body" in report:
        lines += [_three_body_line("3B-69", report["three_body"]), ""]
    return "\n".join(lines)


def _three_body_line(source: str, found: Mapping[str, float]) -> str:
    return (
        f"- Three-body energies ({source}, {found['n']} trimers): mean absolute error "
        f"{found['mean_absolute_error']:.3f} kcal/mol, signed {found['mean_signed_error']:+.3f} "
        f"kcal/mol, slope {found['slope']:.2f}"
    )
