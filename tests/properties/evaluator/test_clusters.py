"""SLURM job scripts, a stand-in for SLURM, and Modal functions run here."""

from __future__ import annotations

import os
import pickle
import stat
import sys
from pathlib import Path

import pytest

pytest.importorskip("openff.evaluator", reason="OpenFF Evaluator is not installed")

from openff.evaluator.backends import ComputeResources

from openff_bytepol.exceptions import CompositionError, EngineError
from openff_bytepol.properties.evaluator.tasks import pack_task

SBATCH = """#!/bin/bash
cp "$1" "$FAKE_SLURM/job.sh"
cd "$FAKE_SLURM"
set -m
bash job.sh > job.log 2>&1 &
echo $! > job.pid
echo "Submitted batch job 17"
"""
SCANCEL = """#!/bin/bash
kill -- -$(cat "$FAKE_SLURM/job.pid") 2> /dev/null
exit 0
"""


def double(number, available_resources=None, **_):
    return 2 * number, available_resources.number_of_threads


def failing(**_):
    raise CompositionError("no such composition")


def writing(name, text, **_):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def joining(names, **_):
    return "".join(Path(name).read_text() for name in names)


def test_slurm_script_asks_for_a_gpu(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    from openff_bytepol.properties.evaluator.slurm import slurm_backend

    monkeypatch.chdir(tmp_path)
    with slurm_backend(
        "gpu-queue",
        threads=3,
        memory_gb=12,
        hours=6.5,
        setup=["module load cuda"],
        options=["--account=chem"],
    ) as backend:
        script = backend.job_script().splitlines()
    assert "#SBATCH -p gpu-queue" in script
    assert "#SBATCH --gres=gpu:1" in script
    assert "#SBATCH --account=chem" in script
    assert "#SBATCH --cpus-per-task=3" in script
    assert "#SBATCH -t 06:30:00" in script
    assert "#SBATCH --mem=12G" in script
    worker = next(i for i, line in enumerate(script) if "dask_worker" in line)
    assert "--nthreads 1 " in script[worker], "one simulation at a time on the GPU"
    assert "--nworkers" not in script[worker]
    assert script.index("module load cuda") < worker
    assert script.index("export DASK_DISTRIBUTED__WORKER__DAEMON=False") < worker


def test_slurm_without_gpus(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    from openff_bytepol.properties.evaluator.slurm import slurm_backend

    monkeypatch.chdir(tmp_path)
    with slurm_backend("main", gpus=0) as backend:
        assert "--gres" not in backend.job_script()
    with pytest.raises(EngineError, match="ask for more workers"):
        slurm_backend("main", gpus=4)
    with pytest.raises(EngineError, match="none of CUDA, OpenCL"):
        slurm_backend("main", toolkit="Metal")


@pytest.mark.slow
def test_slurm_jobs_run_tasks(tmp_path, monkeypatch):
    """With commands in place of SLURM's that run the job script here."""
    pytest.importorskip("dask_jobqueue")
    from openff_bytepol.properties.evaluator.slurm import slurm_backend

    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755 | stat.S_IXUSR)
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path))
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)
    with slurm_backend("main", gpus=0, threads=1, memory_gb=2) as backend:
        future = backend.submit_task(double, 21)
        assert future.result(timeout=900) == (42, 1)


@pytest.fixture
def modal_backend(tmp_path, monkeypatch):
    pytest.importorskip("modal")
    from openff_bytepol.properties.evaluator.modal_backend import ModalBackend

    monkeypatch.chdir(tmp_path)
    (tmp_path / "working-data").mkdir()
    with ModalBackend(
        local=tmp_path / "volume", number_of_workers=2, resources_per_worker=ComputeResources(2)
    ) as backend:
        yield backend


def test_modal_functions_run_tasks(modal_backend):
    first = modal_backend.submit_task(double, 4)
    assert first.result(60) == (8, 2)
    called = []
    first.add_done_callback(called.append)
    assert called == [first]
    first.release()
    with pytest.raises(CompositionError, match="no such composition"):
        modal_backend.submit_task(failing).result(60)


def test_the_modal_function_can_be_sent(tmp_path, monkeypatch):
    modal = pytest.importorskip("modal")
    cloudpickle = pytest.importorskip("cloudpickle")
    from openff_bytepol.properties.evaluator.modal_backend import ModalBackend

    monkeypatch.chdir(tmp_path)
    functions = []
    register = modal.App.function

    def recording(app, **options):
        decorate = register(app, **options)
        return lambda function: functions.append(function) or decorate(function)

    monkeypatch.setattr(modal.App, "function", recording)
    ModalBackend()
    received = pickle.loads(cloudpickle.dumps(functions[0]))
    task = pack_task(double, 5, available_resources=ComputeResources(1))
    (tmp_path / "working-data").mkdir()
    result, changed = received(task, str(tmp_path), "working-data")
    assert pickle.loads(result) == (10, 1)
    assert changed == []


def test_modal_mirrors_files_between_tasks(modal_backend, tmp_path):
    (tmp_path / "working-data/given.txt").write_text("given ")
    written = modal_backend.submit_task(writing, "working-data/deep/new.txt", "made")
    joined = modal_backend.submit_task(joining, ["working-data/given.txt", written])
    assert joined.result(60) == "given made"
    assert (tmp_path / "working-data/deep/new.txt").read_text() == "made"
    assert (tmp_path / "volume/working-data/given.txt").exists()


def test_modal_refuses_what_containers_do_not_have(modal_backend):
    from openff_bytepol.properties.evaluator.modal_backend import ModalBackend

    with pytest.raises(EngineError, match="absolute path"):
        modal_backend.submit_task(joining, ["/somewhere/file"])
    with pytest.raises(EngineError, match="relative path"):
        ModalBackend("/somewhere")
    backend = ModalBackend(local="volume")
    with pytest.raises(EngineError, match="not running"):
        backend.submit_task(double, 1)


def test_modal_app_asks_for_a_gpu(tmp_path, monkeypatch):
    modal = pytest.importorskip("modal")
    from openff_bytepol.properties.evaluator.modal_backend import ModalBackend

    monkeypatch.chdir(tmp_path)
    asked = []
    register = modal.App.function

    def recording(app, **options):
        asked.append(options)
        return register(app, **options)

    monkeypatch.setattr(modal.App, "function", recording)
    ModalBackend(resources_per_worker=ComputeResources(3, 1), gpu="L4", memory=2048, timeout=60)
    ModalBackend()
    assert [options["gpu"] for options in asked] == ["L4", None]
    assert (asked[0]["cpu"], asked[0]["memory"], asked[0]["timeout"]) == (3.0, 2048, 60)
    assert list(asked[0]["volumes"]) == ["/bytepol"]


@pytest.mark.slow
def test_a_workflow_through_modal_functions(modal_backend):
    from openff.evaluator.properties import Density
    from openff.evaluator.workflow import Workflow

    from tests.properties.evaluator.test_requests import measured
    from tests.properties.evaluator.test_workflows import FIXED, schema_of, source

    path = Path("working-data/force-field.json")
    path.write_text(source(FIXED).json())
    made = Workflow(Workflow.generate_default_metadata(measured(Density, "O"), str(path), []))
    made.schema = schema_of(Density).workflow_schema
    [future] = made.to_graph().execute("working-data", calculation_backend=modal_backend)
    result = future.result(900)
    assert not result.exceptions, "".join(result.exceptions[0].message)
    assert 0.3 < result.value.value.m_as("gram / milliliter") < 1.5
    assert Path(result.data_to_store[0][0]).is_file()
