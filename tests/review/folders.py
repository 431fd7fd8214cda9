"""Package folders as values, for comparing."""

from __future__ import annotations

from ci_toolkit.model.observation import UpstreamFile


def plain(content: bytes, mode: str = "100644") -> UpstreamFile:
    return UpstreamFile(mode=mode, content=content)


def folder(pkgbuild: bytes, **others: bytes | UpstreamFile) -> dict[str, UpstreamFile]:
    """A folder of PKGBUILD, .SRCINFO and others; `foo__install` stands for `foo.install`."""
    files = {"PKGBUILD": plain(pkgbuild), ".SRCINFO": plain(b"")}
    for name, content in others.items():
        files[name.replace("__", ".")] = plain(content) if isinstance(content, bytes) else content
    return files
