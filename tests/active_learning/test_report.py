"""Reports: content without a campaign, and the page in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from active_learning.config import CampaignConfig
from active_learning.labelling import LabelJob, LabelResult, LabelStatus, Provenance
from active_learning.report import write_report
from active_learning.state import CampaignState, StoredModel

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SMILES = ("O", "CO", "CCO", "CC#N")
MEASURE = """<script>
document.title = JSON.stringify({
  sizes: [...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect())
    .map(r => [r.width, r.height]),
  drawings: document.querySelectorAll('.molecules figure').length,
  headings: [...document.querySelectorAll('h1, h2')].map(h => h.textContent),
  overflow: document.documentElement.scrollWidth - window.innerWidth,
  loaded: performance.getEntriesByType('resource').length,
})
</script>"""


def job(number: int, kind: str = "monomer") -> LabelJob:
    xyz = np.full((1, 1, 3), float(number))
    return LabelJob(kind, "gfn2-xtb", ("[He:1]",), (0,), xyz)  # type: ignore[arg-type]


def campaign(folder: Path) -> CampaignConfig:
    """A configuration with the files and the state of a campaign of two rounds."""
    config = CampaignConfig.model_validate(
        {
            "name": "shown", "candidates": {"pools": [{"path": "pool.smi"}]},
            "budget": {"records": 9, "core_hours": 1, "price_per_core_hour": 0.5},
        }
    )  # fmt: skip
    config._folder = folder
    place = folder / "shown"
    for number in (1, 2):
        (place / "rounds" / f"{number:03d}").mkdir(parents=True)
        np.savez(
            place / "rounds" / f"{number:03d}" / "scores.npz",
            latent=np.random.default_rng(number).normal(size=(len(SMILES), 5)),
            uncertainty=np.linspace(0.1, 2.0, len(SMILES)), known=np.array(["CC"]),
        )  # fmt: skip
    (place / "pool.json").write_text(json.dumps([[s, "pool.smi"] for s in SMILES]))
    with CampaignState(place, config.sha256) as state:
        for number, smiles in enumerate(SMILES):
            info = {
                "molecules": [smiles], "source": "pool.smi", "score": 1.0 + number, "gain": 0.5,
                "uncertainty": 0.2 * number, "strategy": "vendi",
            }  # fmt: skip
            state.add_jobs(1 + number // 2, [(job(number), info, 0.1)])
        state.add_results(
            LabelResult(job(n).id, "molecules", {}, Provenance("here", (str(n),)), core_hours=0.2)
            for n in range(3)
        )
        state.update_jobs([LabelStatus(job(n).id, "complete") for n in range(3)])
        state.update_jobs([LabelStatus(job(3).id, "failed", "record 3: <no & convergence>")])
        state.add_model(StoredModel("a" * 64, 0, "start", None, "start", {"name": "x"}, {}))
        for number, passed in ((1, True), (2, False)):
            comparison = {
                "name": "new", "quantity": "molecules", "items": 9, "groups": 9, "old": 1.0,
                "new": 0.8, "low": -0.3, "high": -0.1, "required": "better", "passed": passed,
                "reason": "so",
            }  # fmt: skip
            gates = {
                "passed": passed, "reasons": [] if passed else ["worse <b>"], "command": {},
                "comparisons": [comparison],
                "stability": [{"smiles": "O", "drift": 0.1, "passed": True, "reason": "+0.1"}],
            }  # fmt: skip
            state.add_model(
                StoredModel(
                    str(number) * 64, number, f"rounds/00{number}/model", "a" * 64,
                    "candidate" if passed else "rejected", {"records": {"x": ["1"]}}, gates,
                )
            )  # fmt: skip
    return config


def test_the_page_says_what_the_state_holds(tmp_path: Path) -> None:
    page, data = write_report(campaign(tmp_path))
    content = json.loads(data.read_text())
    assert content["jobs"] == {"complete": 3, "failed": 1}
    assert content["failures"] == {"record 3: <no & convergence>": 1}
    assert content["core_hours"]["measured"] == pytest.approx(0.6)
    assert content["price"] == pytest.approx(0.3)
    assert [p["labels"] for p in content["learning_curve"]["new (molecules)"]] == [2, 3]
    text = page.read_text("utf-8")
    assert "record 3: &lt;no &amp; convergence&gt;" in text
    assert "worse &lt;b&gt;" in text
    assert not re.search(r"<(script|link|img|iframe)\b|\b(src|href)=\"(?!#|data:)", text)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)")
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    """Everything is drawn, within the window, without scripts of its own or other files."""
    page, _ = write_report(campaign(tmp_path))
    measured = tmp_path / "measured.html"
    measured.write_text(page.read_text("utf-8").replace("</body>", f"{MEASURE}</body>"), "utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900",
        "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
        measured.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None
    found = json.loads(title.group(1))
    assert len(found["sizes"]) >= 8  # curves, map, costs, lineage and four molecules
    assert all(width > 40 and height > 40 for width, height in found["sizes"])
    assert found["drawings"] == 4
    assert found["headings"][0] == "shown"
    assert {"Models", "Errors", "Calibration", "Cost", "Failures"} <= set(found["headings"])
    assert found["overflow"] <= 0
    assert found["loaded"] == 0
    assert "CONSOLE" not in done.stderr
