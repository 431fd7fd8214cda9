"""What a CI pipeline is to do, from the variables that say who started it and what was chosen in its form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE_VARIABLES = ("CI_PIPELINE_SOURCE", "GITHUB_EVENT_NAME")
_WORDS = {
    "Schedule Packages": "schedule",
    "Bump Packages": "bump",
    "Drop Packages": "drop",
    "Add Packages": "add",
    "Run Schedule": "run-schedule",
    "On Commit": "on-commit",
    "On Schedule": "on-schedule",
}
"""The words of forms; the names of the commands mean the same."""
_NOTHING = "None"
_SOURCES = {"push": "on-commit", "schedule": "on-schedule"}
_FORMS = frozenset({"web", "workflow_dispatch"})
_UNDERSTOOD = (
    f"OPERATION is one of {', '.join(_WORDS)} (or {', '.join(_WORDS.values())}) or {_NOTHING}; "
    "ADD_PACKAGES alone adds, TRIGGER alone schedules what waits for it; "
    "else push means on-commit, and schedule, web or workflow_dispatch mean on-schedule"
)


def operation_of(environ: Mapping[str, str]) -> str:
    """The command that variables ask for, such as `on-commit`; ConfigError, which lists what is understood."""
    asked = environ.get("OPERATION", "").strip()
    if _folded(asked) not in ("", _folded(_NOTHING)):
        return _command(asked)
    source = next((environ[name] for name in SOURCE_VARIABLES if environ.get(name)), "")
    if environ.get("TRIGGER"):
        return "run-schedule"
    if source not in _SOURCES and environ.get("ADD_PACKAGES", "").strip():
        return "add"
    if source not in _SOURCES and environ.get("PACKAGES", "").strip():
        raise ConfigError("is set, but not what is to be done with them", key="PACKAGES", hint=_UNDERSTOOD)
    if source in _FORMS:
        return "on-schedule"
    if source in _SOURCES:
        return _SOURCES[source]
    if not source:
        names = " nor ".join(SOURCE_VARIABLES)
        raise ConfigError(f"neither OPERATION nor TRIGGER nor {names} says what to do", hint=_UNDERSTOOD)
    raise ConfigError("a pipeline with this source has nothing to do without OPERATION", got=source, hint=_UNDERSTOOD)


def _command(asked: str) -> str:
    commands = {_folded(text): command for word, command in _WORDS.items() for text in (word, command)}
    if _folded(asked) not in commands:
        close = nearest(asked, [*_WORDS, *_WORDS.values()])
        hint = "; ".join(filter(None, (close, _UNDERSTOOD)))
        raise ConfigError("names no operation", key="OPERATION", got=asked, hint=hint)
    return commands[_folded(asked)]


def _folded(text: str) -> str:
    """Upper and lower case, blanks, hyphens and underscores are all the same here."""
    return " ".join(text.lower().replace("-", " ").replace("_", " ").split())
