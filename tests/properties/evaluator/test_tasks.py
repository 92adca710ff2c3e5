"""Tasks, futures and mirrored folders: no Evaluator needed."""

from __future__ import annotations

import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openff_bytepol.exceptions import CompositionError, EngineError
from openff_bytepol.properties.evaluator.futures import submit_after
from openff_bytepol.properties.evaluator.mirror import FolderStorage, Mirror
from openff_bytepol.properties.evaluator.tasks import pack_task, run_task


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return text.upper()


def fail() -> None:
    raise CompositionError("no such composition")


def die() -> None:
    os._exit(9)


def test_a_task_runs_in_its_folder_and_reports_what_it_wrote(tmp_path):
    (tmp_path / "data").mkdir()
    old = tmp_path / "data/old.txt"
    old.write_text("before")
    os.utime(old, (1e9, 1e9))
    here = Path.cwd()
    outcome = run_task(pack_task(write, "data/new.txt", "abc"), str(tmp_path), "data")
    assert pickle.loads(outcome.result) == "ABC"
    assert outcome.changed == ["data/new.txt"]
    assert (tmp_path / "data/new.txt").read_text() == "abc"
    assert Path.cwd() == here


def test_errors_of_tasks_come_back(tmp_path):
    with pytest.raises(CompositionError, match="no such composition"):
        run_task(pack_task(fail), str(tmp_path), ".")


def test_a_task_that_dies_is_an_error(tmp_path):
    with pytest.raises(EngineError, match="exit code 9"):
        run_task(pack_task(die), str(tmp_path), ".")


def test_tasks_wait_for_their_arguments():
    with ThreadPoolExecutor(1) as executor:

        def slow(_):
            time.sleep(0.05)
            return 2

        first = submit_after(executor, slow, ())
        nested = submit_after(executor, lambda a: sum(a[0]["x"]) + a[1], ({"x": [first, first]}, 3))
        called = []
        nested.add_done_callback(lambda future: called.append(future.result()))
        assert nested.result(10) == 7
    assert called == [7]
    nested.release()


def test_errors_pass_on_to_tasks_that_wait():
    with ThreadPoolExecutor(1) as executor:
        failing = submit_after(executor, lambda _: fail(), ())
        after = submit_after(executor, lambda a: a, (failing,))
        with pytest.raises(CompositionError):
            after.result(10)


def test_mirror_copies_what_changed(tmp_path):
    local, storage = tmp_path / "local", FolderStorage(tmp_path / "storage")
    (local / "data/deep").mkdir(parents=True)
    (local / "elsewhere.txt").write_text("not mirrored")
    (local / "data/deep/a.txt").write_text("1")
    mirror = Mirror(local, "data", storage)
    mirror.push()
    stored = storage.root / "data/deep/a.txt"
    assert stored.read_text() == "1"
    assert not (storage.root / "elsewhere.txt").exists()
    stored.write_text("from a worker")
    (storage.root / "data/b.txt").write_text("b")
    mirror.pull(["data/deep/a.txt", "data/b.txt"])
    assert (local / "data/deep/a.txt").read_text() == "from a worker"
    assert (local / "data/b.txt").read_text() == "b"
    stored.unlink()
    mirror.push()
    assert not stored.exists(), "files that came from storage are not sent back"
    (local / "data/deep/a.txt").write_text("changed here")
    mirror.push()
    assert stored.read_text() == "changed here"
