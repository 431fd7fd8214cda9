"""What all pages about builds share: how templates are filled, everything escaped by default, and what frames them."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ci_toolkit.reports.jobs import moment, verdict_word
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

OWN_PACKAGE = "ci_toolkit.reports.build_site"


def page_templates(clean: Callable[[str], str], *packages: str) -> Environment:
    """The templates of this package, and of `packages`; `clean` takes secrets out of what strangers wrote."""
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, OWN_PACKAGE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    templates.filters |= {
        "word": verdict_word,
        "moment": moment,
        "iso": lambda at_s: datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds"),
        "line": lambda text: one_line(clean(text)),
        "seconds": seconds_text,
        "size": size_text,
        "urlencode": lambda text: quote(text, safe=""),
    }
    return templates


def page_frame(script: str, *, asks: bool = False) -> dict[str, Any]:
    """Style, script, and the policy by which a browser takes nothing else; `asks`: the page may ask its server."""
    style = template_part("style.css")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    policy += "; connect-src 'self'" if asks else ""
    return {
        "style": Markup(style),  # noqa: S704 - our own file
        "script": Markup(script),  # noqa: S704 - likewise
        "policy": f"{policy}; base-uri 'none'; form-action 'none'",
    }


def template_part(name: str, package: str = OWN_PACKAGE) -> str:
    """A file of a package's templates."""
    return files(package).joinpath("templates", name).read_text()


def seconds_text(seconds: float | None) -> str:
    """How long something took, empty when that is not known."""
    if seconds is None:
        return ""
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size_text(size_bytes: int) -> str:
    """A size in the unit that fits."""
    for unit in ("bytes", "KiB", "MiB"):
        if size_bytes < 1024 or unit == "MiB":
            return f"{size_bytes:,.0f} {unit}" if unit == "bytes" else f"{size_bytes:,.1f} {unit}"
        size_bytes = size_bytes / 1024  # type: ignore[assignment]  # shown, not counted on
    raise AssertionError(size_bytes)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
