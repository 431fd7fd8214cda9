"""Files are downloaded once, go on where they were cut off, and are never mixed from two versions."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.errors import UpstreamError
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.upstreams import Upstreams

ONE, TWO = b"one version\n" * 200_000, b"two version\n" * 200_000


class SlowClock(QuickClock):
    """Every look at it takes a second."""

    def monotonic(self) -> float:
        self.slept.append(1.0)
        return super().monotonic()


@pytest.fixture
def served(upstreams: Upstreams, tmp_path: Path) -> Path:
    upstreams.files = tmp_path / "files"
    upstreams.files.mkdir()
    path = upstreams.files / "a.tar"
    path.write_bytes(ONE)
    return path


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    web = Web(clock=QuickClock(), manners=WebManners(allow_local=True, attempts=1))
    return Downloads(folder=tmp_path / "cache", web=web)


def sha256(downloads: Downloads, upstreams: Upstreams, **more: Any) -> str:
    return downloads.sums(f"{upstreams.url}/files/a.tar", ["sha256"], **more)["sha256"]


def expected(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leave_a_part(downloads: Downloads, upstreams: Upstreams, content: bytes, *, etag: str | None = None) -> None:
    """As a run leaves it that ran out of time after a part of a file with an ETag."""
    tag = etag or f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    upstreams.fail("file", status=200, headers={"ETag": tag}, body=content, times=1)
    web = Web(clock=SlowClock(), manners=WebManners(allow_local=True, attempts=1))
    with pytest.raises(UpstreamError, match="too slowly"):
        sha256(replace(downloads, web=web), upstreams, deadline=web.deadline_in(20))
    assert 0 < next(downloads.folder.glob("*.part")).stat().st_size < len(content)


def test_a_part_is_completed(downloads: Downloads, upstreams: Upstreams, served: Path) -> None:
    leave_a_part(downloads, upstreams, ONE)
    assert sha256(downloads, upstreams) == expected(ONE)
    assert not list(downloads.folder.glob("*.part*"))


def test_a_part_of_another_version_is_thrown_away(downloads: Downloads, upstreams: Upstreams, served: Path) -> None:
    leave_a_part(downloads, upstreams, ONE)
    served.write_bytes(TWO)
    assert sha256(downloads, upstreams) == expected(TWO)


def test_a_part_that_cannot_be_told_from_another_version_is_thrown_away(
    downloads: Downloads, upstreams: Upstreams, served: Path
) -> None:
    leave_a_part(downloads, upstreams, ONE, etag='W/"weak"')
    served.write_bytes(TWO)
    assert sha256(downloads, upstreams) == expected(TWO)


def test_a_part_that_is_longer_than_the_file_is_started_anew(
    downloads: Downloads, upstreams: Upstreams, served: Path
) -> None:
    leave_a_part(downloads, upstreams, ONE)
    upstreams.fail("file", status=416, headers={"Content-Range": "bytes */10"}, times=1)
    assert sha256(downloads, upstreams) == expected(ONE)


def test_a_server_that_knows_no_range_at_all_is_said(downloads: Downloads, upstreams: Upstreams, served: Path) -> None:
    upstreams.fail("file", status=416)
    with pytest.raises(UpstreamError, match="answers 416"):
        sha256(downloads, upstreams)


def test_an_answer_that_starts_elsewhere_is_refused(downloads: Downloads, upstreams: Upstreams, served: Path) -> None:
    leave_a_part(downloads, upstreams, ONE)
    upstreams.fail("file", status=206, headers={"Content-Range": "bytes 5-9/10"}, body=b"xxxxx", times=1)
    with pytest.raises(UpstreamError, match="another part"):
        sha256(downloads, upstreams)
    assert sha256(downloads, upstreams) == expected(ONE)


def test_a_time_limit_ends_it_and_keeps_what_came(upstreams: Upstreams, served: Path, tmp_path: Path) -> None:
    web = Web(clock=SlowClock(), manners=WebManners(allow_local=True, attempts=1))
    slow = Downloads(folder=tmp_path / "cache", web=web)
    with pytest.raises(UpstreamError, match="too slowly"):
        sha256(slow, upstreams, deadline=web.deadline_in(20))
    with pytest.raises(UpstreamError, match="time limit"):
        sha256(slow, upstreams, deadline=web.deadline_in(0))
    kept = next(slow.folder.glob("*.part")).stat().st_size
    assert 0 < kept < len(ONE)
    assert sha256(slow, upstreams) == expected(ONE)
    assert [seen.kind for seen in upstreams.seen] == ["file", "file"]
