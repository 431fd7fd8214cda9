"""A commit message: its form, and whether what it asks to deploy is a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem
from ci_toolkit.checks.spec import Check
from ci_toolkit.formats.commit_message import deployed_names, message_faults, message_lines
from ci_toolkit.model.names import nearest
from ci_toolkit.model.package_lists import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.checks.spec import Subject

_NAME = "commit-message"


def _whole(subject: Subject) -> Iterator[Problem]:
    for file, content in subject.messages.items():
        text = content.decode(errors="replace").replace("\r\n", "\n")
        for line, fault, hint in message_faults(text):
            yield Problem(check=_NAME, severity="error", file=file, line=line, text=fault, hint=hint)
        folders = subject.files.folders()
        for number, line_text in message_lines(text):
            for name in deployed_names(line_text):
                if name != EVERYTHING and name not in folders:
                    told = f"[deploy {name[:80]}] names no package"
                    hint = nearest(name, folders) or None
                    yield Problem(check=_NAME, severity="error", file=file, line=number, text=told, hint=hint)


CHECK = Check(name=_NAME, whole=_whole)
