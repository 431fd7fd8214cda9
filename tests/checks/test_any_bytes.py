"""Whatever a file holds: checks say something or nothing, and never fail."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.checkout import CheckedRepository
from tests.support.packages import SamplePackage

FOO = SamplePackage(name="foo").folder()
FILES = (
    "foo/PKGBUILD",
    "foo/.SRCINFO",
    "foo/.CI/config",
    "foo/nvchecker.toml",
    ".ci/config",
    ".ci/review.toml",
    ".editorconfig",
)
STARTS = (
    b"",
    FOO["foo/PKGBUILD"].encode(),
    FOO["foo/.SRCINFO"].encode(),
    b"CI_MANAGE_AUR=yes\nCI_REBUILD_TRIGGERS=a:b\n",
    b'[severity]\na = "b"\n',
    b'[foo]\nsource = "',
    b"[*]\nindent_size = ",
    b"x() { $(`${",
)
CONTENT = st.builds(lambda start, rest: start + rest, st.sampled_from(STARTS), st.binary(max_size=60))


@settings(max_examples=60)
@given(contents=st.dictionaries(st.sampled_from(FILES), CONTENT, min_size=1, max_size=3), message=CONTENT)
@example(contents={".ci/review.toml": b"a = [\n1,\n" * 3}, message=b"\xff[deploy \xff]")
@example(contents={"foo/.CI/config": b"CI_NVCHECKER=true\n", "foo/nvchecker.toml": b"\xff"}, message=b"")
@example(contents={"foo/PKGBUILD": b"a=$(" * 3_000}, message=b"\n" * 9)
@example(contents={".ci/review.toml": b"a=" + b"[" * 5_000}, message=b"")
def test_no_bytes_make_it_fail(contents: dict[str, bytes], message: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        repository = CheckedRepository(Path(name))
        repository.write({**FOO, "foo/.CI/config": "CI_NVCHECKER=true\n", **contents, "message": message})
        for arguments in ((), ("--only", "pkgbuild-format"), ("--only", "commit-message", "message")):
            result = repository.check("--json", *arguments)
            assert (result.status in (0, 5), result.stderr) == (True, "")
            for problem in json.loads(result.stdout)["problems"]:
                assert problem["line"] is None or problem["line"] >= 1
