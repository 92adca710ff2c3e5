"""Evaluator's tasks as Modal functions, each in a container with a GPU and a shared volume.

Nothing here has to be deployed: `ModalBackend.start` runs an app for as long as the
backend lives. Files of the server's working directory are mirrored in a volume: what a
task needs is uploaded before it, and what it wrote is downloaded after it, so that server,
client and storage stay on the machine that asks.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any, Final

from openff.evaluator.backends import CalculationBackend, ComputeResources

from openff_bytepol.exceptions import EngineError, MissingDependencyError
from openff_bytepol.properties.evaluator.futures import TaskFuture, submit_after
from openff_bytepol.properties.evaluator.mirror import FolderStorage, Mirror, Storage, VolumeStorage
from openff_bytepol.properties.evaluator.tasks import Outcome, pack_task

try:
    import modal
except ImportError as error:
    raise MissingDependencyError(
        'the Modal backend needs modal; install it with `pip install "openff-bytepol[modal]"`'
    ) from error

MOUNT: Final = "/bytepol"
_APP: Final = "openff-bytepol-evaluator"
_HOURS_24: Final = 86400
_CUDA_PACKAGES: Final = ("cuda-version=12",)


def default_image(package: str = "openff-bytepol") -> modal.Image:
    """Container with Evaluator, OpenMM for CUDA and this package.

    Parameters
    ----------
    package
        What pip installs: this package's name on PyPI, or the Git URL of a version of it.

    Returns
    -------
    modal.Image
        With the Python version that runs here, which Modal demands.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    conda = ("openff-evaluator", "openff-interchange", "openmm", "packmol", "pytorch", "rdkit")
    return (
        modal.Image.micromamba(python_version=version)
        .apt_install("git")
        .micromamba_install(*conda, *_CUDA_PACKAGES, channels=["conda-forge"])
        .pip_install(package)
    )


def shared_volume(name: str) -> modal.Volume:
    """The volume of that name, made on first use."""
    return modal.Volume.from_name(name, create_if_missing=True, version=2)


def make_app(
    image: modal.Image,
    volume: str,
    *,
    gpu: str | None,
    cpu: float,
    memory: int,
    timeout: int,
) -> tuple[modal.App, modal.Function]:
    """An app with the one function that runs tasks."""
    app = modal.App(_APP)

    def run(task: bytes, folder: str, watched: str) -> tuple[bytes, list[str]]:
        import modal as in_container

        from openff_bytepol.properties.evaluator.tasks import run_task

        if in_container.is_local():
            outcome = run_task(task, folder, watched)
            return outcome.result, outcome.changed
        shared = in_container.Volume.from_name(volume)
        shared.reload()
        try:
            outcome = run_task(task, folder, watched)
        finally:
            shared.commit()
        return outcome.result, outcome.changed

    register = app.function(
        image=image,
        gpu=gpu,
        cpu=cpu,
        memory=memory,
        timeout=timeout,
        volumes={MOUNT: shared_volume(volume)},
        serialized=True,
        name="run_task",
    )
    return app, register(run)


class ModalBackend(CalculationBackend):
    """Runs Evaluator's tasks on Modal.

    Parameters
    ----------
    working_directory
        Of the ``EvaluatorServer`` (or ``WorkflowGraph.execute``), relative to the current one.
    number_of_workers
        Largest number of containers at work at once.
    resources_per_worker
        Of a container. With a GPU, its toolkit should be CUDA.
    gpu
        Modal's name of it; none is asked for if the resources have none.
    memory
        Of a container, MiB.
    image
        `default_image` by default.
    volume
        Name of the volume, made if it does not exist.
    timeout
        Of a task, s; at most 24 hours on Modal. Simulations go on from their checkpoints when
        they are submitted again.
    local
        A folder: run the same functions here, without an account, with that folder in place
        of the volume.

    Raises
    ------
    EngineError
        If the working directory is not below the current one.
    """

    def __init__(
        self,
        working_directory: str = "working-data",
        *,
        number_of_workers: int = 1,
        resources_per_worker: ComputeResources | None = None,
        gpu: str = "A10G",
        memory: int = 8192,
        image: modal.Image | None = None,
        volume: str = _APP,
        timeout: int = _HOURS_24,
        local: Path | str | None = None,
    ) -> None:
        self._started = False
        if PurePath(working_directory).is_absolute() or ".." in PurePath(working_directory).parts:
            raise EngineError(
                f"the working directory {working_directory} is mirrored in a volume and must lie "
                "below the current one; give a relative path"
            )
        super().__init__(number_of_workers, resources_per_worker)
        resources = self._resources_per_worker
        self._watched = working_directory
        self._local = None if local is None else Path(local).resolve()
        self._volume = shared_volume(volume)
        self._app, self._function = make_app(
            default_image() if image is None else image,
            volume,
            gpu=gpu if resources.number_of_gpus else None,
            cpu=float(max(1, resources.number_of_threads)),
            memory=memory,
            timeout=timeout,
        )
        self._stack = ExitStack()

    def start(self) -> None:
        """Start the app; nothing is charged before there are tasks."""
        super().start()
        storage: Storage = VolumeStorage(self._volume)
        if self._local is None:
            self._stack.enter_context(self._app.run())
        else:
            storage = FolderStorage(self._local)
        self._mirror = Mirror(Path.cwd(), self._watched, storage)
        self._executor = self._stack.enter_context(ThreadPoolExecutor(self._number_of_workers))

    def stop(self) -> None:
        """Wait for running tasks and stop the app."""
        self._stack.close()
        self._started = False

    def submit_task(self, function: Any, *args: Any, **kwargs: Any) -> TaskFuture:
        """Run a function in a container when the futures among its arguments are done.

        Raises
        ------
        EngineError
            If the backend is not started, or an argument is an absolute path: it would not
            exist in the container.
        """
        if not self._started:
            raise EngineError("the backend is not running; call start() first, or use `with`")
        kwargs.pop("key", None)
        for text in _texts((args, kwargs)):
            if PurePath(text).is_absolute():
                raise EngineError(
                    f"{text} is an absolute path, which containers do not have; start the server "
                    f"with working_directory={self._watched!r}"
                )
        kwargs["available_resources"] = self._resources_per_worker
        return submit_after(self._executor, self._run, (function, args, kwargs))

    def _run(self, call: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> Any:
        function, args, kwargs = call
        self._mirror.push()
        task = pack_task(function, *args, **kwargs)
        if self._local is None:
            outcome = Outcome(*self._function.remote(task, MOUNT, self._watched))
        else:
            outcome = Outcome(*self._function.local(task, str(self._local), self._watched))
        self._mirror.pull(outcome.changed)
        return pickle.loads(outcome.result)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
