"""Dimers as they touch in liquids, with first-order energies.

Published sets of dimers hold minima and what lies on straight lines through them: the back
of a molecule rarely meets anything. Here two molecules turn at random and approach until the
closest pair of atoms reaches a chosen part of the sum of their van der Waals radii (Bondi),
so that every part of a molecule meets every part of its neighbours; more are cut from liquids
that a model simulates, or taken where a model binds two molecules most, what it gets wrong in
its own favour, and where AIMNet2 does. Molecules are rigid conformers, whose orbitals are
computed once. Electrostatics and exchange come from `qm.first_order`, totals of pairs from
liquids and minima, where asked for, from `qm.counterpoise`; what is not computed stays open (NaN).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from openff_bytepol.exceptions import ClashError, ConvergenceError
from openff_bytepol.qm.counterpoise import counterpoise
from openff_bytepol.qm.first_order import first_order
from openff_bytepol.training.config import TrainingConfig
from openff_bytepol.training.labels import geometries
from openff_bytepol.training.labels.bound_pairs import aimnet2_minima, model_minima
from openff_bytepol.training.labels.chunks import make_files, split_into_chunks
from openff_bytepol.training.labels.config import ContactConfig, LiquidConfig
from openff_bytepol.training.labels.liquids import closeness, neighbours, simulate_liquid
from openff_bytepol.training.labels.provenance import provenance
from openff_bytepol.training.labels.rigid import RigidMolecule, rigid_molecule
from openff_bytepol.training.labels.schema import write_table
from openff_bytepol.training.rigid_pairs import place
from openff_bytepol.training.start import named_model
from openff_bytepol.training.targets.dimers import CONTACTS, DIMERS, MINIMA

logger = logging.getLogger(__name__)

Coordinates = NDArray[np.float64]

_SHIFTS = (0.3, 0.6, 0.9)
"""By which molecules that clash at a minimum are pulled apart, Å."""
_RELAXED = 4
"""Of the model's deepest minima, from which AIMNet2's are sought."""


class Contact(NamedTuple):
    """Two molecules that touch."""

    smiles: tuple[str, str]
    coordinates: tuple[Coordinates, Coordinates]
    """(n_atoms, 3) each, Å."""
    name: str
    has_total: bool = False
    """Whether it gets a total, where a level is named for it."""
    subset: str = CONTACTS
    """Of the dimers: `MINIMA` for those that were chosen for their energy."""


Group: TypeAlias = tuple[Contact, ...]
"""Contacts of which none is of use without the others."""
Choice: TypeAlias = Iterable[Group]
"""Of which the first that can be labelled counts."""


def make_contacts(
    config: TrainingConfig, *, overwrite: bool = False, worker: int = 0, n_workers: int = 1
) -> list[Path]:
    """Label the dimers of ``labels.contacts``; files on disk are kept.

    Parameters
    ----------
    config
        Run with a ``labels.contacts`` section.
    overwrite
        Make existing files again.
    worker, n_workers
        This process takes every ``n_workers``-th file, starting at ``worker``.

    Returns
    -------
    list of Path
        Parquet files of dimers.

    Raises
    ------
    DataError
        If AIMNet2 lacks an element of a molecule, or it has no geometry.
    MissingDependencyError
        If PySCF or the AIMNet2 weights are not installed.
    ModelNotFoundError
        If there is no such model to simulate liquids with.
    """
    settings = config.labels.contacts
    if settings is None:
        return []
    folder = config.output_folder / "contacts"

    def make(path: Path, choices: Callable[[], Iterable[Choice]]) -> None:
        rows = [row for choice in choices() for row in _label_first(choice, settings)]
        write_table(rows, DIMERS, path, provenance("PySCF", _levels(settings)))

    numbered = list(enumerate(choose_pairs(settings)))
    random = split_into_chunks(numbered, settings.chunk_size, folder)
    tasks: dict[Path, Callable[[], Iterable[Choice]]] = {
        path: partial(_random_contacts, chunk, settings) for path, chunk in random.items()
    }
    for number, liquid in enumerate(settings.liquids):
        tasks[folder / f"liquid-{number:04d}.parquet"] = partial(
            _liquid_contacts, liquid, number, settings, config
        )
    if settings.minima is not None:
        for number, pair in enumerate(settings.minima.pairs):
            tasks[folder / f"minimum-{number:04d}.parquet"] = partial(
                _minima, pair, settings, config
            )
    return make_files(
        tasks, make, description="contacts", overwrite=overwrite, worker=worker, n_workers=n_workers
    )


def choose_pairs(settings: ContactConfig) -> list[tuple[str, str]]:
    """Pairs of SMILES: every molecule with itself and with a random other, shuffled."""
    generator = np.random.default_rng(settings.seed)
    sizes = {s: geometries.hydrogenated(s).GetNumAtoms() for s in settings.molecules}
    pairs = []
    for _ in range(settings.rounds):
        for smiles in settings.molecules:
            other = settings.molecules[int(generator.integers(len(settings.molecules)))]
            pairs += [(smiles, smiles), (smiles, other)]
    pairs = [p for p in pairs if sizes[p[0]] + sizes[p[1]] <= settings.max_atoms]
    return [pairs[i] for i in generator.permutation(len(pairs))]


def label_contact(contact: Contact, settings: ContactConfig) -> dict[str, Any]:
    """Row of the dimer schema for two molecules, as rigid conformers at their places.

    Parameters
    ----------
    contact
        Molecules, places and a name.
    settings
        Conformers, levels, weight and the largest exchange energy.

    Raises
    ------
    ClashError
        If the exchange energy is larger; the total is not computed then.
    DataError
        If a molecule has no geometry.
    ConvergenceError
        If an SCF does not converge, or molecules lie on top of one another.
    """
    a, b = (
        _rigid(smiles, settings).at(coordinates, settings.level)
        for smiles, coordinates in zip(contact.smiles, contact.coordinates, strict=True)
    )
    energies = first_order(a, b)
    if energies.exchange > settings.largest_exchange:
        raise ClashError(
            f"exchange of {energies.exchange:.1f} kcal/mol, more than largest_exchange "
            f"({settings.largest_exchange:g})"
        )
    level = settings.total_level if contact.has_total else None
    smiles_a, smiles_b = (_rigid(smiles, settings).mapped_smiles for smiles in contact.smiles)
    return {
        "subset": contact.subset,
        "name": f"{' '.join(contact.smiles)} {contact.name}",
        "level": settings.level.name,
        "smiles_a": smiles_a,
        "smiles_b": smiles_b,
        "coordinates": np.concatenate([a.fragment.coordinates, b.fragment.coordinates]).ravel(),
        "elst": energies.electrostatics,
        "exch": energies.exchange,
        **dict.fromkeys(("ind", "disp"), math.nan),
        "total": math.nan if level is None else counterpoise(a, b, level),
        "weight": settings.weight,
    }


def _levels(settings: ContactConfig) -> str:
    total = settings.total_level
    return settings.level.name if total is None else f"{settings.level.name}; total: {total.name}"


def _label_first(choice: Choice, settings: ContactConfig) -> list[dict[str, Any]]:
    return next((rows for group in choice if (rows := _try_label(group, settings))), [])


def _try_label(group: Group, settings: ContactConfig) -> list[dict[str, Any]]:
    """Rows of all contacts of a group, or none."""
    rows = []
    for contact in group:
        try:
            rows.append(label_contact(contact, settings))
        except (ClashError, ConvergenceError) as error:
            logger.warning("contact %s of %s left out: %s", contact.name, contact.smiles, error)
            return []
    return rows


def _random_contacts(
    numbered: Sequence[tuple[int, tuple[str, str]]], settings: ContactConfig
) -> Iterator[Choice]:
    for number, pair in numbered:
        generator = np.random.default_rng([settings.seed, number])
        a, b = (_rigid(smiles, settings) for smiles in pair)
        coordinates = place(
            a.conformers[generator.integers(len(a.conformers))],
            b.conformers[generator.integers(len(b.conformers))],
            np.add.outer(a.radii, b.radii),
            float(generator.uniform(*settings.closeness)),
            generator,
        )
        n_first = len(a.radii)
        yield [(Contact(pair, (coordinates[:n_first], coordinates[n_first:]), str(number)),)]


def _liquid_contacts(
    liquid: LiquidConfig, number: int, settings: ContactConfig, config: TrainingConfig
) -> Iterator[Choice]:
    """Neighbours of any kind, chosen by chance from every frame, displaced ones with them."""
    generator = np.random.default_rng([settings.seed, number])
    model = named_model(config, settings.model)
    rigid = [_rigid(smiles, settings) for smiles in liquid.molecules]
    reach = settings.reach * 2 * max(one.radii.max() for one in rigid)
    molecules = [one.molecule for one in rigid]
    chosen = 0
    frames = simulate_liquid(model, molecules, liquid, settings.seed + number)
    for done, (placed, kinds, box) in enumerate(frames, start=1):
        pairs = list(neighbours(placed, box, reach))
        for k in generator.permutation(len(pairs)):
            if chosen >= liquid.count * done // liquid.frames:
                break
            i, j, first, second = pairs[k]
            if liquid.unlike and liquid.alike((kinds[i], kinds[j])):
                continue
            radii = (rigid[kinds[i]].radii, rigid[kinds[j]].radii)
            small = len(first) + len(second) <= settings.max_atoms
            if small and closeness(first, second, *radii) < settings.reach:
                chosen += 1
                names = (liquid.molecules[kinds[i]], liquid.molecules[kinds[j]])
                contact = Contact(names, (first, second), f"liquid {number}-{chosen}", True)
                yield [_with_displaced(contact, settings)]


def _minima(
    names: tuple[str, str], settings: ContactConfig, config: TrainingConfig
) -> Iterator[Choice]:
    """The model's, or as they are with the molecules pulled apart a little, and AIMNet2's."""
    wanted = settings.minima
    if wanted is None:
        return
    a, b = (_rigid(smiles, settings) for smiles in names)
    if len(a.radii) + len(b.radii) > settings.max_atoms:
        return
    model = named_model(config, settings.model)
    found = model_minima(model, (a, b), n_starts=wanted.n_starts, seed=settings.seed)
    for number, minimum in enumerate(found[: wanted.kept], start=1):
        contact = Contact(names, minimum.coordinates, f"minimum {number}", True, MINIMA)
        apart = [contact, *(displaced(contact, shift) for shift in _SHIFTS)]
        yield [_with_displaced(one, settings) for one in apart]
    if wanted.relaxed:
        relaxed = aimnet2_minima((a, b), found[:_RELAXED])
        for number, minimum in enumerate(relaxed[: wanted.relaxed], start=1):
            name = f"minimum {number} of AIMNet2"
            yield [(Contact(names, minimum.coordinates, name, True, MINIMA),)]


def _with_displaced(contact: Contact, settings: ContactConfig) -> Group:
    if settings.displacement and settings.total is not None:
        return contact, displaced(contact, settings.displacement)
    return (contact,)


def displaced(contact: Contact, distance: float) -> Contact:
    """The contact with its second molecule further away along the line of the centres.

    Parameters
    ----------
    contact
        Two molecules.
    distance
        Å.
    """
    first, second = contact.coordinates
    line = second.mean(0) - first.mean(0)
    moved = second + distance * line / np.linalg.norm(line)
    name = f"{contact.name} {distance:+g} Å"
    return contact._replace(coordinates=(first, moved), name=name)


def _rigid(smiles: str, settings: ContactConfig) -> RigidMolecule:
    return rigid_molecule(smiles, settings.n_conformers, settings.relaxation_steps, settings.seed)
