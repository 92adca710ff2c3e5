"""What an installed package must be, whatever else is tested."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
import yaml

import openff_bytepol

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_versions_agree():
    assert openff_bytepol.__version__ == PROJECT["version"] == version("openff-bytepol")
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("group", PROJECT["entry-points"])
def test_entry_points_are_installed_and_load(group):
    if group == "openff_evaluator.plugins":
        pytest.importorskip("openff.evaluator")
    installed = {point.name: point for point in entry_points(group=group)}
    for name, value in PROJECT["entry-points"][group].items():
        assert installed[name].value == value
        assert callable(installed[name].load())


def test_command_is_installed():
    for name in PROJECT["scripts"]:
        assert (Path(sys.executable).parent / name).is_file()


def test_import_is_light():
    code = (
        "import sys, openff_bytepol\n"
        "print([m for m in ('torch', 'dgl', 'openmm', 'rdkit', 'openff.toolkit') if m in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"


def test_the_force_field_needs_no_package_of_other_extras():
    """What ``pip install ".[openff]"`` leaves out is not missed by those who simulate."""
    code = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
from openff.toolkit import ForceField, Molecule
topology = Molecule.from_smiles("CO").to_topology()
ForceField("bytepol.offxml").create_interchange(topology).to_openmm()
from openff_bytepol.cli import app, demo
"""
    left_out = ["pyarrow", "pyscf", "h5py", "dftd4", "pymbar", "pytorch_lightning", "tensorboardX"]
    finished = subprocess.run(
        [sys.executable, "-c", code, *left_out], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr[-2000:]


@pytest.mark.parametrize("name", openff_bytepol.__all__)
def test_public_names_resolve(name):
    assert getattr(openff_bytepol, name) is not None


def test_wheel_is_complete(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "openff_bytepol", "active_learning"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(tracked) <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_constraints_fit_the_requirements():
    """Every direct requirement of the tested extras is pinned, at a version it allows."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            pins[canonicalize_name(requirement.name)] = specifier.version
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *extras["openff"], *extras["dev"], *extras["docs"]]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in pins, name
        assert requirement.specifier.contains(pins[name], prereleases=True), name


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda p: p.stem
)
def test_workflows_are_yaml_with_jobs(path):
    assert yaml.safe_load(path.read_text())["jobs"]


def test_ci_runs_the_command_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    command = readme.split("<!-- test -->\n```bash\n")[1].split("\n```")[0]
    text = (ROOT / ".ci" / "run").read_text().replace('eval "$command"', "")
    shown = subprocess.run(
        ["bash", "-c", f"cd {ROOT / '.ci'} && bash <(cat)"],
        input=text.replace("exec </dev/null", "").replace("${BASH_SOURCE[0]}", "./run"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines()[-1] == command
