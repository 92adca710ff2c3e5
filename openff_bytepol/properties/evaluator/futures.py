"""Tasks that wait for one another, with the interface that Evaluator expects of futures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any


class TaskFuture:
    """Result of a task that is still to come."""

    def __init__(self) -> None:
        self._future: Future[Any] = Future()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result.

        Raises
        ------
        Exception
            What the task raised.
        """
        return self._future.result(timeout)

    def done(self) -> bool:
        """Whether there is a result or an error."""
        return self._future.done()

    def release(self) -> None:
        """Forget a result for which there is no more use."""
        if self.done():
            self._future = Future()

    def add_done_callback(self, callback: Callable[[TaskFuture], Any]) -> None:
        """Call a function with this future once it is done."""
        self._future.add_done_callback(lambda _: callback(self))

    def run(self, call: Callable[[], Any]) -> None:
        """Fill in what a call returns or raises."""
        try:
            self._future.set_result(call())
        except BaseException as error:
            self._future.set_exception(error)


def submit_after(executor: Executor, call: Callable[[Any], Any], arguments: Any) -> TaskFuture:
    """Start a call when all futures among its arguments are done.

    Parameters
    ----------
    executor
        In which it runs.
    call
        Takes the arguments with results in place of futures.
    arguments
        Any nesting of lists, tuples and dictionaries.

    Returns
    -------
    TaskFuture
        With the error of a future among the arguments, if one failed.
    """
    future = TaskFuture()
    waiting = list(_futures(arguments))
    left = len(waiting) + 1
    lock = threading.Lock()

    def finished(_: TaskFuture | None = None) -> None:
        nonlocal left
        with lock:
            left -= 1
            ready = left == 0
        if ready:
            executor.submit(future.run, lambda: call(_resolved(arguments)))

    for other in waiting:
        other.add_done_callback(finished)
    finished()
    return future


def _futures(value: Any) -> Iterator[TaskFuture]:
    if isinstance(value, TaskFuture):
        yield value
    elif isinstance(value, dict):
        yield from _futures(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _futures(item)


def _resolved(value: Any) -> Any:
    if isinstance(value, TaskFuture):
        return value.result()
    if isinstance(value, dict):
        return {key: _resolved(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_resolved(item) for item in value)
    return value
