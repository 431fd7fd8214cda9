"""What Nix is told to evaluate: text of its language that we write, in which all that comes from others is quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files as resources
from typing import TYPE_CHECKING

from ci_toolkit.effects.nix_root import FOLDER_PLACE, NEEDS_PLACE, RECIPE_PLACE
from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.nix_closure import read_closure, top_paths
from ci_toolkit.formats.nix_value import NixCode, format_nix_value
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.formats.nix_closure import ClosurePath
    from ci_toolkit.recipes.nix.keys import NixKeys

EXPORT_SUFFIX = ".nix-export"
_TEMPLATES = "templates"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9+._?=-]")
_FUNCTION = """\
let
  function = import {function};
  given = {given};
  parameters = {parameters};
in
if builtins.isFunction function
then function (builtins.intersectAttrs (builtins.functionArgs function) given // parameters)
else {otherwise}
"""
_NO_FUNCTION = 'if parameters == { } then function else throw "it takes no parameters: it is no function"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`text` is what is evaluated; `parsed` is the file whose syntax is looked at first, None for the text itself."""

    text: str
    parsed: str | None


def template_names() -> tuple[str, ...]:
    """The templates that come with ci-toolkit."""
    folder = resources("ci_toolkit.recipes.nix").joinpath(_TEMPLATES)
    return tuple(sorted(one.name.removesuffix(".nix") for one in folder.iterdir() if one.name.endswith(".nix")))


def check_entry(keys: NixKeys, files: Collection[str]) -> None:
    """Nothing; ConfigError for a file or a template that is not there."""
    path = keys.file or keys.template or "flake.nix"
    if keys.expression is not None or path in files or keys.template in template_names():
        return
    if keys.template is not None and not path.endswith(".nix"):
        known = template_names()
        hint = nearest(path, known) or f"there are {', '.join(known)}, and what is in the folder"
        raise ConfigError("is no template", key="template", got=path, hint=hint)
    key = "flake" if keys.flake else "file" if keys.file else "template"
    raise ConfigError(f"is not in the folder: there is no {path}", key=key, hint=nearest(path, files) or None)


def entry_of(keys: NixKeys, given: Mapping[str, object], files: Collection[str], recipe: Path) -> Entry:
    """What a folder of these `files` is evaluated by; templates are laid into the folder `recipe`.

    ConfigError as above.
    """
    check_entry(keys, files)
    if keys.expression is not None:
        return Entry(text=keys.expression, parsed=None)
    path = keys.file or keys.template or "flake.nix"
    return _called(f"{FOLDER_PLACE}/{path}" if path in files else _laid(path, recipe), keys, given)


def given_arguments(pkgbase: str, version: str, needs: Mapping[str, object]) -> dict[str, object]:
    """The arguments that a function gets if it names them."""
    return {
        "folder": NixCode(text=FOLDER_PLACE),
        "name": _NOT_IN_NAMES.sub("-", pkgbase),
        "needs": dict(needs),
        "system": NixCode(text="builtins.currentSystem"),
        "version": _NOT_IN_NAMES.sub("-", version),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What another folder made: `closure` is what its export holds, empty for other files; `path` is the file's."""

    name: str
    path: Path
    closure: tuple[ClosurePath, ...] = ()

    @property
    def value(self) -> object:
        """What an expression finds under its name: a store path, a list of several, or a folder with the files."""
        if not self.closure:
            return NixCode(text=f"({NEEDS_PLACE} + {format_nix_value(f'/{self.name}')})")
        tops = [_stored(one) for one in top_paths(self.closure)]
        return tops[0] if len(tops) == 1 else tops


def needs_of(others: Mapping[str, Sequence[Path]]) -> tuple[Need, ...]:
    """What other folders made, by their names; FormatError for an export that is damaged."""
    found = []
    for name, paths in sorted(others.items()):
        for path in paths:
            if not path.name.endswith(EXPORT_SUFFIX):
                found.append(Need(name=name, path=path))
                continue
            try:
                with path.open("rb") as file:
                    closure = tuple(read_closure(pieces_of(file)))
            except FormatError as error:
                raise error.located(file=path.name) from error.__cause__
            found.append(Need(name=name, path=path, closure=closure))
    return tuple(found)


def _stored(one: ClosurePath) -> NixCode:
    return NixCode(text=f"(builtins.storePath {format_nix_value(str(one.path))})")


def _called(function: str, keys: NixKeys, given: Mapping[str, object]) -> Entry:
    text = _FUNCTION.format(
        function=f"(/. + {format_nix_value(function)})",
        given=format_nix_value(dict(given)),
        parameters=format_nix_value(dict(keys.parameters), key="parameters"),
        otherwise=_NO_FUNCTION,
    )
    return Entry(text=text, parsed=function)


def _laid(name: str, recipe: Path) -> str:
    target = recipe / f"{name}.nix"
    target.write_bytes(resources("ci_toolkit.recipes.nix").joinpath(_TEMPLATES, f"{name}.nix").read_bytes())
    target.chmod(0o644)
    return f"{RECIPE_PLACE}/{name}.nix"
