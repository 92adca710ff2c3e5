"""Settings of labels made by quantum chemistry."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openff_bytepol.exceptions import ChemistryError
from openff_bytepol.qm.levels import Level
from openff_bytepol.smiles import canonical_smiles

Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=0)]
HeldParameter = Literal["epsilons", "lambdas", "ct_epsilons", "ct_lambdas"]


class Section(BaseModel):
    """Part of a configuration; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PoolConfig(Section):
    """A file of SMILES and how many diverse molecules to take from it."""

    path: str
    count: Count


class ResponseConfig(Section):
    """Dipoles, polarizabilities and electrostatic potentials of molecules (PySCF)."""

    pools: dict[str, PoolConfig] = {}
    extra: tuple[str, ...] = ()
    """SMILES that are labelled first."""
    benchmark: tuple[str, ...] = ()
    """SMILES that are labelled like ``extra`` although Dip146 or Pol130 hold them. A report on
    these benchmarks then leaves them out."""
    n_ions: Count = 0
    max_heavy_atoms: Annotated[int, Field(ge=1)] = 7
    functional: str = "pbe0"
    basis: str = "def2-svpd"
    n_conformers: Annotated[int, Field(ge=1)] = 4
    relaxation_steps: Count = 60
    chunk_size: Annotated[int, Field(ge=1)] = 5
    seed: int = 1

    @property
    def level(self) -> str:
        """Level of theory, as the labels carry it."""
        return f"{self.functional.upper()}/{self.basis} (density fitting)"


class LiquidConfig(Section):
    """A liquid of equal parts of some molecules, simulated at constant volume."""

    molecules: Annotated[tuple[str, ...], Field(min_length=1)]
    """SMILES."""
    density: Positive
    """g/cm³"""
    temperature: Positive = 330.0
    """K"""
    equilibration_steps: Count = 600
    """Of 2 fs, after a minimisation."""
    frames: Annotated[int, Field(ge=1)] = 4
    steps_between: Annotated[int, Field(ge=1)] = 150
    count: Annotated[int, Field(ge=1)] = 8
    """Pairs, or trimers, that are labelled."""
    unlike: bool = False
    """Only pairs, or trimers, of different molecules: those that tell a mixture from its parts."""

    @model_validator(mode="after")
    def _unlike_needs_two(self) -> LiquidConfig:
        if self.unlike and self.alike(range(len(self.molecules))):
            raise ValueError(
                f"unlike: {self.molecules[0]} alone has no pairs of different molecules; name "
                "another one in molecules, or leave unlike out"
            )
        return self

    def alike(self, positions: Iterable[int]) -> bool:
        """Whether the molecules at these positions of ``molecules`` are one, however written.

        SMILES that RDKit cannot read are taken as written: simulating them says what is wrong.
        """
        names = {self.molecules[position] for position in positions}
        return len({_canonical(name) for name in names}) == 1


@lru_cache(maxsize=1_000)
def _canonical(smiles: str) -> str:
    try:
        return canonical_smiles(smiles)
    except ChemistryError:
        return smiles


class MinimumConfig(Section):
    """Pairs as a model binds them most, which a simulation would find, and as AIMNet2 does."""

    molecules: Annotated[tuple[str, ...], Field(min_length=1)]
    """SMILES; each with itself and with every one of ``partners``."""
    partners: tuple[str, ...] = ("O",)
    n_starts: Annotated[int, Field(ge=1)] = 8
    """Random contacts from which the energy of a pair is minimised."""
    kept: Count = 2
    """The deepest minima of a pair that are labelled, each at least 0.3 kcal/mol above the last."""
    relaxed: Count = 0
    """The deepest minima of AIMNet2 next to the model's that are labelled too: a minimum in a wrong
    place says nothing of the right one."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """SMILES of each pair."""
        return [
            (one, other) for one in self.molecules for other in dict.fromkeys((one, *self.partners))
        ]


class ContactConfig(Section):
    """Contacts of liquids' molecules with first-order energies, and some with totals (PySCF)."""

    molecules: tuple[str, ...]
    """SMILES."""
    files: tuple[str, ...] = ()
    """Parquet files beside the configuration that hold contacts made before; they count like those
    made now."""
    rounds: Annotated[int, Field(ge=1)] = 4
    """Each round pairs every molecule with itself and with a random other."""
    max_atoms: Annotated[int, Field(ge=2)] = 28
    """Of a pair; larger ones are left out."""
    closeness: tuple[Positive, Positive] = (0.78, 1.05)
    """Range of the smallest distance, in sums of van der Waals radii."""
    largest_exchange: Positive = 40.0
    """First-order, kcal/mol; contacts above are left out. The rigid conformers that stand for a
    liquid's flexible molecules can clash where those did not."""
    functional: str = "b3lyp"
    basis: str = "def2-svpd"
    total: str | None = None
    """Functional and dispersion correction, such as ``b3lyp-d3bj``, by which pairs cut from
    liquids and those at minima get a counterpoise-corrected total; about ten times the cost of
    first order."""
    displacement: Annotated[float, Field(ge=0.0)] = 0.0
    """Å; pairs with a total get a second one with the molecules so much further apart along the
    line of their centres. The difference is the force between them, which decides the pressure
    of a liquid. 0 for none."""
    n_conformers: Annotated[int, Field(ge=1)] = 3
    relaxation_steps: Count = 60
    weight: Positive = 1.0
    """Of these dimers in the loss."""
    total_weight: Positive | None = None
    """Of those with a total; that of the others by default."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """How often an epoch shows each of them: few dimers among many are learned better if they
    are seen often than if they weigh much."""
    shown: Count = 0
    """How many contacts with totals of each pair of molecules an epoch shows at least, by
    repeating each up to 20 times, so that liquids with costly labels are not forgotten."""
    liquids: tuple[LiquidConfig, ...] = ()
    """Liquids from which further pairs are cut."""
    minima: MinimumConfig | None = None
    """Further pairs at minima of the model's energy, where it is wrong in its own favour, and of
    AIMNet2's."""
    model: str = "bytepol"
    """Name or folder of the model that simulates liquids and binds pairs."""
    reach: Positive = 1.1
    """Pairs of a liquid whose smallest distance, in sums of van der Waals radii, is below."""
    chunk_size: Annotated[int, Field(ge=1)] = 4
    seed: int = 7

    @property
    def level(self) -> Level:
        """Level of theory of the monomers' orbitals."""
        name = f"Heitler-London {self.functional.upper()}/{self.basis} (density fitting)"
        return Level(name, "first-order", "pyscf", self.functional, self.basis, grid=(35, 110))

    @property
    def total_level(self) -> Level | None:
        """Level of theory of the totals."""
        if self.total is None:
            return None
        name = f"{self.total.upper()}/{self.basis} (density fitting, counterpoise)"
        return Level(name, "counterpoise", "pyscf", self.total, self.basis, grid=(35, 110))


