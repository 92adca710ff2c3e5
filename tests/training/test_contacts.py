"""Random contacts of molecules and their labels."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from openff_bytepol.exceptions import ClashError, ConvergenceError, DataError
from openff_bytepol.training.config import LabelConfig, TrainingConfig, load_config
from openff_bytepol.training.data import load_dimers
from openff_bytepol.training.labels import contacts as contacts_module
from openff_bytepol.training.labels.config import ContactConfig, LiquidConfig, MinimumConfig
from openff_bytepol.training.labels.contacts import (
    Contact,
    choose_pairs,
    displaced,
    label_contact,
    make_contacts,
)
from openff_bytepol.training.labels.provenance import read_provenance
from openff_bytepol.training.labels.schema import read_table, write_table
from openff_bytepol.training.rigid_pairs import BoundPair, place
from openff_bytepol.training.targets.dimers import CONTACTS, DIMERS, MINIMA
from tests.training.conftest import METHANE_XYZ, WATER, WATER_XYZ, dimer_row


@pytest.fixture
def mixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Water and methane, two of each in a row, in place of any simulated liquid."""
    shapes = {"O": (WATER_XYZ, [1.5, 1.1, 1.1]), "C": (METHANE_XYZ, [1.7, 1.1, 1.1, 1.1, 1.1])}
    kinds = [0, 0, 1, 1]
    placed = [shapes["OC"[k]][0] + [3.2 * i, 0.0, 0.0] for i, k in enumerate(kinds)]
    monkeypatch.setattr(contacts_module, "named_model", lambda config, name: None)
    monkeypatch.setattr(
        contacts_module, "simulate_liquid", lambda *_: iter([(placed, kinds, np.full(3, 30.0))])
    )
    monkeypatch.setattr(
        contacts_module,
        "_rigid",
        lambda smiles, _: SimpleNamespace(radii=np.array(shapes[smiles][1]), molecule=None),
    )


def labelled_names(folder: Path, *, unlike: bool = False, **settings: object) -> list[str]:
    """Names of the contacts that `make_contacts` writes for a liquid of water and methane."""
    liquid = LiquidConfig(molecules=("O", "C"), density=1.0, frames=1, count=9, unlike=unlike)
    return made(folder, ContactConfig(molecules=(), liquids=(liquid,), **settings))


def names_of_minima(folder: Path, minima: MinimumConfig) -> list[str]:
    """Names of the contacts that `make_contacts` writes for minima, with a displacement."""
    settings = {"displacement": 0.15, "total": "pbe0-d4"}
    return made(folder, ContactConfig(molecules=(), minima=minima, **settings))


def made(folder: Path, contacts: ContactConfig) -> list[str]:
    config = TrainingConfig(
        name="x", reference_data="x", output=str(folder), labels=LabelConfig(contacts=contacts),
        stages=(),
    )  # fmt: skip
    (path,) = make_contacts(config)
    return [row["name"] for row in read_table(path, DIMERS)]


def test_molecules_touch_where_asked_and_stay_rigid() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.normal(size=(5, 3)), generator.normal(size=(4, 3))
    sums = np.add.outer(np.full(5, 1.2), np.full(4, 1.5))
    sides = []
    for closeness in (0.8, 0.9, 1.0):
        placed = place(a, b, sums, closeness, generator)
        distances = np.linalg.norm(placed[:5, None] - placed[None, 5:], axis=-1)
        assert (distances / sums).min() == pytest.approx(closeness, abs=0.01)
        for before, after in ((a, placed[:5]), (b, placed[5:])):
            lengths = [np.linalg.norm(x[:, None] - x[None], axis=-1) for x in (before, after)]
            np.testing.assert_allclose(*lengths, atol=1e-12)
        sides.append(placed[5:].mean(0) - placed[:5].mean(0))
    assert np.linalg.norm(sides[0] - sides[1]) > 0.5


def test_every_molecule_meets_itself_and_large_pairs_are_left_out() -> None:
    settings = ContactConfig(molecules=("O", "CC", "CCCCCC"), rounds=3, max_atoms=18)
    pairs = choose_pairs(settings)
    assert pairs.count(("O", "O")) >= 3
    assert pairs.count(("CC", "CC")) >= 3
    assert ("CCCCCC", "CCCCCC") not in pairs
    assert choose_pairs(settings) == pairs


