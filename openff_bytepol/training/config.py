"""Everything a training run depends on, as one YAML file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from openff_bytepol.exceptions import DataError
from openff_bytepol.smiles import canonical_smiles
from openff_bytepol.training.labels.config import (
    AnchorConfig,
    CheckConfig,
    ClusterConfig,
    ContactConfig,
    DecompositionConfig,
    PoolConfig,
    ResponseConfig,
)

Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=0)]
TargetName = Literal[
    "priors",
    "dimers",
    "contacts",
    "clusters",
    "monomers",
    "responses",
    "potentials",
    "anchors",
    "start",
]
ParameterName = Literal[
    "charges",
    "polarizabilities",
    "dampings",
    "c6",
    "radii",
    "epsilons",
    "lambdas",
    "ct_epsilons",
    "ct_lambdas",
    "bond_k",
    "bond_r0",
    "angle_k",
    "angle_theta0",
    "proper_k",
    "improper_k",
]
DATA_VARIABLE = "BYTEPOL_REFERENCE_DATA"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelConfig(_Section):
    """Which molecules to label, with which geometries."""

    pools: dict[str, PoolConfig] = {}
    extra: tuple[str, ...] = ()
    n_ions: Count = 0
    max_heavy_atoms: Count = 14
    max_molecules: Count | None = None
    """Label only the first so many of the shuffled molecules."""
    n_conformers: Annotated[int, Field(ge=1)] = 4
    conformer_steps: Count = 12
    max_torsions: Count = 2
    torsion_points: Annotated[int, Field(ge=2)] = 12
    torsion_steps: Count = 5
    distortions: tuple[Positive, ...] = (0.03, 0.06)
    """Standard deviations of random displacements, Å."""
    energy_window: Positive = 60.0
    """Geometries further above the lowest are dropped, kcal/mol."""
    force_limit: Positive = 250.0
    """Geometries with a larger force component are dropped, kcal/mol/Å."""
    deviation_limit: Positive | None = None
    """Geometries are dropped where AIMNet2's networks disagree more on a force, kcal/mol/Å."""
    ion_ligands: dict[str, str] = {}
    """Name → SMILES of ligands that alkali cations approach."""
    cations: dict[Literal["Li", "Na", "K"], tuple[Positive, ...]] = {}
    """Distances to the acceptor atom for each cation, Å."""
    emphasis: dict[str, Annotated[int, Field(ge=1)]] = {}
    """How often an epoch shows molecules, their responses and potentials, by SMILES; once by
    default. One molecule among thousands keeps charges that suit its many dimers better than its
    dipole moment."""
    ion_weight: Positive = 1.0
    """Weight of these curves in the dimer loss; they are few."""
    chunk_size: Annotated[int, Field(ge=1)] = 40
    seed: int = 1
    responses: ResponseConfig | None = None
    decompositions: DecompositionConfig | None = None
    checks: CheckConfig | None = None
    contacts: ContactConfig | None = None
    clusters: ClusterConfig | None = None
    anchors: AnchorConfig | None = None

    @property
    def times_shown(self) -> dict[str, int]:
        """``emphasis`` by canonical SMILES."""
        return {canonical_smiles(smiles): n for smiles, n in self.emphasis.items()}

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of labels that are named.

        Each by its section, molecules by ``pools`` or ``extra``, ions by ``cations`` with
        ``ion_ligands``.
        """
        named: dict[str, object] = {
            "molecules": self.pools or self.extra,
            "contacts": self.contacts,
            "clusters": self.clusters,
            "ions": self.cations and self.ion_ligands,
            "responses": self.responses,
            "decompositions": self.decompositions,
            "anchors": self.anchors,
            "checks": self.checks,
        }
        return frozenset(kind for kind, value in named.items() if value)


Component = Literal["elst", "exch", "ind", "disp", "total", "three_body", "dipole", "potential"]


class DimerSource(_Section):
    """A file of dimers with an energy decomposition."""

    path: str
    reader: str
    """A reader of dimers; `bytepol data import` lists them."""
    weight: Positive = 1.0
    exclude_subsets: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    """Levels of theory allowed; empty for any."""


class SplitConfig(_Section):
    """What is held out: monomer pairs and scaffolds, never geometries."""

    pair_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    scaffold_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    train_share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Part of the groups for training that is used; smaller shares lie within larger ones."""
    trained: tuple[str, ...] = ()
    """SMILES of molecules whose pairs with themselves are never held out: liquids that must be
    right rather than assessed."""
    seed: int = 1


