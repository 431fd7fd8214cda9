"""What is read of Containerfiles, and only that: base images, stages and arguments."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.containerfile import Containerfile, parse_containerfile

LONG = r"""# syntax=docker/dockerfile:1
# a comment

ARG VERSION=12 SUITE="slim" \
    # a comment within
    EMPTY
ARG IMAGE='debian'

FROM --platform=$BUILDPLATFORM \
    ${IMAGE}:${VERSION}-${SUITE} AS Build
ARG MODE=debug
RUN <<EOF cat <<-"OTHER" && echo $((1<<4))
FROM not-an-image
EOF
	FROM neither
	OTHER
COPY --chown=1:1 --from=registry.example:5000/tools/x@sha256:1111111111111111111111111111111111111111111111111111111111111111 /a /b
COPY --from=other.example/a \
  /c /d

from scratch as final
copy --from=build /a /a
copy --from=0 /a /a
RUN --mount=type=cache,target=/c --mount=type=bind,from=example.org/cache:1,target=/x true
ADD https://example.org/ /
FROM unused/image:1 AS unused
FROM final
"""
PIN = "sha256:" + "1" * 64


def read(text: str) -> Containerfile:
    return parse_containerfile(text.encode(), file="Containerfile")


def bases(text: str, target: str | None = None, **given: str) -> list[str]:
    """The base images as they are asked for, with their platforms."""
    found = read(text).base_images(target, {"BUILDPLATFORM": "linux/amd64", **given})
    return [f"{one.reference}{' ' + one.platform if one.platform else ''}" for one in found]


def test_base_images_are_those_of_stages_that_are_needed() -> None:
    assert bases(LONG) == [
        "docker.io/library/debian:12-slim linux/amd64",
        f"registry.example:5000/tools/x@{PIN}",
        "other.example/a:latest",
        "example.org/cache:1",
    ]
    assert bases(LONG, "BUILD", VERSION="13") == [
        "docker.io/library/debian:13-slim linux/amd64",
        f"registry.example:5000/tools/x@{PIN}",
        "other.example/a:latest",
    ]
    assert bases(LONG, "unused") == ["docker.io/unused/image:1"]


def test_arguments_are_those_of_all_stages() -> None:
    assert read(LONG).heredocs == (LONG[: LONG.index("RUN <<")].count("\n") + 1,)
    assert read(LONG).arguments == {"VERSION", "SUITE", "EMPTY", "IMAGE", "MODE"}
    assert [stage.runs for stage in read(LONG).stages] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM scratch\nCOPY a /\n", set()),
        ("FROM a\nRUN true\n", {None}),
        ("FROM --platform=$BUILDPLATFORM a AS b\nRUN true\nFROM scratch\nCOPY --from=b /x /x\n", {"linux/amd64"}),
        ("FROM --platform=linux/arm64 a AS b\nFROM b\nRUN true\n", {"linux/arm64"}),
        ("FROM a AS b\nRUN true\nFROM --platform=$BUILDPLATFORM b\nRUN true\n", {None, "linux/amd64"}),
        ("FROM a AS b\nRUN true\nFROM scratch\n", set()),
    ],
)
def test_it_is_known_what_steps_run_on(text: str, expected: set[str | None]) -> None:
    assert read(text).running(None, {"BUILDPLATFORM": "linux/amd64"}) == expected


def test_pinning_changes_the_names_and_nothing_else() -> None:
    containerfile = read(LONG)
    found = containerfile.base_images(None, {"BUILDPLATFORM": "linux/amd64"})
    pinned = containerfile.pinned({one.span: f"pinned.example/{number}" for number, one in enumerate(found)})
    expected = LONG.replace("${IMAGE}:${VERSION}-${SUITE}", "pinned.example/0")
    expected = expected.replace(f"registry.example:5000/tools/x@{PIN}", "pinned.example/1")
    expected = expected.replace("other.example/a", "pinned.example/2").replace(
        "example.org/cache:1", "pinned.example/3"
    )
    assert pinned == expected
    assert containerfile.pinned({}) == LONG


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:$V", ["docker.io/library/a:1"]),
        ("FROM a:${V:-2}", ["docker.io/library/a:1"]),
        ("FROM a:${N:-2}", ["docker.io/library/a:2"]),
        ("FROM a${V:+-b}", ["docker.io/library/a-b:latest"]),
        ("FROM a\\\n  # comment\n\\\n\n:3", ["docker.io/library/a:3"]),
        ("FROM b AS x\nFROM x", ["docker.io/library/b:latest"]),
        ("FROM b AS x\nFROM scratch\nCOPY --from=X /a /a", ["docker.io/library/b:latest"]),
        ("FROM scratch\r\nCOPY --from=c /a /a\r\n", ["docker.io/library/c:latest"]),
        ("FROM b:$TARGETARCH", ["docker.io/library/b:arm64"]),
        ("ARG W=c-$TARGETARCH-$V\nFROM b:$W", ["docker.io/library/b:c-arm64-1"]),
    ],
)
def test_variables_lines_and_stages(text: str, expected: list[str]) -> None:
    assert bases(f"ARG V=1\nARG N\n{text}", TARGETARCH="arm64", UNDECLARED="x") == expected


def test_the_sign_that_continues_lines_can_be_another() -> None:
    text = "# escape=`\nFROM a`\nb\nRUN c:\\\nFROM d\n"
    assert bases(text, "0") == ["docker.io/library/ab:latest"]
    assert len(read(text).stages) == 2


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", None, "has no FROM"),
        ("# only this\n", None, "has no FROM"),
        ("RUN true\nFROM a\n", 1, "has RUN before the first FROM"),
        ("FROM a\n\n!nonsense\n", 3, "is no instruction"),
        ("FROM\n", 1, "is no FROM IMAGE"),
        ("FROM a b\n", 1, "is no FROM IMAGE"),
        ("FROM a AS 1b\n", 1, "is no name of a stage"),
        ("FROM --pull=always a\n", 1, "has an option that FROM does not take"),
        ('ARG A=("\nFROM a\n', 1, "is no ARG NAME"),
        ("FROM a\nCOPY --from=$A /a /b\n", 2, "copies from a name with variables"),
        ("FROM a\nRUN <<EOF\ntrue\n", 2, "has no end EOF"),
        ("# escape=x\nFROM a\n", 1, "is no sign that continues a line"),
        ("FROM a\0\n", 1, "has a NUL byte"),
        ("FROM scratch\n" * 300, 201, "has more than 200 stages"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, line: int | None, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(text)
    assert (caught.value.file, caught.value.line) == ("Containerfile", line)
    assert problem in caught.value.what


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("FROM $NOTHING\n", "has a name without a value"),
        ("FROM a:${A%x}\n", "has a name without a value"),
        ("FROM docker://a/b\n", "is no name of an image"),
        ("FROM /etc/passwd\n", "is no name of an image"),
        ("FROM scratch\nCOPY --from=../x /a /b\n", "is no name of an image"),
    ],
)
def test_what_is_no_image_is_named_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(FormatError, match=problem) as caught:
        bases(text)
    assert caught.value.line == 1


def test_a_target_that_is_no_stage_is_named() -> None:
    with pytest.raises(FormatError, match="has no stage of this name: 'finale'"):
        read("FROM a AS final\n").needed("finale", {})


@given(st.text(alphabet="FROMARGCPYUNas \n\t\\#=$<{}:-\"'`/@0\r", max_size=80))
@example("FROM a <<\\\n")
def test_whatever_it_says_it_is_read_or_refused(text: str) -> None:
    try:
        containerfile = read(text)
        containerfile.base_images(None, {})
    except FormatError:
        return
    assert containerfile.pinned({}) == text
