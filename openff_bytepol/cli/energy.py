"""``bytepol energy``: one structure, several engines, term by term."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box as boxes
from rich.table import Table

from openff_bytepol.cli.output import JsonOption, ModelOption, console, messages, print_json
from openff_bytepol.cli.systems import (
    BoxOption,
    CopiesOption,
    DensityOption,
    TemplateOption,
    build_interchange,
    build_topology,
)
from openff_bytepol.exceptions import DataError

if TYPE_CHECKING:
    from openff.toolkit import Topology

    from openff_bytepol.interop.energies import EnergyReport


class Engine(StrEnum):
    """Who computes the energy, of which force field."""

    TORCH = "torch"
    OPENMM = "openmm"
    OPENMM_FIXED = "openmm-fixed"
    GROMACS = "gromacs"
    AMBER = "amber"


def energy(
    molecules: Annotated[
        list[str],
        typer.Argument(help="SMILES, or SDF, PDB, SMI or CSV files.", metavar="SMILES|FILE..."),
    ],
    engines: Annotated[
        str,
        typer.Option(
            help="Polarizable: torch (vacuum only), openmm. Fixed charges: openmm-fixed, "
            "gromacs, amber. Comma-separated."
        ),
    ] = "openmm",
    copies: CopiesOption = None,
    density: DensityOption = None,
    box: BoxOption = None,
    template: TemplateOption = None,
    model: ModelOption = "bytepol",
    as_json: JsonOption = False,
) -> None:
    """Potential energy of a structure, term by term, in kJ/mol; bonds are free in all engines."""
    chosen = _parse(engines)
    topology = build_topology(
        molecules, copies=copies or (), density=density, box=box, templates=template or ()
    )
    reports = {}
    for engine in chosen:
        with messages.status(f"Energy by {engine}"):
            reports[engine.value] = _RUNNERS[engine](topology, model)
    if as_json:
        print_json(
            {
                "unit": "kJ/mol",
                "engines": {
                    name: {"engine": r.engine, "terms": dict(r.terms), "total": r.total}
                    for name, r in reports.items()
                },
            }
        )
    else:
        _print(reports)


def _parse(text: str) -> list[Engine]:
    try:
        return [Engine(name.strip().lower()) for name in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{error}; choose from {', '.join(Engine)}") from error


def _print(reports: dict[str, EnergyReport]) -> None:
    from openff_bytepol.interop.energies import TERMS

    table = Table(title="kJ/mol", title_justify="left", box=boxes.SIMPLE_HEAD, pad_edge=False)
    table.add_column("term")
    for name in reports:
        table.add_column(name, justify="right", no_wrap=True)
    for term in TERMS:
        if any(term in report.terms for report in reports.values()):
            values = (report.terms.get(term) for report in reports.values())
            table.add_row(term, *("–" if v is None else f"{v:.4f}" for v in values))
    table.add_section()
    table.add_row("total", *(f"{report.total:.4f}" for report in reports.values()))
    console.print(table)
    for name, report in reports.items():
        messages.print(f"{name}: {report.engine}")


def _by_torch(topology: Topology, model: str) -> EnergyReport:
    import torch

    from openff_bytepol.interop.energies import EnergyReport
    from openff_bytepol.models import load_model
    from openff_bytepol.parameters import ParameterSet
    from openff_bytepol.potentials import energy as potential_energy
    from openff_bytepol.units import KJ_PER_KCAL

    if topology.box_vectors is not None:
        raise DataError("torch computes energies in vacuum only; use the engine openmm for a box")
    parameters = ParameterSet.concatenate(load_model(model).predict(list(topology.molecules)))
    coordinates = torch.from_numpy(topology.get_positions().m_as("angstrom"))
    found = potential_energy(parameters, coordinates.to(torch.float64)).detach()
    terms = {"torsions": 0.0}
    for name, value in found.as_dict().items():
        term = "torsions" if name in ("propers", "impropers") else name
        terms[term] = terms.get(term, 0.0) + KJ_PER_KCAL * float(value)
    return EnergyReport(f"PyTorch {torch.__version__} (double precision)", terms)


def _by_openmm(topology: Topology, model: str) -> EnergyReport:
    from openff_bytepol.interop.openmm_energies import polarizable_energy

    return polarizable_energy(build_interchange(topology, model, constraints=False))


def _by_openmm_fixed(topology: Topology, model: str) -> EnergyReport:
    from openff_bytepol.interop.openmm_energies import openmm_energy

    return openmm_energy(build_interchange(topology, model, fixed=True, constraints=False))


def _by_gromacs(topology: Topology, model: str) -> EnergyReport:
    from openff_bytepol.interop.engines import gromacs_energy

    return gromacs_energy(build_interchange(topology, model, fixed=True, constraints=False))


def _by_amber(topology: Topology, model: str) -> EnergyReport:
    from openff_bytepol.interop.engines import amber_energy

    return amber_energy(build_interchange(topology, model, fixed=True, constraints=False))


_RUNNERS: dict[Engine, Callable[[Topology, str], EnergyReport]] = {
    Engine.TORCH: _by_torch,
    Engine.OPENMM: _by_openmm,
    Engine.OPENMM_FIXED: _by_openmm_fixed,
    Engine.GROMACS: _by_gromacs,
    Engine.AMBER: _by_amber,
}