class StageConfig(_Section):
    """One stage of training: targets with weights, and the optimiser's settings."""

    name: str
    weights: dict[TargetName, Positive]
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Positive
    batch_sizes: dict[TargetName, Annotated[int, Field(ge=1)]] = {}
    every: dict[TargetName, Annotated[int, Field(ge=1)]] = {}
    """Targets that take part in every so many steps only, with as much more weight."""
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = None
    """Steps in an epoch; default: once through the first target."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop the stage after this many epochs without a better validation loss."""
    keep: Literal["best", "last"] = "best"
    """Averaged weights that the stage ends with: those of the epoch that did best in validation,
    or the last, where validation does not show what the stage is for."""

    @model_validator(mode="after")
    def _patience_waits_for_the_best(self) -> StageConfig:
        if self.patience is not None and self.keep == "last":
            raise ValueError(
                f"stage {self.name}: patience stops the stage some epochs after the best one, "
                "which keep: last would not keep; leave one of them out"
            )
        return self


class TargetConfig(_Section):
    """Scales that make losses of different quantities comparable (one unit of loss each)."""

    charge_scale: Positive = 0.05
    log_c6_scale: Positive = 0.2
    log_polarizability_scale: Positive = 0.1
    bond_length_scale: Positive = 0.02
    angle_scale: Positive = 0.05
    log_force_constant_scale: Positive = 0.2
    proper_scale: Positive = 0.5
    dimer_energy_scale: Positive = 0.5
    dimer_relative_scale: Positive = 0.1
    """Part of a component's size that is added to ``dimer_energy_scale``."""
    dimer_total_weight: Annotated[float, Field(ge=0.0)] = 2.0
    dimer_slope_weight: Annotated[float, Field(ge=0.0)] = 0.0
    """Of differences of totals along a line on which one molecule approaches the other."""
    dimer_slope_scale: Positive = 1.0
    """kcal/mol/Å"""
    dimer_mean_weight: Annotated[float, Field(ge=0.0)] = 0.0
    """Of the mean residuals of totals and slopes over a batch's contacts of the same two
    molecules."""
    dimer_mean_scale: Positive = 0.1
    """Of totals, kcal/mol."""
    dimer_mean_slope_scale: Positive = 0.3
    """Of slopes, kcal/mol/Å."""
    three_body_dispersion: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Part of the dispersion energy of neighbours in a liquid that three-body dispersion (Axilrod
    and Teller), which the model lacks, takes back there: DFT-D4 has 0.04 in water and acetonitrile,
    0.05 in acetone. Totals of contacts from liquids count less by it."""
    electrostatics_exchange: Positive = 0.5
    """Electrostatics alone counts by exp(-exchange/this), kcal/mol."""
    dimer_energy_limit: Positive = 20.0
    """Dimers with a total interaction above this are left out, kcal/mol."""
    cluster_energy_scale: Positive = 0.05
    """Of three-body energies, kcal/mol."""
    cluster_relative_scale: Annotated[float, Field(ge=0.0)] = 0.05
    """Part of a three-body energy's size that is added to ``cluster_energy_scale``."""
    charge_limits: dict[int, Positive] = {}
    """Largest absolute charge of an atom by atomic number, e; larger ones are penalized."""
    wall_energy: Annotated[float, Field(ge=0.0)] = 0.0
    """Least energy of any two atoms at 1 Å and nearer, kcal/mol; 0 for no such walls."""
    monomer_energy_scale: Positive = 1.0
    monomer_energy_softening: Positive = 10.0
    """Energies are weighted by 1/(1 + E/softening), kcal/mol."""
    monomer_force_scale: Positive = 8.0
    dipole_scale: Positive = 0.12
    """e·Å"""
    dipole_relative_scale: Annotated[float, Field(ge=0.0)] = 0.0
    """Part of a dipole's size that is added to ``dipole_scale``."""
    monomer_dipole_scale: Positive | None = None
    """Instead of ``dipole_scale`` for the less accurate dipoles of ``monomers``, e·Å."""
    log_molecular_polarizability_scale: Positive = 0.03
    potential_scale: Positive = 0.5
    """kcal/mol/e"""
    potential_relative_scale: Annotated[float, Field(ge=0.0)] = 0.1
    """Part of a molecule's root mean square potential that is added to ``potential_scale``."""
    anchor_charge_scale: Positive = 0.003
    """e"""
    anchor_log_scale: Positive = 0.1
    """Of the logarithms of all other parameters; a tenth of it for ``lambdas`` and
    ``ct_lambdas``."""
    start_parameters: Annotated[tuple[ParameterName, ...], Field(min_length=1)] = get_args(
        ParameterName
    )
    """Parameters that the target ``start`` keeps near those of the start."""
    n_geometries: Annotated[int, Field(ge=2)] = 16
    """Geometries of one molecule in a batch."""


