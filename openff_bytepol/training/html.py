"""The report of a run as one HTML file, plots included."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_STYLE = (
    "body{font-family:sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f6f6f6;padding:1rem;overflow-x:auto}img{max-width:100%}"
)


class Picture(NamedTuple):
    """A plot with its heading and what it shows."""

    title: str
    caption: str
    path: Path


def write_html(path: Path, title: str, text: str, pictures: Sequence[Picture]) -> None:
    """Write a page with the numbers as text and pictures inside it.

    Parameters
    ----------
    path
        HTML file.
    title
        Heading of the page.
    text
        Markdown with the numbers, shown as it is.
    pictures
        PNG files, embedded in this order.
    """
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><pre>{html.escape(text)}</pre>",
    ]
    for picture in pictures:
        data = base64.b64encode(picture.path.read_bytes()).decode()
        heading, caption = html.escape(picture.title), html.escape(picture.caption)
        parts.append(f"<h2>{heading}</h2><p>{caption}</p>")
        parts.append(f"<img alt='{heading}' src='data:image/png;base64,{data}'>")
    path.write_text("\n".join([*parts, "</html>"]))
