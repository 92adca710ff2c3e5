"""Which properties there are, what has to be simulated for each, and how each is analysed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from openff_bytepol.exceptions import PropertyError
from openff_bytepol.properties.conductivity import (
    conductivity,
    nernst_einstein_conductivity,
    transference_numbers,
)
from openff_bytepol.properties.density import density
from openff_bytepol.properties.dielectric import dielectric_constant
from openff_bytepol.properties.diffusion import self_diffusion
from openff_bytepol.properties.excess import (
    enthalpy_of_mixing,
    excess_density,
    excess_molar_volume,
)
from openff_bytepol.properties.flow import periodic_perturbation_viscosity, recorded_flow
from openff_bytepol.properties.observables import Floats, Observables
from openff_bytepol.properties.response import (
    heat_capacity,
    isothermal_compressibility,
    thermal_expansion,
)
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.vaporization import enthalpy_of_vaporization
from openff_bytepol.properties.viscosity import green_kubo_viscosity

Leg: TypeAlias = Literal["liquid", "gas", "pure", "transport", "stress", "flow", "modes"]
Estimates: TypeAlias = Mapping[str, PropertyEstimate]


@dataclass
class Legs:
    """Production data of the simulations of one substance in one state.

    Attributes
    ----------
    liquid
        At constant pressure.
    gas
        One molecule in vacuum.
    pure
        Each pure component at constant pressure.
    transport
        At constant volume, with unwrapped centres.
    stress
        At constant volume, with pressure tensors every few fs.
    flow
        At constant volume, under a periodic acceleration.
    acceleration
        Of that, Å/ps².
    modes
        Wavenumbers of the vibrations of each component in vacuum, 1/cm; none if they are unknown.
    """

    liquid: Observables | None = None
    gas: Observables | None = None
    pure: list[Observables] = field(default_factory=list)
    transport: Observables | None = None
    stress: Observables | None = None
    flow: Observables | None = None
    acceleration: float = 0.0
    modes: list[Floats] = field(default_factory=list)

    def available(self) -> set[Leg]:
        """Those that have been simulated."""
        names: tuple[Leg, ...] = (
            "liquid",
            "gas",
            "pure",
            "transport",
            "stress",
            "flow",
            "modes",
        )
        return {name for name in names if getattr(self, name)}


@dataclass(frozen=True)
class Recipe:
    """How a property is estimated.

    Attributes
    ----------
    needs
        Legs.
    analyse
        From those legs to one estimate, or several by name.
    aliases
        Other names.
    what
        One line.
    """

    needs: frozenset[Leg]
    analyse: Callable[[Legs], PropertyEstimate | Estimates]
    what: str
    aliases: tuple[str, ...] = ()


def _liquid(legs: Legs) -> Observables:
    if legs.liquid is None:
        raise PropertyError("the liquid has not been simulated")
    return legs.liquid


def _transport(legs: Legs) -> Observables:
    if legs.transport is None:
        raise PropertyError("the liquid has not been simulated at constant volume")
    return legs.transport


def _vaporization(legs: Legs) -> PropertyEstimate:
    if legs.gas is None:
        raise PropertyError("the gas has not been simulated")
    return enthalpy_of_vaporization(_liquid(legs), legs.gas)


def _diffusion(legs: Legs) -> PropertyEstimate | Estimates:
    """Corrected for the size of the box where a viscosity can be estimated too."""
    run = _transport(legs)
    viscosity = None
    for estimate_viscosity, is_there in (
        (_viscosity, legs.stress is not None),
        (_perturbation_viscosity, legs.flow is not None),
    ):
        if is_there and viscosity is None:
            with suppress(PropertyError):
                viscosity = estimate_viscosity(legs)
    found = {
        name: self_diffusion(run, component=i, viscosity=viscosity)
        for i, name in enumerate(run.names)
    }
    return found if len(found) > 1 else found[run.names[0]]


def _viscosity(legs: Legs) -> PropertyEstimate:
    if legs.stress is None:
        raise PropertyError("pressure tensors have not been simulated")
    return green_kubo_viscosity(legs.stress)


def _perturbation_viscosity(legs: Legs) -> PropertyEstimate:
    if legs.flow is None:
        raise PropertyError("the flow under a periodic acceleration has not been simulated")
    return periodic_perturbation_viscosity(recorded_flow(legs.flow, legs.acceleration))


_LIQUID: Final = frozenset[Leg]({"liquid"})
_TRANSPORT: Final = frozenset[Leg]({"liquid", "transport"})
_EXCESS: Final = frozenset[Leg]({"liquid", "pure"})

PROPERTIES: Final[dict[str, Recipe]] = {
    "density": Recipe(_LIQUID, lambda legs: density(_liquid(legs)), "mass density", ("rho",)),
    "enthalpy_of_vaporization": Recipe(
        frozenset[Leg]({"liquid", "gas"}),
        _vaporization,
        "enthalpy of vaporization to the ideal gas",
        ("hvap",),
    ),
    "dielectric_constant": Recipe(
        _LIQUID,
        lambda legs: dielectric_constant(_liquid(legs)),
        "static dielectric constant",
        ("dielectric", "epsilon"),
    ),
    "thermal_expansion": Recipe(
        _LIQUID, lambda legs: thermal_expansion(_liquid(legs)), "isobaric thermal expansion"
    ),
    "isothermal_compressibility": Recipe(
        _LIQUID,
        lambda legs: isothermal_compressibility(_liquid(legs)),
        "isothermal compressibility",
        ("compressibility",),
    ),
    "heat_capacity": Recipe(
        frozenset[Leg]({"liquid", "modes"}),
        lambda legs: heat_capacity(_liquid(legs), wavenumbers=legs.modes or None),
        "isobaric heat capacity, with the quantum correction of harmonic vibrations",
        ("cp",),
    ),
    "excess_density": Recipe(
        _EXCESS,
        lambda legs: excess_density(_liquid(legs), legs.pure),
        "density less that of an ideal mixture",
    ),
    "excess_molar_volume": Recipe(
        _EXCESS,
        lambda legs: excess_molar_volume(_liquid(legs), legs.pure),
        "excess molar volume",
        ("vex",),
    ),
    "enthalpy_of_mixing": Recipe(
        _EXCESS,
        lambda legs: enthalpy_of_mixing(_liquid(legs), legs.pure),
        "molar enthalpy of mixing",
        ("hmix",),
    ),
    "self_diffusion": Recipe(
        _TRANSPORT,
        _diffusion,
        "self-diffusion of every component, corrected for the size of the box if the viscosity "
        "is estimated too",
        ("diffusion",),
    ),
    "viscosity": Recipe(
        frozenset[Leg]({"liquid", "stress"}), _viscosity, "shear viscosity by Green and Kubo"
    ),
    "perturbation_viscosity": Recipe(
        frozenset[Leg]({"liquid", "flow"}),
        _perturbation_viscosity,
        "shear viscosity by periodic perturbation",
        ("pp_viscosity",),
    ),
    "conductivity": Recipe(
        _TRANSPORT,
        lambda legs: conductivity(_transport(legs)),
        "ionic conductivity, ion correlations included",
    ),
    "nernst_einstein_conductivity": Recipe(
        _TRANSPORT,
        lambda legs: nernst_einstein_conductivity(_transport(legs)),
        "ionic conductivity of independent ions",
    ),
    "transference_numbers": Recipe(
        _TRANSPORT,
        lambda legs: transference_numbers(_transport(legs)),
        "shares of the ions in the current",
    ),
}


def canonical_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names of properties without aliases, each once, in the order given.

    Raises
    ------
    PropertyError
        If there is no such property, or none is named.
    """
    aliases = {alias: name for name, recipe in PROPERTIES.items() for alias in recipe.aliases}
    found = []
    for name in names:
        plain = name.strip().lower().replace("-", "_")
        plain = aliases.get(plain, plain)
        if plain not in PROPERTIES:
            raise PropertyError(f"there is no property {name!r}; there are {', '.join(PROPERTIES)}")
        found.append(plain)
    if not found:
        raise PropertyError("no property is named; give at least one, such as density")
    return tuple(dict.fromkeys(found))


def legs_needed(names: Iterable[str]) -> set[Leg]:
    """What has to be simulated for these properties."""
    return {leg for name in names for leg in PROPERTIES[name].needs}


def analyse(name: str, legs: Legs) -> dict[str, PropertyEstimate]:
    """Estimates of a property, by name; several components have one each: ``name[SMILES]``.

    Raises
    ------
    PropertyError, ObservablesError, SamplingError
        As the functions of the properties.
    """
    found = PROPERTIES[name].analyse(legs)
    if isinstance(found, PropertyEstimate):
        return {name: found}
    return {f"{name}[{component}]": result for component, result in found.items()}
