"""Pages in a real browser: a page of the test's own loads them into frames as wide as a phone, and notes what it finds."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="chromium is not installed")

_PROBE = """<!doctype html><meta charset="utf-8"><pre id="result"></pre><script>
const found = {};
const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(at.ownerDocument.defaultView.getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const contrast = (element) => {
  const view = element.ownerDocument.defaultView;
  const a = light(rgb(view.getComputedStyle(element).color)), b = light(behind(element));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
// A log that grows is waited for: its page loads itself again once all of it is there.
const grown = async (frame) => {
  for (let turn = 0; turn < 100; turn += 1) {
    const log = frame.contentDocument.getElementById("log-text");
    if (log && log.dataset.complete === "true") return log.textContent;
    if (!log && frame.contentDocument.readyState === "complete") return null;
    await pause(100);
  }
  return "it does not end";
};
const look = (page) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.style = "width: 360px; height: 740px; border: 0";
  frame.onload = async () => {
    frame.onload = null;
    const inside = frame.contentDocument, view = frame.contentWindow;
    const texts = [...inside.querySelectorAll("p, li, td, th, a, h1, h2, dt, dd, time, .badge, pre span")]
      .filter((element) => element.textContent.trim() && element.getClientRects().length);
    found[page] = {
      wide: inside.documentElement.scrollWidth,
      hacked: view.hacked ?? null,
      page: rgb(view.getComputedStyle(inside.body).backgroundColor),
      contrast: Math.min(...texts.map(contrast)),
      filter: inside.getElementById("filter") ? !inside.getElementById("filter").hidden : null,
      shown: null,
      log: null,
    };
    const text = inside.getElementById("text");
    if (text) {
      text.value = "failed lib";
      text.dispatchEvent(new view.Event("input"));
      found[page].shown = [...inside.querySelectorAll("#packages tbody tr")].filter((row) => !row.hidden).length;
    }
    found[page].log = await grown(frame);
    done();
  };
  frame.src = page;
  document.body.append(frame);
});
(async () => {
  for (const page of PAGES) await look(page);
  document.getElementById("result").textContent = JSON.stringify(found);
})();
</script>"""


def probe_page(pages: Sequence[str]) -> str:
    """The page that looks at others, which lie where it does."""
    return _PROBE.replace("PAGES", json.dumps(pages))


def looked_at(url: str, folder: Path, *, dark: bool) -> tuple[dict[str, Any], str]:
    """What the probe found, and what the browser complained of."""
    argv = [str(CHROMIUM), "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}"]
    argv += ["--enable-logging=stderr", "--virtual-time-budget=15000", "--dump-dom"]
    argv += ["--no-sandbox"] if os.getuid() == 0 else []  # which refuses root; the pages are our own
    argv += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    done = subprocess.run([*argv, f"{url}/probe.html"], capture_output=True, text=True, check=True, timeout=120)
    text = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert text is not None, done.stderr[-2000:]
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(text[1])), "\n".join(said)
