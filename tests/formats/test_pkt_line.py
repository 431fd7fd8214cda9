"""git's framing, from servers that can be trusted and others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.pkt_line import decode_lines, decode_peeled_refs, decode_refs, encode_line, encode_ls_refs

OID = "1" * 40


@given(st.lists(st.binary(min_size=1, max_size=50).filter(lambda line: not line.endswith(b"\n"))))
def test_lines_read_back(lines: list[bytes]) -> None:
    content = b"".join(encode_line(line) for line in lines) + b"0000"
    assert list(decode_lines(content)) == lines


@given(st.binary(max_size=80))
def test_garbage_is_refused_and_never_crashes(content: bytes) -> None:
    try:
        refs = decode_refs(content)
    except FormatError:
        return
    assert all(len(oid) in (40, 64) for oid in refs.values())


def test_a_request_names_its_prefixes() -> None:
    assert encode_ls_refs(["HEAD"]) == b"0014command=ls-refs\n0015agent=ci-toolkit\n00010014ref-prefix HEAD\n0000"


def test_refs_are_read_with_their_attributes() -> None:
    lines = [f"{OID} HEAD symref-target:refs/heads/main\n", f"{OID} refs/heads/main\n", "unborn refs/heads/x\n"]
    content = b"".join(encode_line(line.encode()) for line in lines) + b"0000"
    assert decode_refs(content) == {"HEAD": OID, "refs/heads/main": OID}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"0005",
        b"00zz",
        b"0003",
        encode_line(b"ERR access denied") + b"0000",
        encode_line(b"x HEAD") + b"0000",
    ],
)
def test_other_answers_are_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        decode_refs(content)


def test_tags_are_read_with_the_commits_behind_them() -> None:
    assert encode_ls_refs(["refs/tags/"], peel=True).endswith(b"00010009peel\n001aref-prefix refs/tags/\n0000")
    commit = "2" * 40
    lines = [f"{OID} refs/tags/v1 peeled:{commit}\n", f"{OID} refs/tags/v2 future:x\n", f"{OID} refs/tags/v3\n"]
    content = b"".join(encode_line(line.encode()) for line in lines) + b"0000"
    assert decode_peeled_refs(content) == {"refs/tags/v1": commit, "refs/tags/v2": OID, "refs/tags/v3": OID}


@pytest.mark.parametrize("attribute", ["peeled:", "peeled:x", f"peeled:{OID}0"])
def test_a_tag_with_something_else_behind_it_is_refused(attribute: str) -> None:
    with pytest.raises(FormatError, match="peels a tag to no object"):
        decode_peeled_refs(encode_line(f"{OID} refs/tags/v1 {attribute}\n".encode()) + b"0000")