class ClusterConfig(Section):
    """Trimers of neighbours from liquids with three-body energies (PySCF)."""

    liquids: tuple[LiquidConfig, ...] = ()
    """Liquids and mixtures from which they are cut."""
    files: tuple[str, ...] = ()
    """Parquet files beside the configuration that hold clusters made before; they count like those
    made now."""
    model: str = "bytepol"
    """Name or folder of the model that simulates the liquids."""
    basis: str = "def2-svpd"
    reach: Positive = 1.1
    """Neighbours are molecules whose smallest distance, in sums of van der Waals radii, is below.
    A trimer is a molecule with two of its neighbours."""
    closest: Positive = 0.55
    """Trimers with a smaller distance are left out: the rigid conformers that stand for a liquid's
    flexible molecules can clash where those did not."""
    max_atoms: Annotated[int, Field(ge=3)] = 30
    """Of a trimer; larger ones are left out."""
    n_conformers: Annotated[int, Field(ge=1)] = 3
    relaxation_steps: Count = 60
    seed: int = 7

    @property
    def level(self) -> Level:
        """Level of theory."""
        name = f"MP2/{self.basis} (density fitting, counterpoise)"
        return Level(name, "three-body", "pyscf", "mp2", self.basis)


class PairConfig(Section):
    """Two molecules at random contacts."""

    molecules: tuple[str, str]
    """SMILES."""
    count: Annotated[int, Field(ge=1)] = 8
    closeness: tuple[Positive, Positive] = (0.85, 1.4)
    """Range of the smallest distance, in sums of van der Waals radii."""


class DecompositionConfig(Section):
    """Dimers with a whole energy decomposition: SAPT0 or ALMO-EDA."""

    level: str = "sapt0/def2-svpd"
    """``sapt0/BASIS`` (Psi4), or a level ``almo-eda …`` of `openff_bytepol.qm`."""
    cations: dict[Literal["Li", "Na", "K"], tuple[Positive, ...]] = {}
    """Distances of each alkali cation to the acceptor atom, Å."""
    ligands: dict[str, str] = {}
    """Name → SMILES of the molecules that cations approach."""
    pairs: tuple[PairConfig, ...] = ()
    weight: Positive = 1.0
    """Of these dimers in the loss."""
    memory_gb: Positive = 2.0
    seed: int = 1


class AnchorConfig(Section):
    """Molecules whose nonbonded parameters are fitted directly to the dimers that hold them."""

    molecules: tuple[str, ...] = ()
    """SMILES."""
    files: tuple[str, ...] = ()
    """Parquet files beside the configuration that hold anchors made before; they count like those
    made now."""
    model: str = "bytepol"
    """Name or folder of the model that gives the values to start from, and the parameters of all
    other molecules."""
    steps: Annotated[int, Field(ge=1)] = 200
    """Evaluations of the loss at most."""
    max_dimers: Annotated[int, Field(ge=1)] = 2000
    """Of a molecule that are no contacts from liquids; of more, as many are taken evenly."""
    three_body_weight: Positive = 10.0
    """Of the loss of trimers beside that of dimers, which sums over their components."""
    c6_weight: Annotated[float, Field(ge=0.0)] = 5.0
    """Of the loss of the molecule's C6 against that of DFT-D4; 0 leaves it out. Pairs alone let
    dispersion take over what other terms lack, above all in a model without C8."""
    held: dict[HeldParameter, dict[str, Positive]] = {}
    """Parameter → element symbol → value that the fit keeps (units of `ParameterSet`): where
    dimers that are right make a bad liquid, one of few values can be tried against its density."""
    seed: int = 1


class CheckConfig(Section):
    """Some labels made again by density functional theory (PySCF)."""

    level: str = "wb97m-d3bj/def2-tzvpd"
    """A level with gradients of `openff_bytepol.qm`."""
    n_molecules: Annotated[int, Field(ge=1)] = 10
    n_geometries: Annotated[int, Field(ge=2)] = 3
    max_atoms: Annotated[int, Field(ge=1)] = 14
    seed: int = 1