class EvaluationConfig(_Section):
    """Benchmark files, relative to the reference data."""

    torsions: str = "data/monomers/torsion_scans.json"
    gscdb: str = "data/monomers/gscdb138_subset.tar.gz"


class TrainingConfig(_Section):
    """A whole training run."""

    name: str
    """Model name, also the folder of the result under ``output``."""
    reference_data: str
    """Folder with public data, relative to this file; ``BYTEPOL_REFERENCE_DATA`` wins."""
    output: str
    """Folder for labels, checkpoints, metrics and the model, relative to this file."""
    labels: LabelConfig = LabelConfig()
    dimers: tuple[DimerSource, ...] = ()
    level_factors: dict[str, dict[Component, Positive]] = {}
    """Level of theory → factors on components of dimers, three-body energies, dipoles and
    potentials that bring it nearer to a better level."""
    split: SplitConfig = SplitConfig()
    targets: TargetConfig = TargetConfig()
    stages: tuple[StageConfig, ...]
    evaluation: EvaluationConfig = EvaluationConfig()
    model: dict[str, Any] = {}
    """Fields of `openff_bytepol.nn.config.ModelConfig` that differ from its defaults."""
    start: str | None = None
    """Model to start from: a name or a folder; its configuration then counts."""
    start_pools: dict[str, PoolConfig] = {}
    """Files of SMILES, relative to the reference data: molecules whose parameters the target
    ``start`` keeps. Default: those of ``labels.pools`` and ``labels.extra``."""
    start_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the start's weights in those that the run ends with: x·start + (1 - x)·trained,
    member by member. Keeps more of what the start knew (WiSE-FT, arXiv 2109.01903)."""
    freeze: tuple[str, ...] = ()
    """Parts of the network that stay as they are, such as ``transformer``."""
    n_members: Annotated[int, Field(ge=1)] | None = None
    """Members of the ensemble; default: those of ``start``, or one."""
    seed: int = 1
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.995
    gradient_clip: Positive = 5.0
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-5
    checkpoint_seconds: Positive = 120.0
    device: str = "cpu"
    tensorboard: bool = False
    """Write event files for TensorBoard beside ``metrics.jsonl``."""
    card: str | None = None
    """Markdown file that becomes the model card, relative to this file."""

    _folder: Path = PrivateAttr(default=Path("."))

    @model_validator(mode="after")
    def _share_needs_a_start(self) -> TrainingConfig:
        if self.start_share > 0.0 and self.start is None:
            raise ValueError("start_share is the part of a start's weights: name it in `start`")
        return self

    def data_path(self, path: str) -> Path:
        """A file beside the configuration, or else of the reference data."""
        if self.beside(path).is_file():
            return self.beside(path)
        root = os.environ.get(DATA_VARIABLE)
        return (Path(root) if root else self._folder / self.reference_data) / path

    def pool_files(self, pools: Mapping[str, PoolConfig]) -> dict[str, tuple[Path, int]]:
        """File of each pool, and how many molecules to take from it."""
        return {name: (self.data_path(pool.path), pool.count) for name, pool in pools.items()}

    def beside(self, path: str) -> Path:
        """A path relative to the configuration file."""
        return self._folder / path

    @property
    def output_folder(self) -> Path:
        return self.beside(self.output)

    @property
    def labels_folder(self) -> Path:
        return self.output_folder / "labels"


def load_config(path: str | Path, changes: Mapping[str, Any] | None = None) -> TrainingConfig:
    """Read and check a training configuration.

    Parameters
    ----------
    path
        YAML file.
    changes
        Fields that replace those of the file.

    Raises
    ------
    DataError
        If the file is missing or a field is unknown or out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such configuration")
    try:
        values = yaml.safe_load(path.read_text()) or {}
        config = TrainingConfig.model_validate({**values, **(changes or {})})
    except (ValidationError, yaml.YAMLError) as error:
        raise DataError(f"{path}: {error}") from error
    config._folder = path.resolve().parent
    return config
