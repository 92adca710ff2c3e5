import subprocess
import sys

import pytest

import openff_bytepol

COMMANDS = [
    "demo",
    "parameterize",
    "energy",
    "export",
    "simulate",
    "models",
    "labels",
    "train",
    "evaluate",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(bytepol, command):
    finished = bytepol(command, "--help")
    assert finished.code == 0
    assert command in finished.output


def test_version(bytepol):
    assert bytepol("--version").output.strip() == f"openff-bytepol {openff_bytepol.__version__}"


@pytest.mark.parametrize(
    "arguments", [["parametrise"], ["parameterize"], ["parameterize", "C", "--colour"]]
)
def test_wrong_usage_exits_with_2(bytepol, arguments):
    finished = bytepol(*arguments)
    assert finished.code == 2
    assert not finished.output


def test_errors_exit_with_1_and_one_message_without_traceback(bytepol):
    finished = bytepol("parameterize", "[Xe]")
    assert finished.code == 1
    assert not finished.output
    assert finished.messages.startswith("UnsupportedElementError: ")
    assert "Xe" in finished.messages
    assert "Traceback" not in finished.messages


def test_real_process_has_the_same_exit_code():
    command = [sys.executable, "-c", "from openff_bytepol.cli import app; app()"]
    finished = subprocess.run(
        [*command, "models", "show", "nothing"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert finished.stderr.startswith("ModelNotFoundError: ")
    assert "Traceback" not in finished.stderr


def test_help_does_not_import_heavy_packages():
    code = (
        "import sys\n"
        "from openff_bytepol.cli import app\n"
        "print([m for m in ('torch', 'dgl', 'openmm', 'openff.toolkit') if m in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"
