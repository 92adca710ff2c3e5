"""A campaign as one YAML file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from openff_bytepol.exceptions import DataError
from openff_bytepol.training.config import SplitConfig, StageConfig, TargetConfig

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Kind = Literal["monomer", "torsion", "dimer"]
Strategy = Literal["random", "uncertainty", "k_center", "determinantal", "vendi"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PoolConfig(_Section):
    """A file of SMILES (``.smi``, or ``.csv`` with a ``smiles`` column)."""

    path: str
    stereoisomers: AtLeastOne = 1
    """At most so many stereoisomers of each molecule with undefined centres; 1: undefined stays."""
    protonation: bool = False
    """Add ions one proton away, by common acid and base groups."""
    fragments: bool = False
    """Add the fragments left when bonds between rings and chains are cut."""
    max_heavy_atoms: AtLeastOne = 14
    limit: AtLeastOne | None = None
    """Take so many of the file, at random."""


class GeometryConfig(_Section):
    """Geometries made of chosen molecules."""

    conformers: AtLeastOne = 3
    distortions: tuple[Positive, ...] = (0.04,)
    """Standard deviations of random displacements of each conformer, Å."""
    torsions_per_molecule: AtLeastOne = 1
    torsion_spacing: Positive = 30.0
    """degrees"""


class DimerConfig(_Section):
    """Dimers cut from droplets or liquids simulated with the current model."""

    partners: tuple[str, ...] = ("O",)
    """Molecules that each chosen one is also mixed with, besides itself."""
    mixtures: AtLeastOne = 6
    """Simulations in each round."""
    copies: AtLeastOne = 6
    """Molecules of each component in a simulation."""
    density: Positive | None = None
    """Of a periodic liquid, g/cm³; default: a droplet without box."""
    temperature: Positive = 350.0
    """K"""
    steps: Count = 60
    """Time steps of 2 fs after minimisation; frames are taken five times, evenly spaced."""
    max_distance: Positive = 4.0
    """Closest contact of the two molecules of a dimer, Å."""
    per_mixture: AtLeastOne = 20
    """Dimers of each simulation offered for selection."""
    max_atoms: AtLeastOne = 40


class CandidateConfig(_Section):
    """Where candidates come from."""

    pools: Annotated[tuple[PoolConfig, ...], Field(min_length=1)]
    exclude: tuple[str, ...] = ()
    """Files of SMILES that are never labelled: assessments."""
    geometries: GeometryConfig = GeometryConfig()
    dimers: DimerConfig = DimerConfig()


class AcquisitionConfig(_Section):
    """How candidates are scored and chosen."""

    estimator: Literal["ensemble", "latent", "fingerprint", "novelty"] = "ensemble"
    """Uncertainty of molecules; dimers are always scored by the ensemble's energies."""
    strategy: Strategy = "vendi"
    vendi_order: Positive = 1.0
    """q of the Vendi score."""
    kernel: Literal["latent", "fingerprint"] = "latent"
    shortlist: AtLeastOne = 2000
    """Strategies of diversity see so many of the most uncertain candidates."""
    uncertainty_power: NotNegative = 1.0
    cost_power: NotNegative = 1.0
    """Gain = diversity gain · uncertainty^a / predicted cost^b."""
    shares: dict[Kind, Fraction] = {"monomer": 0.4, "torsion": 0.2, "dimer": 0.4}
    """Parts of a round's budget."""

    @model_validator(mode="after")
    def _shares_add_up(self) -> AcquisitionConfig:
        if not 0.0 < sum(self.shares.values()) <= 1.0 + 1e-9:
            raise ValueError("acquisition.shares must add up to at most 1, and not to 0")
        return self


class LabelConfig(_Section):
    """Who makes labels, and at which level."""

    labeller: str = "teacher"
    """``teacher``, ``qcarchive``, or ``package.module:Class``."""
    levels: dict[Kind, str] = {
        "monomer": "gfn2-xtb",
        "torsion": "gfn2-xtb",
        "dimer": "gfn2-xtb",
    }
    settings: dict[str, Any] = {}
    """The labeller's own; never credentials, which come from environment or keyring."""
    poll_seconds: Positive = 5.0
    patience_hours: Positive = 48.0
    """Jobs still open after this time are given up for the round; what is complete is used."""
    dimer_weight: Positive = 1.0
    """Weight of new dimers in the loss."""


class BudgetConfig(_Section):
    """What a whole campaign may spend."""

    records: AtLeastOne
    """Geometries labelled."""
    core_hours: Positive
    wall_hours: Positive = 24.0 * 365
    """Time that the campaign's processes run."""
    price_per_core_hour: NotNegative = 0.0
    """In the currency of the report."""


class ReplayConfig(_Section):
    """Labels of earlier training that are mixed in, so that nothing is forgotten."""

    molecules: tuple[str, ...] = ()
    """Parquet files of the molecules schema; patterns are allowed."""
    dimers: tuple[str, ...] = ()
    """Parquet files of the dimers schema; patterns are allowed."""
    molecules_limit: Count | None = None
    dimers_limit: Count | None = None
    new_weight: AtLeastOne = 2
    """New rows are repeated so often in an epoch."""


