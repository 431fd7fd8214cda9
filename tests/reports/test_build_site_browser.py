"""The report of builds in a real browser: on a phone, in the dark, and with hostile texts.

A page of the test's own loads the site's pages into frames as wide as a phone and writes down what it finds there.
"""

from __future__ import annotations

import functools
import html
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.histories import HOSTILE, every_state, history, write_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = (
    "index.html",
    "graph.html",
    "builds/5.html",
    "builds/6.html",
    "packages/lib.html",
    "packages/libring%2B%2B.html",
)
NEEDS = {"libring++": ("lib",), "p-succeeded": ("lib",), "p-queued": ("p-succeeded",)}

pytestmark = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="chromium is not installed")

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
const look = (page) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.style = "width: 360px; height: 740px; border: 0";
  frame.onload = () => {
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
    };
    const text = inside.getElementById("text");
    if (text) {
      text.value = "failed lib";
      text.dispatchEvent(new view.Event("input"));
      found[page].shown = [...inside.querySelectorAll("#packages tbody tr")].filter((row) => !row.hidden).length;
    }
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


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests are read, and servers are not."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    write_site(history(every_state(), NEEDS, log=f"{HOSTILE}\n\x1b[1;31mred\x1b[0m {'wide ' * 80}\n"), folder)
    (folder / "probe.html").write_text(_PROBE.replace("PAGES", json.dumps(PAGES)))
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


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


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_on_a_phone(served: str, tmp_path: Path, dark: bool) -> None:
    found, said = looked_at(served, tmp_path / "browser", dark=dark)
    assert list(found) == list(PAGES)
    assert said == ""  # neither errors, nor anything that the policy for content had to refuse
    for page, seen in found.items():
        assert seen["wide"] <= 360, page
        assert seen["hacked"] is None, page
        assert (sum(seen["page"]) < 100) == dark, page
        assert seen["contrast"] >= 4.5, page  # WCAG 2.2, AA
    assert found["index.html"]["filter"] is True
    assert found["index.html"]["shown"] == 1
