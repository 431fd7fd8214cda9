"""`nginx -t`: whether nginx understands what was rendered, asked on a machine that is not the farm's."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from ci_toolkit.stack.proxy.nginx import tls_folder
from ci_toolkit.stack.validating.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.validating.check import Programs

_NAME = "nginx -t"
_HTTP2_SINCE = (1, 25, 1)
# Ports that everybody may listen on; nginx tries them for a moment, and does not mind when they are taken.
_MADE_PORT = 20000
_LISTEN = re.compile(r"\blisten (\[::\]:)?(\d+)")
_TEMPORARY = re.compile(r"--http-([a-z-]+)-temp-path=")
_OPENSSL = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1")


def check_nginx(folder: Path, deployment: Deployment, programs: Programs) -> Iterator[Check]:
    """What nginx says to a copy with a certificate, places and ports that are made for it."""
    nginx, openssl = programs.find("nginx"), programs.find("openssl")
    if nginx is None:
        yield Check(name=_NAME, missing="nginx is not installed; Debian: apt install nginx-light")
        return
    if openssl is None:
        missing = "openssl, which makes a certificate to ask nginx with, is not installed; Debian: apt install openssl"
        yield Check(name=_NAME, missing=missing)
        return
    # Below a folder of its own, so that what nginx names is called as it is in the stack.
    top = folder / "nginx-asked"
    shutil.copytree(folder / "nginx", top / "nginx", dirs_exist_ok=True)
    made = programs.ask(
        _NAME, (openssl, *_OPENSSL, "-subj", "/CN=nobody", "-keyout", "key.pem", "-out", "cert.pem"), cwd=top
    )
    if made.faults:
        yield Check(name=_NAME, missing=f"openssl makes no certificate to ask nginx with: {made.faults[0]}")
        return
    told = programs.run((nginx, "-V"), cwd=top).stderr.decode(errors="replace")
    older = _version(told) < _HTTP2_SINCE
    note = "nginx here is older than 1.25.1: it was asked with the older way to switch HTTP/2 on"
    is_adapted = [_adapt(path, top, deployment, told, older=older) for path in sorted((top / "nginx").rglob("*.conf"))]
    found = programs.ask(_NAME, (nginx, "-t", "-q", "-p", f"{top}", "-c", f"{top}/nginx/nginx.conf"), cwd=top)
    yield Check(name=_NAME, faults=found.faults, note=note if any(is_adapted) else "")


def _version(told: str) -> tuple[int, ...]:
    found = re.search(r"nginx/([0-9]+)\.([0-9]+)\.([0-9]+)", told)
    return tuple(map(int, found.groups())) if found else _HTTP2_SINCE


def _adapt(path: Path, top: Path, deployment: Deployment, told: str, *, older: bool) -> bool:
    """Put a file's places and ports onto this machine, line by line; gives whether it was written for a newer nginx."""
    text = path.read_text()
    is_newer = older and "http2 on;" in text
    if is_newer:
        text = text.replace("http2 on;", "").replace(" ssl;", " ssl http2;")
    temporary = " ".join(
        f"{kind.replace('-', '_')}_temp_path {top}/{kind};"
        for kind in _TEMPORARY.findall(told)
        if f"--without-http_{kind}_module" not in told
    )
    for written, here in {
        f"{tls_folder(deployment)}/": f"{top}/",
        "include /etc/nginx/mime.types;": f"types {{}} {temporary}",
        "access_log /dev/stdout;": "access_log off;",
        "pid /run/nginx.pid;": f"pid {top}/nginx.pid;",
        "user nginx;": "",
        "user www-data;": "",
    }.items():
        text = text.replace(written, here)
    path.write_text(_LISTEN.sub(_made_port, text))
    return is_newer


def _made_port(found: re.Match[str]) -> str:
    """A place on loopback for each of the two families: whether there is IPv6 here is not what is asked."""
    return f"listen 127.0.0.1:{_MADE_PORT + 2 * (int(found[2]) % 5000) + (found[1] is not None)}"