class RetrainConfig(_Section):
    """Warm start of the whole ensemble on old and new labels."""

    stages: tuple[StageConfig, ...] = (
        StageConfig(
            name="joint",
            weights={"monomers": 1.0, "dimers": 1.0},
            batch_sizes={"monomers": 8, "dimers": 32},
            epochs=4,
            steps_per_epoch=50,
            learning_rate=3e-4,
        ),
    )
    replay: ReplayConfig = ReplayConfig()
    split: SplitConfig = SplitConfig()
    """Of replayed rows, as the parent was trained: its held-out rows stay held out."""
    targets: TargetConfig = TargetConfig()
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    gradient_clip: Positive = 5.0
    device: str = "cpu"


class StabilityConfig(_Section):
    """Short constant-energy runs of droplets with the new model."""

    liquids: tuple[str, ...] = ("O",)
    copies: AtLeastOne = 8
    steps: AtLeastOne = 100
    """Of 0.5 fs after minimisation and a short thermalisation."""
    max_drift: Positive = 0.05
    """Largest drift of the total energy, kcal/mol per atom and ps."""


class GateConfig(_Section):
    """What a new model must show before it is promoted."""

    better: tuple[str, ...] = ("new",)
    """Sets where the mean error must fall significantly; ``new`` is the new held-out labels,
    ``replay`` the held-out part of `training.replay`."""
    molecules: dict[str, str] = {}
    """Held-out set → Parquet file(s) of the molecules schema."""
    dimers: dict[str, str] = {}
    """Held-out set → Parquet file(s) of the dimers schema."""
    torsions: dict[str, str] = {}
    """Held-out set → torsion scans (JSON of the MobleyLab qm-theory-benchmark layout)."""
    tolerance: NotNegative = 0.05
    """Elsewhere the mean error may rise by this fraction, with the confidence below."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    bootstrap: AtLeastOne = 2000
    min_groups: AtLeastOne = 8
    """Molecules or pairs below which a set cannot show an improvement."""
    holdout_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    """Of each round's labels (by molecule), kept from training for the set ``new``."""
    stability: StabilityConfig | None = StabilityConfig()
    command: tuple[str, ...] = ()
    """A program that gets the two model directories as last arguments (parent, candidate) and
    vetoes by a non-zero exit code, such as a benchmark of liquid properties."""


class ScheduleConfig(_Section):
    """How often an unattended campaign runs."""

    cron: str = "17 3 * * 1"
    """Five fields, UTC; used by the Modal app and printed for other schedulers."""
    auto_promote: bool = False
    """Promote models that pass all gates; otherwise `bytepol-al promote` does."""


class CampaignConfig(_Section):
    """A whole campaign."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    model: str = "bytepol"
    """Name or directory of the model to start from."""
    rounds: AtLeastOne = 2
    seed: int = 1
    candidates: CandidateConfig
    acquisition: AcquisitionConfig = AcquisitionConfig()
    labels: LabelConfig = LabelConfig()
    budget: BudgetConfig
    training: RetrainConfig = RetrainConfig()
    gates: GateConfig = GateConfig()
    models: str = "models"
    """Folder of new models, relative to the campaign."""
    schedule: ScheduleConfig = ScheduleConfig()

    _folder: Path = PrivateAttr(default=Path("."))

    def path(self, name: str) -> Path:
        """A path relative to the configuration file."""
        return self._folder / name

    def files(self, patterns: tuple[str, ...] | str) -> list[Path]:
        """Files that match patterns relative to the configuration.

        Raises
        ------
        DataError
            If a pattern matches nothing.
        """
        found: list[Path] = []
        for pattern in (patterns,) if isinstance(patterns, str) else patterns:
            path = self.path(pattern)
            root = Path(path.anchor or ".")
            matches = sorted(root.glob(str(path.relative_to(root)) if path.anchor else str(path)))
            if not matches:
                raise DataError(f"{path}: no such file; correct the path in the configuration")
            found += matches
        return found

    def changed(self, **changes: Any) -> CampaignConfig:
        """Copy with other fields, in the same place."""
        copied = self.model_copy(update=changes)
        copied._folder = self._folder
        return copied

    @property
    def sha256(self) -> str:
        """Of everything that changes results; rounds, budget, schedule and device may change."""
        content = self.model_dump(
            mode="json",
            exclude={"rounds": True, "budget": True, "schedule": True, "training": {"device"}},
        )
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_campaign(path: str | Path) -> CampaignConfig:
    """Read and check a campaign file.

    Raises
    ------
    DataError
        If it is missing, not YAML, or a field is unknown or out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such campaign; make one with `bytepol-al init`")
    try:
        config = CampaignConfig.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    config._folder = path.resolve().parent
    return config
