"""What the original implementation gives for a checkpoint with random weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
import yaml
from rdkit import Chem

from openff_bytepol.parameters import ParameterSet
from openff_bytepol.settings import NonbondedSettings

FOLDER = "reference/byteff_pol_checkpoint"
ATOM_KEYS = {
    "charges": "PreChargeVolume.charges",
    "polarizabilities": "PreExp6Pol.alpha",
    "dampings": "PreExp6Pol.pol_damping",
    "c6": "PreExp6Pol.c6",
    "radii": "PreExp6Pol.rvdw",
    "epsilons": "PreExp6Pol.eps",
    "lambdas": "PreExp6Pol.lambda",
    "ct_epsilons": "PreExp6Pol.ct_eps",
    "ct_lambdas": "PreExp6Pol.ct_lamb",
}
BOND_ANCHORS = (0.5, 4.0)
ANGLE_ANCHORS = (0.25 * math.pi, 1.05 * math.pi)


def settings(reference_data: Path) -> NonbondedSettings:
    """Constants of the functional form, from the checkpoint's configuration."""
    text = (reference_data / FOLDER / "fftrainer_config_in_use.yaml").read_text()
    blocks = yaml.safe_load(text)["model"]["ff_block"]
    block = next(b for b in blocks if b["type"] == "Exp6Pol")
    return NonbondedSettings(
        charge_14=block["charge14"],
        vdw_14=block["vdw14"],
        induction_14=block["ind14"],
        repulsion_s12=block["s12"],
        dispersion_damping=block["disp_damping_factor"],
        thole=block["pol_damping_factor"],
    )


def records(reference_data: Path) -> dict[str, dict[str, Any]]:
    """Mapped SMILES → expected parameters."""
    path = reference_data / FOLDER / "expected.json"
    return {e["mapped_smiles"]: e for e in json.loads(path.read_text()).values()}


def dimers(reference_data: Path) -> list[dict[str, Any]]:
    """Dimers whose monomers all have expected parameters (no water)."""
    known = records(reference_data)
    path = reference_data / FOLDER / "expected_dimers.json"
    return [d for d in json.loads(path.read_text()) if known.keys() >= set(d["monomers"])]


def conjugate(record: dict[str, Any], term: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The two force constants of the original's form of bonds or angles, float64."""
    keys = (f"PreMMBondedConj.{term}_k1", f"PreMMBondedConj.{term}_k2")
    k1, k2 = (torch.tensor(record[key], dtype=torch.float64).reshape(-1) for key in keys)
    return k1, k2


def parameter_set(record: dict[str, Any], constants: NonbondedSettings) -> ParameterSet:
    def floats(key: str, *shape: int) -> torch.Tensor:
        return torch.tensor(record[key], dtype=torch.float64).reshape(shape or (-1,))

    def index(name: str, width: int) -> torch.Tensor:
        return torch.tensor(record[f"inc_node_{name}"], dtype=torch.int64).reshape(-1, width)

    reader = Chem.SmilesParserParams()
    reader.removeHs = False
    atoms = Chem.MolFromSmiles(record["mapped_smiles"], reader).GetAtoms()
    numbers = [a.GetAtomicNum() for a in sorted(atoms, key=lambda a: a.GetAtomMapNum())]
    harmonic = {}
    for term, (low, high) in {"bond": BOND_ANCHORS, "angle": ANGLE_ANCHORS}.items():
        k1, k2 = conjugate(record, term)
        harmonic[term] = (k1 + k2, (k1 * low + k2 * high) / (k1 + k2))
    return ParameterSet(
        atomic_numbers=torch.tensor(numbers),
        molecule_index=torch.zeros(len(numbers), dtype=torch.int64),
        **{name: floats(key) for name, key in ATOM_KEYS.items()},
        bonds=index("bond", 2),
        bond_k=harmonic["bond"][0],
        bond_r0=harmonic["bond"][1],
        angles=index("angle", 3),
        angle_k=harmonic["angle"][0],
        angle_theta0=harmonic["angle"][1],
        propers=index("proper", 4),
        proper_k=floats("PreMMBondedConj.proper_k", -1, 4),
        impropers=index("improper", 4),
        improper_k=floats("PreMMBondedConj.improper_k"),
        settings=constants,
    )