def test_labels_are_made_once(tmp_path: Path) -> None:
    pytest.importorskip("pyscf")
    if find_spec("Auto3D") is None:
        pytest.skip("Auto3D, with the weights of AIMNet2, is not installed")
    contacts = ContactConfig(
        molecules=("O",), rounds=1, functional="pbe0", basis="def2-svp", chunk_size=1
    )
    config = TrainingConfig(
        name="x", reference_data="x", output=str(tmp_path), labels=LabelConfig(contacts=contacts),
        stages=(),
    )  # fmt: skip
    paths = make_contacts(config)
    (row,) = read_table(paths[0], DIMERS)
    assert row["subset"] == CONTACTS
    assert row["exch"] > 0
    assert np.isnan(row["total"])
    assert row["level"] == contacts.level.name == read_provenance(paths[0])["level"]
    written = paths[0].stat().st_mtime_ns
    assert make_contacts(config)[0].stat().st_mtime_ns == written


def test_contacts_made_before_count_like_those_made_now(tmp_path: Path) -> None:
    contact = dimer_row(3.5) | {"subset": CONTACTS}
    write_table([contact], DIMERS, tmp_path / "before" / "contacts.parquet")
    path = tmp_path / "train.yaml"

    def find(files: list[str]) -> list[float]:
        contacts = {"molecules": [], "files": files, "weight": 2.0, "repeats": 3}
        path.write_text(
            yaml.safe_dump(
                {
                    "name": "x", "reference_data": "x", "output": "out", "stages": [],
                    "split": {"pair_fraction": 0.0}, "labels": {"contacts": contacts},
                }
            )
        )  # fmt: skip
        return [row["weight"] for row in load_dimers(load_config(path))["train"]]

    assert find(["before/contacts.parquet"]) == [2.0] * 3
    assert find([]) == []
    with pytest.raises(DataError, match=r"missing\.parquet: no such data file"):
        find(["missing.parquet"])


def test_displaced_pairs_differ_by_a_shift_of_one_molecule() -> None:
    generator = np.random.default_rng(5)
    first, second = generator.normal(size=(3, 3)), 4.0 + generator.normal(size=(5, 3))
    contact = Contact(("O", "C"), (first, second), "7", True)
    far = displaced(contact, 0.15)
    assert far.coordinates[0] is first
    assert far.has_total
    assert far.name != contact.name
    shifts = far.coordinates[1] - second
    np.testing.assert_allclose(shifts, np.tile(shifts[0], (5, 1)), atol=1e-12)
    assert np.linalg.norm(shifts[0]) == pytest.approx(0.15)
    gaps = [np.linalg.norm(x.mean(0) - first.mean(0)) for x in (second, far.coordinates[1])]
    assert gaps[1] - gaps[0] == pytest.approx(0.15), "along the line of the centres"


@pytest.mark.usefixtures("mixture")
def test_a_mixture_can_be_asked_for_pairs_of_different_molecules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        contacts_module, "label_contact", lambda c, _: dimer_row(3.5, " ".join(c.smiles))
    )
    assert sorted(labelled_names(tmp_path / "any")) == ["C C", "O C", "O O"]
    assert labelled_names(tmp_path / "unlike", unlike=True) == ["O C"]


