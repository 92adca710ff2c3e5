"""Everything that defines a model apart from its weights."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from openff_bytepol.free_atoms import FREE_ATOMS
from openff_bytepol.graph.build import GraphOptions
from openff_bytepol.settings import NonbondedSettings

Size = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0.0)]
Activation = Literal["gelu", "relu", "silu", "elu", "tanh", "leaky_relu"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PerceptronSizes(_Frozen):
    """A multilayer perceptron: ``layers`` linear maps, ``hidden`` wide, ``out`` at the end."""

    hidden: Size = 64
    out: Size = 64
    layers: Size = 2


class OutputSizes(_Frozen):
    """A perceptron whose output size is given by what it predicts."""

    hidden: Size = 64
    layers: Size = 2


class FeatureConfig(_Frozen):
    """Embedding sizes of the discrete features, and the maps that mix them."""

    element: Size = 32
    connectivity: Size = 8
    formal_charge: Size = 8
    ring_bonds: Size = 8
    ring_size: Size = 8
    bond_in_ring: Size = 8
    bond_order: Size = 8
    atom: PerceptronSizes = PerceptronSizes()
    bond: PerceptronSizes = PerceptronSizes()
    activation: Activation = "gelu"


class TransformerConfig(_Frozen):
    """Edge-augmented graph transformer (arXiv:2108.03348), attention along bonds."""

    hidden: Size = 64
    out: Size = 64
    layers: Size = 3
    heads: Size = 4
    channels: Size = 16
    """Width of each head."""
    feed_forward: OutputSizes = OutputSizes()
    jumping_knowledge: Literal["cat", "max", "last"] | None = "cat"
    scale_by_degree: bool = False
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    activation: Activation = "gelu"


class Range(_Frozen):
    """Scale, centre and limits of one predicted quantity, in internal units."""

    std: Positive
    mean: float
    minimum: float
    maximum: float


class BondedConfig(_Frozen):
    """Heads of the bonded terms.

    Bonds and angles are predicted as two springs with fixed ends, k1 at ``anchors[0]`` and
    k2 at ``anchors[1]``: k = k1 + k2, minimum = (k1·anchors[0] + k2·anchors[1])/k.
    """

    term: PerceptronSizes = PerceptronSizes()
    pooled: PerceptronSizes = PerceptronSizes(layers=1)
    output: OutputSizes = OutputSizes()
    activation: Activation = "gelu"
    tanh_scale: Annotated[float, Field(ge=0.0)] = 20.0
    """Outputs x become scale·tanh(x) standard deviations; 0 leaves x as it is."""
    bond_anchors: tuple[float, float] = (0.5, 4.0)
    """Å"""
    angle_anchors: tuple[float, float] = (0.25 * math.pi, 1.05 * math.pi)
    """rad"""
    bond_k1: Range = Range(std=50.0, mean=1000.0, minimum=0.0, maximum=4000.0)
    bond_k2: Range = Range(std=25.0, mean=500.0, minimum=0.0, maximum=4000.0)
    angle_k1: Range = Range(std=5.0, mean=100.0, minimum=0.0, maximum=400.0)
    angle_k2: Range = Range(std=5.0, mean=100.0, minimum=0.0, maximum=400.0)
    proper_k: Range = Range(std=1.2, mean=0.0, minimum=-20.0, maximum=20.0)
    improper_k: Range = Range(std=3.7, mean=1.0, minimum=0.0, maximum=40.0)
    """The whole centre; split over the permutations that are listed."""


class ChargeVolumeConfig(_Frozen):
    """Heads of bond charge increments and atomic volumes."""

    increment: PerceptronSizes = PerceptronSizes()
    output: OutputSizes = OutputSizes()
    activation: Activation = "gelu"
    increment_range: Positive = 4.0
    """Largest charge increment of a bond, e."""


class NonbondedConfig(_Frozen):
    """Heads of repulsion and charge transfer."""

    output: OutputSizes = OutputSizes()
    activation: Activation = "gelu"
    c6_scale: Positive = 1000.0
    """Free-atom C6 coefficients are trained in units of this many kcal/mol·Å⁶."""
    minimum: Positive = 1e-6
    """Smallest polarizability (Å³) and C6 (kcal/mol·Å⁶)."""
    minimum_damping: Positive = 1e-6
    """Smallest damping volume, Å³."""
    own_polarizability: bool = False
    """Whether polarizabilities have a factor of their own. Without one they follow the volume
    that C6 and radius follow too, and water keeps nearly all of its on oxygen, where three-body
    energies put a third on the hydrogens."""

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Models without the factor keep the hash that they had before there was one."""
        fields: dict[str, Any] = dump(self)
        if not self.own_polarizability:
            del fields["own_polarizability"]
        return fields


