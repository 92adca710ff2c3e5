"""One step of a campaign, as the Modal app runs it: propose (up to training) or train."""

from __future__ import annotations

import argparse
from pathlib import Path

from active_learning.modal_app import run_step

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", type=Path)
    parser.add_argument("step", choices=["propose", "train"])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    print(run_step(arguments.campaign, arguments.step, device=arguments.device))
