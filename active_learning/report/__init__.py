"""Reports of campaigns: one self-contained HTML file, and the same as JSON."""

from __future__ import annotations

from pathlib import Path

from active_learning.campaign import campaign_folder, open_campaign
from active_learning.config import CampaignConfig
from active_learning.context import write_json
from active_learning.report.collect import collect
from active_learning.report.page import render

HTML_FILE = "report.html"
JSON_FILE = "report.json"


def write_report(config: CampaignConfig, *, dry_run: bool = False) -> list[Path]:
    """Write ``report.html`` and ``report.json`` into the campaign's folder.

    May be called while the campaign runs; earlier reports of it are replaced.

    Raises
    ------
    CampaignError
        If the campaign never ran.
    """
    folder = campaign_folder(config, dry_run=dry_run)
    with open_campaign(config, dry_run=dry_run) as state:
        content = collect(config, folder, state)
    page = folder / HTML_FILE
    partial = page.with_suffix(".partial")
    partial.write_text(render(content), "utf-8")
    partial.replace(page)
    write_json(folder / JSON_FILE, content)
    return [page, folder / JSON_FILE]
