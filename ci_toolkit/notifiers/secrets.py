"""Credentials and addresses that notifiers take from the environment, and from nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def secret(environ: Mapping[str, str], variable: str, *, shape: str = "[!-~]{6,1024}", hint: str | None = None) -> str:
    """The value of a variable; ConfigError, without the value, when it is missing or does not have that shape.

    Nothing shorter than six characters is a secret, as it could not be hidden from texts.
    """
    text = environ.get(variable, "").strip()
    if not text:
        raise ConfigError("is missing in the environment", key=variable, hint=hint)
    if re.fullmatch(shape, text) is None:
        raise ConfigError("does not look like what it should hold", key=variable, hint=hint)
    return text
