"""PKGBUILD as a program: it parses, it does nothing that it must not when it is merely read, and shellcheck's advice.

makepkg, the AUR and every tool that makes `.SRCINFO` read a PKGBUILD by running all of it but the functions that it
never calls. What stands there must not reach for the network, other rights, or the package manager of the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.checks.pkgbuild_texts import read_pkgbuilds
from ci_toolkit.checks.problem import Problem
from ci_toolkit.checks.spec import PKGBUILD, Check
from ci_toolkit.checks.top_level import commands_when_read
from ci_toolkit.errors import FormatError, shortened
from ci_toolkit.review.commands import read_tree
from ci_toolkit.review.dangerous import command_dangers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

    from ci_toolkit.checks.problem import Severity
    from ci_toolkit.checks.spec import Subject
    from ci_toolkit.model.remark import Remark

_NAME = "pkgbuild-lint"
_FORBIDDEN = {
    "downloads-code": "uses the network",
    "opens-socket": "uses the network",
    "runs-fetched-code": "runs what it gets from elsewhere",
    "raises-privileges": "asks for the rights of another user",
    "foreign-packages": "calls a package manager, which is another one on other machines",
}
_SHOWN = 80


def _whole(subject: Subject) -> Iterator[Problem]:
    texts, problems = read_pkgbuilds(subject, _NAME)
    yield from problems
    remarks = subject.tools.shellcheck(texts.values())
    trees: dict[str, Node] = {}
    doubtful: dict[str, FormatError] = {}
    for name, text in texts.items():
        try:
            trees[name] = read_tree(text)
        except FormatError as error:
            doubtful[name] = error
    yield from _syntax(texts, doubtful, subject)
    for name, tree in trees.items():
        yield from _forbidden(name, tree, texts[name])
    for name, text in texts.items():
        for remark in remarks.get(text, ()):
            yield _problem(name, remark.line, f"{remark.code}: {remark.text}", "warning")


def _syntax(texts: Mapping[str, bytes], doubtful: Mapping[str, FormatError], subject: Subject) -> Iterator[Problem]:
    """The parser of reviews errs on a few lines that bash takes, so a second one is asked before it is an error."""
    faults: Mapping[bytes, Remark] = {}
    if doubtful:
        faults = subject.tools.syntax_faults(texts[name] for name in doubtful)
    for name, error in doubtful.items():
        fault = faults.get(texts[name])
        if fault is not None:
            yield _problem(name, fault.line, f"is no bash: {fault.text}", "error")
        else:
            text = f"{error.problem} by the parser of reviews, though bash does; nothing is looked for in it"
            yield _problem(name, error.line, text, "warning")


def _forbidden(name: str, tree: Node, text: bytes) -> Iterator[Problem]:
    """One problem a command; of those inside of each other the innermost, which is the one that does it."""
    found = [(command, _fault(command.text)) for command in commands_when_read(tree, text)]
    bad = [(command, fault) for command, fault in found if fault is not None]
    for command, fault in bad:
        if not any(command.contains(other) for other, _ in bad):
            shown = shortened(command.text, _SHOWN)
            yield _problem(name, command.line, f"`{shown}` {fault} whenever the file is read, built or not", "error")


def _fault(command: str) -> str | None:
    dangers = command_dangers(command)
    return next((what for rule, what in _FORBIDDEN.items() if rule in dangers), None)


def _problem(name: str, line: int | None, text: str, severity: Severity) -> Problem:
    return Problem(check=_NAME, severity=severity, file=f"{name}/{PKGBUILD}", line=line, text=text)


CHECK = Check(name=_NAME, whole=_whole)