@pytest.mark.usefixtures("mixture")
@pytest.mark.parametrize("error", [ClashError, ConvergenceError])
def test_displaced_pairs_are_left_out_with_those_they_belong_to(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    def label(contact: Contact, _: ContactConfig) -> dict:
        if contact.smiles == ("O", "C") and "Å" not in contact.name:
            raise error("too close")
        return dimer_row(3.5, " ".join(contact.smiles))

    monkeypatch.setattr(contacts_module, "label_contact", label)
    names = labelled_names(tmp_path, displacement=0.15, total="pbe0-d4")
    assert sorted(names) == ["C C", "C C", "O O", "O O"]
    (message,) = caplog.messages
    assert "of ('O', 'C') left out: too close" in message


def test_minima_that_clash_are_pulled_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the default model; only the labels are not computed."""
    rigid = SimpleNamespace(
        radii=np.array([1.5, 1.1, 1.1]), conformers=WATER_XYZ[None], mapped_smiles=WATER
    )
    monkeypatch.setattr(contacts_module, "_rigid", lambda *_: rigid)
    tried = []

    def label(contact: Contact, _: ContactConfig) -> dict:
        tried.append(contact)
        if "+0.6" not in contact.name:
            raise ClashError("too close")
        return {**dimer_row(3.5, "O O"), "name": contact.name}

    monkeypatch.setattr(contacts_module, "label_contact", label)
    names = names_of_minima(tmp_path, MinimumConfig(molecules=("O",), n_starts=2, kept=1))
    assert names == ["minimum 1 +0.6 Å", "minimum 1 +0.6 Å +0.15 Å"]
    centres = [np.linalg.norm(b.mean(0) - a.mean(0)) for a, b in (one.coordinates for one in tried)]
    np.testing.assert_allclose(np.array(centres) - centres[0], [0.0, 0.3, 0.6, 0.75], atol=1e-9)
    assert 2.6 < centres[0] < 3.2, "a minimum of two waters"


def test_minima_of_aimnet2_are_neither_pulled_apart_nor_displaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a label fails the next counts; ``kept: 0`` leaves out the model's own."""
    rigid = SimpleNamespace(radii=np.array([1.5, 1.1, 1.1]))
    found = [
        BoundPair((WATER_XYZ, WATER_XYZ + np.array([x, 0.0, 0.0])), -5.0 + x) for x in range(6)
    ]
    starts, subsets = [], []

    def relaxed(pair: object, minima: list[BoundPair]) -> list[BoundPair]:
        starts.extend(minima)
        return [one._replace(energy=one.energy - 1.0) for one in minima]

    def label(contact: Contact, _: ContactConfig) -> dict:
        subsets.append(contact.subset)
        return {**dimer_row(3.5, "O O"), "name": contact.name}

    monkeypatch.setattr(contacts_module, "_rigid", lambda *_: rigid)
    monkeypatch.setattr(contacts_module, "named_model", lambda *_: None)
    monkeypatch.setattr(contacts_module, "model_minima", lambda *_, **__: found)
    monkeypatch.setattr(contacts_module, "aimnet2_minima", relaxed)
    monkeypatch.setattr(contacts_module, "label_contact", label)
    names = names_of_minima(tmp_path, MinimumConfig(molecules=("O",), kept=0, relaxed=2))
    assert names == ["minimum 1 of AIMNet2", "minimum 2 of AIMNet2"]
    assert subsets == [MINIMA] * 2
    assert starts == found[:4]


def test_minima_are_those_of_each_with_itself_and_partners() -> None:
    minima = MinimumConfig(molecules=("O", "CSC"), partners=("O", "CN"))
    assert minima.pairs == [("O", "O"), ("O", "CN"), ("CSC", "CSC"), ("CSC", "O"), ("CSC", "CN")]


def test_clashes_get_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyscf")
    if find_spec("Auto3D") is None:
        pytest.skip("Auto3D, with the weights of AIMNet2, is not installed")
    monkeypatch.setattr(contacts_module, "counterpoise", None)
    settings = ContactConfig(
        molecules=("O",), functional="pbe0", basis="def2-svp", total="pbe0-d4", n_conformers=1
    )
    contact = Contact(("O", "O"), (WATER_XYZ, WATER_XYZ + np.array([2.1, 0.0, 0.2])), "1", True)
    with pytest.raises(ClashError, match="more than largest_exchange"):
        label_contact(contact, settings)


def test_pairs_from_liquids_have_totals() -> None:
    """Polarization, charge transfer and dispersion come on top of first order."""
    pytest.importorskip("pyscf")
    pytest.importorskip("dftd4")
    if find_spec("Auto3D") is None:
        pytest.skip("Auto3D, with the weights of AIMNet2, is not installed")
    settings = ContactConfig(
        molecules=("O",), functional="pbe0", basis="def2-svp", total="pbe0-d4", n_conformers=1
    )
    water = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    places = (water, water + np.array([2.9, 0.0, 0.2]))
    row = label_contact(Contact(("O", "O"), places, "1", True), settings)
    assert -6.0 < row["total"] < row["elst"] + row["exch"] - 0.3
    assert np.isnan(label_contact(Contact(("O", "O"), places, "2"), settings)["total"])


def test_molecules_named_twice_are_alike() -> None:
    liquid = LiquidConfig(molecules=("O", "[OH2]", "CO", "not a molecule"), density=1.0)
    assert all(liquid.alike(kinds) for kinds in [(0, 1), (1, 1, 0), (3, 3)])
    assert not any(liquid.alike(kinds) for kinds in [(0, 2), (0, 1, 2), (2, 3)])


@pytest.mark.parametrize("section", ["contacts", "clusters"])
@pytest.mark.parametrize("molecules", [["O"], ["O", "O"], ["O", "[H]O[H]"]])
def test_one_molecule_has_no_unlike_pairs(
    tmp_path: Path, section: str, molecules: list[str]
) -> None:
    path = tmp_path / "train.yaml"

    def load(**changes: object) -> TrainingConfig:
        liquid = {"molecules": molecules, "density": 1.0, "unlike": True} | changes
        required = {"contacts": {"molecules": []}, "clusters": {}}[section]
        labels = {section: {**required, "liquids": [liquid]}}
        values = {"name": "x", "reference_data": "x", "output": "x", "stages": []}
        path.write_text(yaml.safe_dump(values | {"labels": labels}))
        return load_config(path)

    with pytest.raises(DataError, match="O alone has no pairs of different molecules") as caught:
        load()
    message = str(caught.value)
    assert str(path) in message
    assert f"labels.{section}.liquids.0" in message
    assert "name another one in molecules, or leave unlike out" in message
    load(molecules=[*molecules, "CO"])
    load(unlike=False)
