"""Commands in the log of a GitHub job, and text in it that must not become one.

Source: GitHub's documentation of workflow commands, and actions/runner (ActionCommand.cs): a command begins a line with
`::`, blanks before it do not count, and an older form, `##[`, is found anywhere in a line.
"""

from __future__ import annotations


def workflow_command(command: str, text: str, **properties: str) -> str:
    """One line, such as `::error file=a,line=1::text`."""
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{command}{' ' if listed else ''}{listed}::{command_text(text)}\n"


def command_text(text: str) -> str:
    """Text as the last part of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def plain_log(text: str) -> str:
    """Lines for the log, none of which is a command."""
    return "".join(_plain(line) for line in text.splitlines(keepends=True))


def _plain(line: str) -> str:
    line = line.replace("##[", "# #[")
    return f"- {line}" if line.lstrip().startswith("::") else line


def _property(text: str) -> str:
    return command_text(text).replace(":", "%3A").replace(",", "%2C")
