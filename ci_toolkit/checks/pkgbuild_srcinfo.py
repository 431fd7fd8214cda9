"""`.SRCINFO` in step with PKGBUILD: by the texts alone, with `--full` by what makepkg prints in the sandbox as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.checks.spec import PKGBUILD, SRCINFO, Check
from ci_toolkit.errors import ToolkitError, shortened
from ci_toolkit.review.srcinfo import UNVERIFIED, compare_srcinfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.checks.spec import Subject

_NAME = "pkgbuild-srcinfo"
_REMAKE = "makepkg --printsrcinfo > .SRCINFO, or ci-toolkit check --only pkgbuild-srcinfo --fix"
_LONGEST = 300


def _whole(subject: Subject) -> Iterator[Problem]:
    """All packages at once, so that makepkg can run for several at the same time."""
    texts: dict[str, tuple[bytes, bytes]] = {}
    for name in subject.packages:
        try:
            pkgbuild, srcinfo = (subject.files.read(f"{name}/{file}") for file in (PKGBUILD, SRCINFO))
        except ToolkitError as error:
            yield problem_of(error, _NAME, error.file or name)
            continue
        if pkgbuild is not None:
            texts[name] = (pkgbuild, srcinfo or b"")
    found = {name: list(_compared(name, *pair)) for name, pair in texts.items()}
    wanted = [name for name, problems in found.items() if subject.full or (subject.fix and problems)]
    evaluated = subject.tools.evaluate(wanted) if wanted else {}
    for name, problems in found.items():
        printed = evaluated.get(name)
        if isinstance(printed, ToolkitError):
            yield from problems
            yield Problem(
                check=_NAME, severity="error", file=f"{name}/{PKGBUILD}", text=f"cannot be evaluated: {printed.what}"
            )
        elif printed is None:
            yield from problems
        else:
            yield from _compared(name, *texts[name], printed)


def _compared(name: str, pkgbuild: bytes, srcinfo: bytes, evaluated: bytes | None = None) -> Iterator[Problem]:
    """What only running PKGBUILD could tell is no problem. How to mend it is said once."""
    hint: str | None = _REMAKE
    for finding in compare_srcinfo(pkgbuild, srcinfo, evaluated=evaluated):
        if finding.rule != UNVERIFIED.id:
            yield Problem(
                check=_NAME,
                severity="error",
                file=f"{name}/{finding.file}",
                line=finding.line,
                text=shortened(finding.text.replace("\n", ", "), _LONGEST),
                hint=hint,
                replacement=evaluated,
            )
            hint = None


CHECK = Check(name=_NAME, whole=_whole)
