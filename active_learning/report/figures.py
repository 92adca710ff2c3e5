"""Figures of a report as SVG text."""

from __future__ import annotations

import io
from typing import Any

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D


def molecule_svg(smiles: str, width: int = 170, height: int = 120) -> str:
    """Drawing of one molecule, or of several joined by a dot."""
    mol = Chem.MolFromSmiles(smiles)
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options = drawer.drawOptions()
    options.clearBackground = False  # type: ignore[assignment]
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
    drawer.FinishDrawing()
    text = str(drawer.GetDrawingText())
    return text[text.index("<svg") :]


def learning_curves(curves: dict[str, list[dict[str, Any]]]) -> str:
    """Mean error of old and new models against labels, with intervals of the change."""
    figure, axis = _axes(7, 4)
    for number, (name, points) in enumerate(curves.items()):
        labels = [p["labels"] for p in points]
        old, new = [p["old"] for p in points], [p["new"] for p in points]
        low = [p["new"] - (p["old"] + p["low"]) for p in points]
        high = [(p["old"] + p["high"]) - p["new"] for p in points]
        error = [[max(0.0, v) for v in low], [max(0.0, v) for v in high]]
        axis.errorbar(labels, new, error, fmt="o-", color=f"C{number}", label=f"{name}: new")
        axis.plot(labels, old, "x--", color=f"C{number}", label=f"{name}: parent")
    axis.set(xlabel="labels", ylabel="mean absolute error, kcal/mol")
    if curves:
        axis.legend(fontsize=7)
    return _svg(figure)


def pool_map(content: dict[str, Any]) -> str:
    """The pool by principal components, coloured by uncertainty; chosen molecules circled."""
    figure, axis = _axes(7, 5)
    points = content["points"]
    xs, ys = [p["x"] for p in points], [p["y"] for p in points]
    drawn = axis.scatter(xs, ys, c=[p["uncertainty"] for p in points], s=10, cmap="viridis")
    figure.colorbar(drawn, label="uncertainty")
    chosen = [p for p in points if p["chosen"]]
    axis.scatter(
        [p["x"] for p in chosen], [p["y"] for p in chosen], s=45, facecolors="none",
        edgecolors="red", label="chosen",
    )  # fmt: skip
    first, second = content["explained"]
    axis.set(xlabel=f"component 1 ({first:.0%})", ylabel=f"component 2 ({second:.0%})")
    axis.legend(fontsize=8)
    return _svg(figure)


def coverage(calibration: dict[str, Any]) -> str:
    """Observed against expected coverage of the first calibrated model."""
    figure, axis = _axes(4.5, 4)
    axis.plot([0, 1], [0, 1], "k-", linewidth=0.7)
    for name, quantity in calibration["quantities"].items():
        axis.plot(calibration["levels"], quantity["coverage"], ".-", label=name)
    axis.set(xlabel="expected coverage", ylabel="observed coverage", xlim=(0, 1), ylim=(0, 1))
    axis.legend(fontsize=7)
    return _svg(figure)


def costs(chosen: list[dict[str, Any]]) -> str:
    """Measured against predicted core-hours of finished jobs."""
    figure, axis = _axes(4.5, 4)
    done = [c for c in chosen if c["core_hours"]]
    for kind in sorted({c["kind"] for c in done}):
        some = [c for c in done if c["kind"] == kind]
        predicted = [c["predicted_core_hours"] for c in some]
        axis.loglog(predicted, [c["core_hours"] for c in some], "o", markersize=4, label=kind)
    if done:
        values = [c["core_hours"] for c in done] + [c["predicted_core_hours"] for c in done]
        axis.loglog([min(values), max(values)], [min(values), max(values)], "k-", linewidth=0.7)
        axis.legend(fontsize=8)
    axis.set(xlabel="predicted core-hours", ylabel="measured core-hours")
    return _svg(figure)


def lineage(models: list[dict[str, Any]]) -> str:
    """Models as boxes under their parents."""
    place = {model["sha256"]: number for number, model in enumerate(models)}
    colours = {"promoted": "#cfe8cf", "candidate": "#e6f0d8", "rejected": "#f3d6d0"}
    parts = []
    for number, model in enumerate(models):
        y = 10 + 56 * number
        if model["parent"] in place:
            above = 10 + 56 * place[model["parent"]] + 40
            x = 20 + 6 * place[model["parent"]]
            parts.append(f'<path d="M{x} {above} L{x} {y}" stroke="#555" fill="none"/>')
        parts.append(
            f'<rect x="10" y="{y}" width="330" height="40" rx="5" '
            f'fill="{colours.get(model["state"], "#e8e8e8")}" stroke="#555"/>'
            f'<text x="60" y="{y + 17}" font-size="12">round {model["round"]}: '
            f"{model['sha256'][:12]}, {model['state']}</text>"
            f'<text x="60" y="{y + 33}" font-size="10">{model["lineage"].get("records", 0)} '
            "records</text>"
        )
    height = 20 + 56 * len(models)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="350" height="{height}" '
        f'font-family="sans-serif">{"".join(parts)}</svg>'
    )


def _axes(width: float, height: float) -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height))


def _svg(figure: Any) -> str:
    from matplotlib import pyplot as plt

    stream = io.StringIO()
    figure.tight_layout()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = stream.getvalue()
    return text[text.index("<svg") :]
