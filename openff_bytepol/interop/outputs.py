"""Writing a group of files so that either all of them appear or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from openff_bytepol.exceptions import OutputExistsError


def write_files(contents: Mapping[Path, str], *, overwrite: bool = False) -> list[Path]:
    """Write several text files together.

    Every file is first written under a temporary name in its own folder; only when all
    are on disk are they renamed, so that an error leaves nothing half-written.

    Parameters
    ----------
    contents
        Text of each file.
    overwrite
        Replace files that exist.

    Returns
    -------
    list of Path
        The files, in the order given.

    Raises
    ------
    OutputExistsError
        If a file exists and ``overwrite`` is false; then nothing is written.
    """
    check_absent(contents, overwrite=overwrite)
    temporary: dict[Path, Path] = {}
    try:
        for path, text in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            temporary[path] = Path(name)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as handle:
                handle.write(text)
            _default_permissions(temporary[path])
        for path, partial in temporary.items():
            partial.replace(path)
    finally:
        for partial in temporary.values():
            partial.unlink(missing_ok=True)
    return list(contents)


def check_absent(paths: Mapping[Path, object] | list[Path], *, overwrite: bool = False) -> None:
    """Refuse to go on where an output exists.

    Raises
    ------
    OutputExistsError
        If one of the paths exists and ``overwrite`` is false.
    """
    existing = [str(path) for path in paths if path.exists()]
    if existing and not overwrite:
        raise OutputExistsError(
            f"{', '.join(existing)} already exist(s); choose another prefix or pass "
            "overwrite=True (--force)"
        )


def _default_permissions(path: Path) -> None:
    """Give a temporary file (made private by mkstemp) the permissions of a new file."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
