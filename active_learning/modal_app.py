"""A campaign on Modal: a scheduled function on a processor, training on a GPU.

    BYTEPOL_CAMPAIGN=campaign.yaml modal deploy -m active_learning.modal_app

The folder of the campaign file is uploaded once to a volume, which then holds state, labels
and models. The scheduled function does everything but training and never waits for labels:
it submits, looks, and ends; when a round is complete it calls the function with the GPU.
Credentials of a QCArchive server come from the Modal secret that ``BYTEPOL_MODAL_SECRET``
names. The same steps run on this machine without an account: `run_step`.

Environment variables, read when the app is deployed: ``BYTEPOL_CAMPAIGN``,
``BYTEPOL_MODAL_SECRET``, ``BYTEPOL_MODAL_GPU`` (default A10G), ``BYTEPOL_MODAL_PACKAGE``
(what pip installs; default ``openff-bytepol[openff,qc,train]``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Literal

from active_learning.campaign import run_campaign
from active_learning.config import load_campaign
from active_learning.report import write_report
from openff_bytepol.exceptions import CampaignLockedError, MissingDependencyError

MOUNT: Final = Path("/campaign")
HOURS: Final = 23
Step = Literal["propose", "train"]


def run_step(campaign: Path, step: Step, *, device: str = "cpu") -> str:
    """Do one part of a campaign and write its report.

    Parameters
    ----------
    campaign
        YAML file; the campaign's folder lies beside it.
    step
        ``propose``: everything up to training, without waiting for labels;
        ``train``: what can be done now, training included.
    device
        Where to train.

    Returns
    -------
    str
        ``finished``, ``waiting``, ``stopped`` (training is due), or ``locked`` where another
        run is at work.
    """
    config = load_campaign(campaign)
    training = config.training.model_copy(update={"device": device})
    config = config.changed(training=training)
    try:
        outcome = run_campaign(
            config, wait=False, stop_before="train" if step == "propose" else None
        )
    except CampaignLockedError as error:
        print(error)
        return "locked"
    write_report(config)
    return str(outcome.state)


def make_app(campaign: Path) -> Any:
    """The Modal app of a campaign.

    Raises
    ------
    MissingDependencyError
        If modal is not installed.
    """
    try:
        import modal
    except ImportError as error:
        raise MissingDependencyError("Modal: pip install 'openff-bytepol[modal]'") from error
    config = load_campaign(campaign)
    package = os.environ.get("BYTEPOL_MODAL_PACKAGE", "openff-bytepol[openff,qc,train]")
    secret = os.environ.get("BYTEPOL_MODAL_SECRET")
    image = (
        modal.Image.debian_slim(python_version="3.11")
        .pip_install(package)
        .add_local_dir(str(campaign.resolve().parent), "/upload")
    )
    volume = modal.Volume.from_name(f"bytepol-{config.name}", create_if_missing=True)
    app = modal.App(f"bytepol-{config.name}")
    common: dict[str, Any] = {
        "image": image,
        "volumes": {str(MOUNT): volume},
        "secrets": [modal.Secret.from_name(secret)] if secret else [],
        "timeout": HOURS * 3600,
        "serialized": True,
    }
    name = campaign.name

    @app.function(gpu=os.environ.get("BYTEPOL_MODAL_GPU", "A10G"), **common)  # type: ignore[untyped-decorator]
    def train() -> str:
        volume.reload()
        state = run_step(MOUNT / name, "train", device="cuda")
        volume.commit()
        return state

    @app.function(schedule=modal.Cron(config.schedule.cron), **common)  # type: ignore[untyped-decorator]
    def scheduled() -> str:
        copy_new(Path("/upload"), MOUNT)
        state = run_step(MOUNT / name, "propose")
        volume.commit()
        return str(train.remote()) if state == "stopped" else state

    return app


def copy_new(source: Path, target: Path) -> list[Path]:
    """Copy files that the target lacks; none is ever replaced, so a volume keeps its state."""
    copied = []
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
            copied.append(there)
    return copied


if "BYTEPOL_CAMPAIGN" in os.environ:
    app = make_app(Path(os.environ["BYTEPOL_CAMPAIGN"]))
