"""The page that people see of a plain directory: what there is, and how it is verified. It needs no script."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from ci_toolkit.formats.byte_sizes import bytes_text

if TYPE_CHECKING:
    from ci_toolkit.publishers.kept_ledger import KeptLedger, KeptPackage

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #8886; padding: .4rem .6rem; text-align: left; vertical-align: top; }}
th, td:not(:last-child) {{ white-space: nowrap; }}
div {{ overflow-x: auto; }}
code, pre {{ font-size: .85em; overflow-wrap: anywhere; white-space: pre-wrap; }}
</style>
</head>
<body>
<h1>{name}</h1>
<div><table>
<thead><tr><th>File</th><th>Version</th><th>Size</th><th>Published (UTC)</th><th>SHA-256</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
<h2>Verifying a download</h2>
<p>Files are signed with the key <code>{fingerprint}</code>. Compare it with what its owner says elsewhere. For one
version, fetch its <code>SHA256SUMS</code> and <code>SHA256SUMS.sig</code> from the folder of the file, too:</p>
<pre>gpg --import {key}
gpg --verify SHA256SUMS.sig SHA256SUMS
sha256sum --check --ignore-missing SHA256SUMS</pre>
<p><a href="./{key}">the key</a>, <a href="./SHA256SUMS">checksums of everything</a> and
<a href="./SHA256SUMS.sig">their signature</a>, <a href="./index.json">the list for programs</a></p>
</body>
</html>
"""
_ROW = (
    '<tr><td><a href="./{path}">{file}</a></td><td>{version}</td><td>{size}</td><td>{date}</td>'
    "<td><code>{sha256}</code></td></tr>"
)


def index_page(ledger: KeptLedger, *, name: str, key: str, fingerprint: str) -> bytes:
    """The page of what is published, of repository `name`; `key` is the file of the public key."""
    rows = "\n".join(_row(package) for package in ledger.packages.values())
    return _PAGE.format(name=escape(name), rows=rows, key=escape(key), fingerprint=escape(fingerprint)).encode()


def _row(package: KeptPackage) -> str:
    return _ROW.format(
        path=escape(quote(package.facts["path"])),
        file=escape(package.file),
        version=escape(package.version),
        size=bytes_text(package.size_bytes),
        date=datetime.fromtimestamp(package.published_at, UTC).strftime("%Y-%m-%d %H:%M"),
        sha256=package.sha256,
    )
