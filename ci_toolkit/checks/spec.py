"""What a check is, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from ci_toolkit.checks.problem import Problem
    from ci_toolkit.errors import ToolkitError
    from ci_toolkit.model.remark import Remark
    from ci_toolkit.review.spec import ReviewRules

PKGBUILD = "PKGBUILD"
SRCINFO = ".SRCINFO"


class Files(Protocol):
    """The files of a checkout, as they are on disk."""

    def folders(self) -> Collection[str]:
        """The folders at the top that may be packages, sorted."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None when it is not there; FormatError when it is no regular file or too large."""


class Tools(Protocol):
    """The outside of the checks: other programs, what is installed, and the commit that the files are compared with."""

    def evaluate(self, packages: Iterable[str]) -> Mapping[str, bytes | ToolkitError]:
        """What makepkg prints for each package, in the sandbox."""

    def formatted(self, texts: Iterable[bytes]) -> Mapping[bytes, bytes | None]:
        """Each text as the repository's style wants it, None: it does not parse."""

    def syntax_faults(self, texts: Iterable[bytes]) -> Mapping[bytes, Remark]:
        """Those texts that a second parser of bash does not understand either."""

    def shellcheck(self, texts: Iterable[bytes]) -> Mapping[bytes, Sequence[Remark]]:
        """What shellcheck says of each text; nothing where it is not installed."""

    def build_fault(self, pkgbase: str, *, is_described: bool) -> str | None:
        """Why the repository's build backend refuses a package by its name or kind, None when it takes it."""

    def recipe_fault(self, pkgbase: str) -> ToolkitError | None:
        """Why the recipe that `.CI/recipe.toml` names cannot build the folder, None when it can be tried."""

    def keeps_order(self) -> bool:
        """Whether the repository's build backend has builds wait for what they need whatever their classes are."""

    def kinds(self, family: str) -> Collection[str]:
        """The names of the installed backends, forges, …."""

    def accepts_source(self, text: str) -> bool:
        """Whether some kind of upstream takes a CI_PKGBUILD_SOURCE."""

    def review_rules(self) -> Sequence[ReviewRules]:
        """Everything that adds rules to reviews."""

    def srcinfos_before(self) -> Mapping[str, bytes]:
        """The `.SRCINFO` of those packages in which it is not the same, or gone, since the commit to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked: some packages, perhaps the repository's own files, perhaps files with commit messages.

    `full`: PKGBUILDs are evaluated in the sandbox; `fix`: those that have to be for a replacement are.
    """

    files: Files
    tools: Tools
    packages: Sequence[str] = ()
    repository: bool = False
    messages: Mapping[str, bytes] = field(default_factory=dict)
    full: bool = False
    fix: bool = False


def _nothing_of_package(_name: str, _subject: Subject) -> Iterator[Problem]:
    return iter(())


def _nothing(_subject: Subject) -> Iterator[Problem]:
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `package` looks at one package after the other, `whole` at all that is asked for at once.

    Either may stop with a FormatError or ConfigError that names the file: it becomes one more problem.
    """

    name: str
    package: Callable[[str, Subject], Iterator[Problem]] = _nothing_of_package
    whole: Callable[[Subject], Iterator[Problem]] = _nothing
