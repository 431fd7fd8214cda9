"""What the owner of a folder says in `.CI/recipe.toml` about a build with Nix.

recipe = "nix"
version = "1.0"

file = "default.nix"            # what is built is said there (default), as by nix-build; or one of
flake = "packages.x86_64-linux.default"     # this of the flake in the folder
expression = "…"                # this text of the Nix language
template = "script"             # one that comes with ci-toolkit, or a path in the folder
attribute = "tools.small"       # an attribute of what file, expression or template give
parameters = { words = "hello" }    # arguments of the function that file or template are

git = "https://host/path.git"   # the folder is not this one but the one that lies there
branch = "main"                 # its newest commit; the default branch where it is left out
commit = "…"                    # or this one
subfolder = "nix"               # or a folder in it

image = true                    # what is made becomes an image for containers
entrypoint = ["bin/hello"]      # program and first arguments; a path that is not absolute is one in the output
command = ["--help"]            # further arguments, which others may replace
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.nix_value import format_nix_value
from ci_toolkit.formats.source_url import parse_git_url
from ci_toolkit.formats.toml_values import boolean_at, check_keys, table_at, text_at, texts_at
from ci_toolkit.model.names import is_oid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.formats.source_url import GitRemote

_ENTRIES = ("file", "flake", "expression", "template")
_GIT = ("git", "branch", "commit", "subfolder")
_IMAGE = ("image", "entrypoint", "command")
_KEYS = (*_ENTRIES, "attribute", "parameters", *_GIT, *_IMAGE)
_PART = r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]*"
_PATH = re.compile(rf"({_PART}/)*{_PART}")
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*(\.[A-Za-z0-9_][A-Za-z0-9_'+-]*)*")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
# What git itself takes (git-check-ref-format(1)) and no more than letters that nobody reads as something else.
_BRANCH = re.compile(r"(?!.*(\.\.|//|/\.|\.lock(/|$)|[/.]$))[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,199}")
_LONGEST_EXPRESSION = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class GitPlace:
    """Where a folder lies; without branch and commit the default branch is meant."""

    remote: GitRemote
    branch: str | None = None
    commit: str | None = None
    subfolder: str = ""

    @property
    def shown(self) -> str:
        """For people, and to tell places apart."""
        fragment = f"#commit={self.commit}" if self.commit else f"#branch={self.branch}" if self.branch else ""
        return f"git+{self.remote.url}{fragment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWish:
    """How a container begins."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NixKeys:
    """The typed form; one of `file`, `flake`, `expression` and `template` is set."""

    file: str | None = None
    flake: str | None = None
    expression: str | None = None
    template: str | None = None
    attribute: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    git: GitPlace | None = None
    image: ImageWish | None = None


def parse_nix_keys(own: Mapping[str, Any], *, allow_local: bool = False) -> NixKeys:
    """The typed form of a recipe's own keys; ConfigError, which names the key, for what cannot be.

    `allow_local`: a repository of git may lie on this machine.
    """
    check_keys(own, _KEYS, "")
    given = [key for key in _ENTRIES if key in own]
    if len(given) > 1:
        raise ConfigError(f"is said besides {given[0]}, and only one of them is built", key=given[1])
    entry = given[0] if given else "file"
    if "attribute" in own and entry == "flake":
        raise ConfigError("is for other entries: of a flake the attribute is said by flake itself", key="attribute")
    if "parameters" in own and entry not in ("file", "template"):
        raise ConfigError("are for a file or a template", key="parameters")
    return NixKeys(
        file=_matched(_PATH, own, "file", "is no path in the folder", "default.nix") if entry == "file" else None,
        flake=_matched(_ATTRIBUTE, own, "flake", "is no path of attributes") if entry == "flake" else None,
        expression=_expression(own) if entry == "expression" else None,
        template=_matched(_PATH, own, "template", "is no name and no path") if entry == "template" else None,
        attribute=_matched(_ATTRIBUTE, own, "attribute", "is no path of attributes") if "attribute" in own else None,
        parameters=_parameters(table_at(own, "parameters")),
        git=_place(own, allow_local=allow_local),
        image=_image(own),
    )


def _matched(
    pattern: re.Pattern[str], own: Mapping[str, Any], key: str, problem: str, default: str | None = None
) -> str:
    text = text_at(own, key, default)
    if not pattern.fullmatch(text):
        raise ConfigError(problem, key=key, got=text)
    return text


def _expression(own: Mapping[str, Any]) -> str:
    text = own["expression"]
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ConfigError("is no text of the Nix language", key="expression")
    if len(text) > _LONGEST_EXPRESSION:
        raise ConfigError(
            f"is longer than {_LONGEST_EXPRESSION:,} characters", key="expression", hint="put it in a file"
        )
    return text


def _parameters(table: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in table:
        if not _PARAMETER.fullmatch(name):
            raise ConfigError("has a name that no argument has", key=f"parameters.{name}")
    format_nix_value(dict(table), key="parameters")
    return table


def _place(own: Mapping[str, Any], *, allow_local: bool) -> GitPlace | None:
    if "git" not in own:
        for key in _GIT:
            if key in own:
                raise ConfigError("is for a folder that lies in git", key=key, hint="say git, too")
        return None
    try:
        remote = parse_git_url(text_at(own, "git"), allow_local=allow_local)
    except ConfigError as error:
        raise error.located(key="git") from None
    if remote.scheme not in ("https", "ssh", "file"):
        raise ConfigError("is neither https nor ssh", key="git", got=remote.url, hint="others can change it on the way")
    if "branch" in own and "commit" in own:
        raise ConfigError("is said besides branch, and only one of them is built", key="commit")
    commit = text_at(own, "commit") if "commit" in own else None
    if commit is not None and not is_oid(commit):
        raise ConfigError("is no whole name of a commit", key="commit", got=commit, hint="it has 40 hexadecimal digits")
    return GitPlace(
        remote=remote,
        branch=_matched(_BRANCH, own, "branch", "is no name of a branch") if "branch" in own else None,
        commit=commit,
        subfolder=_matched(_PATH, own, "subfolder", "is no path in the repository") if "subfolder" in own else "",
    )


def _image(own: Mapping[str, Any]) -> ImageWish | None:
    if boolean_at(own, "image", default=False):
        return ImageWish(entrypoint=_words(own, "entrypoint"), command=_words(own, "command"))
    for key in ("entrypoint", "command"):
        if key in own:
            raise ConfigError("is for images", key=key, hint="say image = true, too")
    return None


def _words(own: Mapping[str, Any], key: str) -> tuple[str, ...]:
    words = tuple(texts_at(own, key, ""))
    if any("\0" in word for word in words):
        raise ConfigError("has a NUL, which no argument has", key=key)
    return words
