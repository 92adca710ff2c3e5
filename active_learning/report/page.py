"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from active_learning.report import figures
from active_learning.report.collect import drawn

_TEMPLATE: Final = Path(__file__).with_name("page.html")


def render(content: dict[str, Any]) -> str:
    """HTML of what `collect.collect` returned."""
    calibrations = [c for c in content["calibration"].values() if c.get("quantities")]
    items = [
        item | {"svg": Markup(figures.molecule_svg(".".join(item["molecules"])))}
        for item in drawn(content)
    ]
    template = Environment(autoescape=True).from_string(_TEMPLATE.read_text("utf-8"))
    return template.render(
        c=content,
        curves=Markup(figures.learning_curves(content["learning_curve"])),
        map=Markup(figures.pool_map(content["map"])) if content["map"] else "",
        coverage=Markup(figures.coverage(calibrations[0])) if calibrations else "",
        calibration=calibrations[0] if calibrations else {},
        costs=Markup(figures.costs(content["chosen"])),
        lineage=Markup(figures.lineage(content["models"])),
        drawn=items,
    )
