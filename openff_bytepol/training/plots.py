"""Plots of what a model reached; each function writes one PNG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.evaluate import COMPONENTS, DimerErrors, TorsionProfile

if TYPE_CHECKING:
    from collections.abc import Iterator

PANELS: Final = 12
"""Most curves or profiles in one figure."""
SHORTEST_CURVE: Final = 5


@contextmanager
def _figure(path: Path, rows: int, columns: int, size: tuple[float, float]) -> Iterator[Any]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    yield axes
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_parity(errors: DimerErrors, path: Path) -> None:
    """Predicted against reference components of dimers, one panel each."""
    with _figure(path, 2, 3, (11, 7)) as axes:
        for axis, name in zip(axes.flat, COMPONENTS, strict=True):
            reference, predicted = errors.reference[name], errors.predicted[name]
            axis.plot(reference, predicted, ".", markersize=2, alpha=0.4)
            if not np.isnan(reference).all():
                limits = [float(np.nanmin(reference)), float(np.nanmax(reference))]
                axis.plot(limits, limits, "k-", linewidth=0.7)
            error = errors.mean_absolute()[name]
            axis.set(title=f"{name}: MAE {error:.2f}", xlabel="reference, kcal/mol", ylabel="model")


def plot_curves(errors: DimerErrors, path: Path) -> bool:
    """Totals along the separation of two molecules, for pairs with enough geometries.

    Returns
    -------
    bool
        Whether there was any such pair, and so a file.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, row in enumerate(errors.rows):
        groups.setdefault((row["subset"], row["smiles_a"], row["smiles_b"]), []).append(i)
    chosen = [(key, items) for key, items in groups.items() if len(items) >= SHORTEST_CURVE]
    if not chosen:
        return False
    chosen = chosen[:: max(1, len(chosen) // PANELS)][:PANELS]
    with _figure(path, -(-len(chosen) // 4), 4, (14, 3.2 * -(-len(chosen) // 4))) as axes:
        for axis, (key, items) in zip(axes.flat, chosen, strict=False):
            distance = np.array([_contact(errors, i) for i in items])
            order = np.argsort(distance)
            rows = np.array(items)[order]
            axis.plot(distance[order], errors.reference["total"][rows], "ko", markersize=3)
            axis.plot(distance[order], errors.predicted["total"][rows], "C0.-", linewidth=0.9)
            axis.axhline(0.0, color="grey", linewidth=0.5)
            title = f"{canonical_smiles(key[1])} + {canonical_smiles(key[2])}"
            axis.set_title(title[:40], fontsize=8)
            axis.set_xlabel("closest contact, Å", fontsize=8)
            axis.set_ylabel("kcal/mol", fontsize=8)
    return True


def plot_torsions(profiles: Sequence[TorsionProfile], path: Path) -> None:
    """Energies along torsions, reference and model, each about its mean."""
    chosen = profiles[:: max(1, len(profiles) // PANELS)][:PANELS]
    with _figure(path, -(-len(chosen) // 4), 4, (14, 3.0 * -(-len(chosen) // 4))) as axes:
        for axis, profile in zip(axes.flat, chosen, strict=False):
            order = np.argsort(profile.angles)
            for values, style in ((profile.reference, "ko"), (profile.predicted, "C0.-")):
                axis.plot(
                    profile.angles[order], (values - values.mean())[order], style, markersize=3
                )
            axis.set_title(
                f"{canonical_smiles(profile.smiles)[:34]}: {profile.rmse:.2f}", fontsize=8
            )
            axis.set_xlabel("angle, degree", fontsize=8)
            axis.set_ylabel("kcal/mol", fontsize=8)


def plot_groups(groups: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Mean absolute error of dimer totals by functional group, with the number of dimers."""
    names = sorted(groups, key=lambda name: groups[name]["total"])
    with _figure(path, 1, 1, (8, 0.28 * len(names) + 1.2)) as axes:
        axis = axes[0, 0]
        axis.barh(range(len(names)), [groups[name]["total"] for name in names])
        labels = [f"{name} ({int(groups[name]['n'])})" for name in names]
        axis.set_yticks(range(len(names)), labels, fontsize=8)
        axis.set_xlabel("MAE of the total, kcal/mol")


def plot_losses(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Sum of losses of every target over the epochs, training and validation."""
    targets = dict.fromkeys(
        key.split("/")[1] for record in records for key in record if key.startswith("train/")
    )
    with _figure(path, 1, max(1, len(targets)), (3.6 * max(1, len(targets)), 3.2)) as axes:
        for axis, target in zip(axes.flat, targets, strict=False):
            for split, style in (("train", "C0-"), ("validation", "C1-")):
                prefix = f"{split}/{target}/"
                sums = [
                    sum(v for k, v in r.items() if k.startswith(prefix))
                    if any(k.startswith(prefix) for k in r)
                    else np.nan
                    for r in records
                ]
                axis.plot(np.arange(1, len(sums) + 1), sums, style, label=split)
            axis.set(title=target, xlabel="epoch", yscale="log")
            axis.legend(fontsize=7)


def _contact(errors: DimerErrors, item: int) -> float:
    row = errors.rows[item]
    xyz = np.asarray(row["coordinates"]).reshape(-1, 3)
    size = errors.parameters[row["smiles_a"]].n_atoms
    return float(np.linalg.norm(xyz[:size, None] - xyz[None, size:], axis=-1).min())