class ElementOverride(_Frozen):
    """Atomic properties that are set instead of predicted."""

    volume: Positive | None = None
    """Å³, on the scale of `free_atoms`."""
    polarizability: Positive | None = None
    """Å³"""
    minimum_damping: Positive | None = None
    """Å³"""


class FixedTerms(_Frozen):
    """Bond and angle terms that are set for one molecule instead of predicted."""

    smiles: str
    bond_k: Positive
    """kcal/mol/Å²"""
    bond_r0: Positive
    """Å"""
    angle_k: Positive
    """kcal/mol/rad²"""
    angle_theta0: Positive
    """rad"""


HEXAFLUOROPHOSPHATE = FixedTerms(
    smiles="F[P-](F)(F)(F)(F)F",
    bond_k=1000.0,
    bond_r0=1.65,
    angle_k=278.44,
    angle_theta0=math.pi / 2,
)
"""Terms that ByteFF-Pol sets for PF6- (arXiv:2508.08575)."""

_CATIONS = {
    3: ElementOverride(volume=FREE_ATOMS[3].volume, polarizability=0.0285, minimum_damping=0.2),
    11: ElementOverride(volume=FREE_ATOMS[11].volume, polarizability=0.147, minimum_damping=0.2),
    19: ElementOverride(volume=FREE_ATOMS[19].volume, polarizability=0.793),
}
"""Free-ion polarizabilities of Li+, Na+, K+: Mahan, J. Chem. Phys. 76, 493 (1982),
https://doi.org/10.1063/1.442751. The smallest damping volume of Li+ is ByteFF-Pol's."""


class ModelConfig(_Frozen):
    """A model's elements, functional form and sizes.

    The defaults are those of our own models; `models.byteff2` makes the configuration of
    a published ByteFF-Pol checkpoint.
    """

    elements: tuple[int, ...] = tuple(FREE_ATOMS)
    """Supported atomic numbers, in the order of the element tables."""
    settings: NonbondedSettings = NonbondedSettings()
    impropers: Literal["trefoil", "single"] = "trefoil"
    symmetry: Literal["refinement", "canonical_rank"] = "refinement"
    trans_angles: bool = False
    priors: Literal["chemical", "constant"] = "chemical"
    """What outputs of zero mean: values from radii, free atoms and coordination geometry
    (see `priors`), or one value for all, as in ByteFF-Pol."""
    features: FeatureConfig = FeatureConfig()
    transformer: TransformerConfig = TransformerConfig()
    bonded: BondedConfig = BondedConfig()
    charge_volume: ChargeVolumeConfig = ChargeVolumeConfig()
    nonbonded: NonbondedConfig = NonbondedConfig()
    element_overrides: dict[int, ElementOverride] = _CATIONS
    fixed_terms: tuple[FixedTerms, ...] = (HEXAFLUOROPHOSPHATE,)

    @field_validator("elements")
    @classmethod
    def _known_elements(cls, elements: tuple[int, ...]) -> tuple[int, ...]:
        if not elements or len(set(elements)) != len(elements) or set(elements) - set(FREE_ATOMS):
            raise ValueError(f"elements must be different and among {sorted(FREE_ATOMS)}")
        return elements

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        wide, narrow = self.transformer.hidden, self.transformer.out
        if not self.features.atom.out == wide == narrow:
            raise ValueError(
                "features.atom.out, transformer.hidden and transformer.out must be equal"
            )
        return self

    @property
    def graph_options(self) -> GraphOptions:
        """What `graph.build_graph` needs to know."""
        return GraphOptions(
            elements=self.elements,
            impropers=self.impropers,
            symmetry=self.symmetry,
            trans_angles=self.trans_angles,
            fixed_molecules=tuple(fixed.smiles for fixed in self.fixed_terms),
        )
