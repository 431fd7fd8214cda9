"""The report of builds in a real browser: on a phone, in the dark, and with hostile texts."""

from __future__ import annotations

import functools
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import looked_at, needs_browser, probe_page
from tests.support.histories import HOSTILE, every_state, history, write_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = (
    "index.html",
    "graph.html",
    "statistics.html",
    "builds/5.html",
    "builds/6.html",
    "packages/lib.html",
    "packages/libring%2B%2B.html",
)
NEEDS = {"libring++": ("lib",), "p-succeeded": ("lib",), "p-queued": ("p-succeeded",)}

pytestmark = needs_browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests are read, and servers are not."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    write_site(history(every_state(), NEEDS, log=f"{HOSTILE}\n\x1b[1;31mred\x1b[0m {'wide ' * 80}\n"), folder)
    (folder / "probe.html").write_text(probe_page(PAGES))
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


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
