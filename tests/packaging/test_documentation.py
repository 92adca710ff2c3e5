"""What README and documentation say can be done is done here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from openff_bytepol.cli import app

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "pages"
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(PAGES.rglob("*.md")),
    *sorted(ROOT.glob("recipes/*/README.md")),
]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", PAGES / "howto" / "parameterize.md"], ids=lambda p: p.name
)
def test_python_runs(path):
    for block in blocks(path, "python"):
        exec(compile(block, str(path), "exec"), {})


def test_commands_and_options_exist():
    """Every `bytepol …` line names a command and options that exist."""
    import typer

    root = typer.main.get_command(app)
    found = 0
    for path in DOCUMENTS:
        for block in blocks(path, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                match = re.search(r"(?:^|/|run )bytepol (.+)", line.split("#")[0].strip())
                if match is None:
                    continue
                words = match[1].split()
                command = root.get_command(None, words[0])
                assert command is not None, f"{path}: {line}"
                if hasattr(command, "commands") and len(words) > 1:
                    command = command.get_command(None, words[1])
                    assert command is not None, f"{path}: {line}"
                options = {o for p in command.params for o in [*p.opts, *p.secondary_opts]}
                for word in words:
                    if re.match(r"--?[a-z]", word):
                        assert word in options, f"{path}: {line}"
                found += 1
    assert found > 20


def test_links_between_files():
    for path in DOCUMENTS:
        prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", prose):
            assert (path.parent / target).exists(), f"{path}: {target}"


def test_exceptions_named_in_the_documentation_exist():
    from openff_bytepol import exceptions

    for path in DOCUMENTS:
        for name in re.findall(r"`(\w+Error)`", path.read_text()):
            assert hasattr(exceptions, name), f"{path}: {name}"


def test_site_builds_without_warnings(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings_handlers")
    config = ROOT / "docs" / "mkdocs.yml"
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-q",
        "-f",
        config,
        "-d",
        tmp_path,
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "api" / "potentials" / "index.html").is_file()
