"""nvchecker's file of a package that asks for it: TOML, with an entry that says where to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem, problem_of
from ci_toolkit.checks.spec import Check
from ci_toolkit.errors import FormatError, ToolkitError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.nvchecker import CONFIG_FILES, parse_entry
from ci_toolkit.model.package_config import CONFIG_PATH, PackageConfig, parse_package_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.checks.spec import Subject

_NAME = "nvchecker-config"
_KEY = "CI_NVCHECKER"
_LINE = re.compile(r"at line (\d+)")


def _package(name: str, subject: Subject) -> Iterator[Problem]:
    config_path = f"{name}/{CONFIG_PATH}"
    config, line = _config(subject.files.read(config_path), config_path)
    if not config.nvchecker:
        return  # the file, if there is one, is that of the upstream, and nobody here reads it
    file = next((path for path in CONFIG_FILES if subject.files.read(f"{name}/{path}") is not None), None)
    if file is None:
        text = f"{_KEY} is on, and there is neither {' nor '.join(CONFIG_FILES)}"
        yield Problem(check=_NAME, severity="error", file=config_path, line=line, text=text)
        return
    path = f"{name}/{file}"
    try:
        entry = parse_entry(subject.files.read(path) or b"", name=name, file=path)
    except FormatError as error:
        found = _LINE.search(error.problem)
        yield problem_of(error.located(line=int(found[1]) if found else None), _NAME, path)
        return
    if entry["source"] == "cmd" and config.source not in (None, "custom"):
        text = "has a command, which is run for packages with CI_PKGBUILD_SOURCE=custom only"
        yield Problem(check=_NAME, severity="error", file=path, text=text)


def _config(data: bytes | None, path: str) -> tuple[PackageConfig, int | None]:
    """The package's configuration, and the line that asks for nvchecker; what is wrong with it ci-config says."""
    try:
        file = KeyValueFile.parse(data or b"", file=path)
        return parse_package_config(file), file.line_of(_KEY)
    except ToolkitError:
        return PackageConfig(), None


CHECK = Check(name=_NAME, package=_package)
