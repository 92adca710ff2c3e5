"""The plugin neither breaks Evaluator nor needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLUGIN = "openff_bytepol.properties.evaluator.plugin"
BUILD = "openff_bytepol.properties.evaluator.build"


def run(code: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_package_works_without_evaluator():
    output = run(
        "import sys; sys.modules['openff.evaluator'] = None\n"
        "import openff_bytepol.properties.evaluator as room\n"
        "try:\n    import openff_bytepol.properties.evaluator.plugin\n"
        "except ImportError as error:\n    print('refused', type(error).__name__)\n"
        "print('torch' in sys.modules, len(room.__all__))"
    )
    assert output.splitlines()[0].startswith("refused")
    assert output.splitlines()[1].startswith("False")


def test_importing_evaluator_loads_the_plugin():
    pytest.importorskip("openff.evaluator")
    output = run(
        "import openff.evaluator\n"
        "from openff.evaluator.layers import registered_calculation_layers as layers\n"
        "from openff.evaluator.workflow.plugins import registered_workflow_protocols as protocols\n"
        "print('BytePolSimulationLayer' in layers, 'BytePolSimulation' in protocols)"
    )
    assert output.splitlines()[-1] == "True True"


def test_any_failure_of_the_plugin_is_an_import_error(monkeypatch):
    pytest.importorskip("openff.evaluator")
    import openff_bytepol.properties.evaluator as room

    __import__(PLUGIN)

    monkeypatch.delitem(sys.modules, PLUGIN)
    monkeypatch.delitem(sys.modules, BUILD)
    monkeypatch.delattr(room, "build")
    with pytest.raises(ImportError, match="already registered"):
        __import__(PLUGIN)
