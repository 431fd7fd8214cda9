"""Names and platforms of images."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.image_platform import parse_platform, platform_of
from ci_toolkit.formats.image_reference import parse_image_reference

PIN = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("index.docker.io/debian:12", "docker.io/library/debian:12"),
        ("me/tool:1.0", "docker.io/me/tool:1.0"),
        (f"me/tool:1.0@{PIN}", f"docker.io/me/tool@{PIN}"),
        ("localhost/a", "localhost/a:latest"),
        ("localhost:5000/a__b/c-d.e:T", "localhost:5000/a__b/c-d.e:T"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
        ("registry.example/a/b/c", "registry.example/a/b/c:latest"),
        # What a tool that builds would take for a file stays a name here.
        ("oci-archive:x", "docker.io/library/oci-archive:x"),
    ],
)
def test_names_are_completed(text: str, expected: str) -> None:
    found = parse_image_reference(text)
    assert str(found) == expected
    assert parse_image_reference(str(found)) == found or found.tag is None or found.digest


@pytest.mark.parametrize(
    "text",
    [
        *("", "A", "a b", "-a", "a/", "/a", "a//b", "a:", "a:-x", f"a:{'x' * 129}", "a@", "a@sha256:0", "a@md5:0"),
        *("docker://a", "oci:/tmp/x", "dir:/x", "a..b/c", "host.example:port/a", "../a", "a\n", "x" * 300, "$a", "a;b"),
    ],
)
def test_other_text_is_no_name(text: str) -> None:
    with pytest.raises(FormatError, match="is no name of an image"):
        parse_image_reference(text)


def test_hosts_have_ports() -> None:
    names = ("a.example:5000/x", "a.example/x", "[::1]:80/x", "[::1]/x")
    found = [(one.host_name, one.port) for one in map(parse_image_reference, names)]
    assert found == [("a.example", 5000), ("a.example", 443), ("[::1]", 80), ("[::1]", 443)]


def test_platforms_have_several_names() -> None:
    assert parse_platform("linux/aarch64") == parse_platform("Linux/ARM64/v8") == platform_of("aarch64")
    arm = parse_platform("linux/arm")
    assert (arm.text, arm.machine, arm.emulation, arm.architecture, arm.variant) == (
        "linux/arm/v7",
        "armv7l",
        "arm",
        "arm",
        "v7",
    )
    assert parse_platform("linux/386").runs_on("x86_64")
    assert not parse_platform("linux/amd64").runs_on("i686")


@pytest.mark.parametrize("text", ["", "amd64", "windows/amd64", "linux/amd64/v9", "linux/../x"])
def test_other_platforms_are_unknown(text: str) -> None:
    with pytest.raises(FormatError, match="is no platform that is known here"):
        parse_platform(text)
