"""One build with Nix: evaluated, built, and taken out of its store as one file, with all that it refers to."""

from __future__ import annotations

import platform
import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects.nix_root import FOLDER_PLACE, NEEDS_PLACE, OUT_PLACE, RECIPE_PLACE
from ci_toolkit.errors import ProcessError, UpstreamError
from ci_toolkit.formats.nix_hash import parse_nix_sha256
from ci_toolkit.formats.nix_value import format_nix_value
from ci_toolkit.formats.store_path import NIX_STORE, parse_store_path
from ci_toolkit.formats.terminal_text import without_sequences
from ci_toolkit.recipes.build import BuildEndedError, Failed
from ci_toolkit.recipes.nix.closures import check_closure, closure_of, closure_text
from ci_toolkit.recipes.nix.entry import EXPORT_SUFFIX, entry_of, given_arguments
from ci_toolkit.recipes.outputs import take_outputs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.nix_root import NixCaches, NixRoot
    from ci_toolkit.formats.nix_closure import ClosurePath
    from ci_toolkit.recipes.nix.entry import Need
    from ci_toolkit.recipes.nix.keys import NixKeys
    from ci_toolkit.recipes.recipe_run import RecipeRun

_ENTRY, _NEEDS = "entry.nix", "needs.nix"
_DERIVATION = re.compile(r"(?P<path>/nix/store/[^/!\s]+\.drv)(?:!(?P<output>[A-Za-z0-9+._?=-]+))?")
_ERROR = re.compile(r"^\s*error: (?P<what>\S.*)$", re.MULTILINE)
_PLACE = re.compile(r"at (?P<file>/build/\S+|/recipe/\S+|«stdin»|\(string\)):(?P<line>[0-9]+):[0-9]+")
_BUILDER = re.compile(r"builder for '(?P<path>[^']+)' failed with exit code (?P<status>[0-9]+)")
_TEXTS = ("«stdin»", "(string)")
_TAIL_BYTES = 1 << 16
_MOST_DERIVATIONS = 1_000
_AT_ONCE = 1_000
_QUERY_S = 300.0
_QUIET = "--no-gc-warning"
# What `nix eval` prints of an attribute of a flake: its derivation and the output that is meant.
_APPLIED = 'd: "${builtins.unsafeDiscardStringContext d.drvPath}!${d.outputName}"'


@dataclass(kw_only=True)
class NixBuild:
    """The steps in one root; each raises BuildEndedError or UpstreamError when there is no going on."""

    run: RecipeRun
    root: NixRoot
    keys: NixKeys
    files: Collection[str]
    needs: Sequence[Need]
    caches: NixCaches
    _tail: bytes = field(default=b"", repr=False)

    def export_to(self, path: Path) -> tuple[ClosurePath, ...]:
        """Put what was built, with all that it refers to, into a file; what is in it, which is as it should be.

        When it is not, the file may be there all the same.
        """
        run, root = self.run, self.root
        run.begin("evaluate")
        root.configure(network=run.network, caches=self.caches)
        self._say_how()
        self._import()
        derivations = self._instantiated()
        allowed = self._allowed(derivations)
        self._substitute(derivations)
        run.begin("build")
        self._stream(("nix-store", _QUIET, "--realise", *derivations), what="nix-store --realise", output="built")
        run.begin("collect")
        tops = self._lines("built", most=_MOST_DERIVATIONS)
        self._export(tops)
        self._take_to(path)
        closure = closure_of(path, limit_bytes=run.request.limits.disk_bytes)
        check_closure(closure, tops, allowed)
        run.note(closure_text(closure))
        return closure

    # before anything is built

    def _say_how(self) -> None:
        nested = "each builder is in a sandbox of Nix's own within ours"
        self.run.note(
            nested if self.root.is_nested else "builders are in our sandbox alone: Nix's own does not work within it"
        )
        limits = ", ".join(self.root.groups.limits) or "none can be had here"
        self.run.note(f"limits on all processes together: {limits}")

    def _import(self) -> None:
        """Lay what the folder needs into the store, or into a folder of its own."""
        for number, need in enumerate(self.needs):
            self.run.note(f"with {need.name}: {need.path.name}")
            if need.closure:
                name = f"{number}{EXPORT_SUFFIX}"
                shutil.copyfile(need.path, self.root.needs / name)
                words = ("nix-store", "--import")
                self._stream(words, what="nix-store --import", input_file=f"{NEEDS_PLACE}/{name}", output="imported")
            else:
                folder = self.root.needs / need.name
                folder.mkdir(mode=0o755, exist_ok=True)
                shutil.copyfile(need.path, folder / need.path.name)
                (folder / need.path.name).chmod(0o644)

    def _instantiated(self) -> list[str]:
        """The derivations with the output of each that is meant, `/nix/store/….drv!out`."""
        given = given_arguments(
            self.run.request.pkgbase, self.run.file.version, {need.name: need.value for need in self.needs}
        )
        entry = entry_of(self.keys, given, self.files, self.root.recipe)
        self._lay(_ENTRY, entry.text)
        self._parse(entry.parsed)
        if self.keys.flake is not None:
            self._evaluate_flake(self.keys.flake)
        else:
            self._evaluate(given)
        found = []
        for line in self._lines("derivations", most=_MOST_DERIVATIONS):
            match = _DERIVATION.fullmatch(line)
            if match is None:
                raise UpstreamError(f"Nix says {line[:200]!r}, and a derivation was expected")
            found.append(f"{match['path']}!{match['output'] or 'out'}")
        if not found:
            hint = "nix-build would make nothing of it either"
            raise UpstreamError("what was evaluated has no derivation, so there is nothing to build", hint=hint)
        return list(dict.fromkeys(found))

    def _parse(self, path: str | None) -> None:
        words = ("nix-instantiate", "--parse", *_search_words(), "--", "-" if path is None else path)
        self._stream(words, what="reading it", input_file=f"{RECIPE_PLACE}/{_ENTRY}", output="parsed")

    def _evaluate(self, given: Mapping[str, object]) -> None:
        words = ["nix-instantiate", _QUIET, *_search_words(), "--show-trace"]
        if self.keys.expression is not None:
            for name, value in given.items():
                self._lay(f"{name}.nix", format_nix_value(value))
                words += ["--arg", name, f"import {RECIPE_PLACE}/{name}.nix"]
        if self.keys.attribute is not None:
            words += ["--attr", self.keys.attribute]
        words += ["--", "-"]
        what = "evaluating it"
        self._stream(words, what=what, input_file=f"{RECIPE_PLACE}/{_ENTRY}", output="derivations")

    def _evaluate_flake(self, attribute: str) -> None:
        words = ["nix", "eval", "--log-format", "raw", "--raw", "--no-write-lock-file", "--no-update-lock-file"]
        if not self.run.network:
            words.append("--offline")
        words += ["--apply", _APPLIED, "--", f"path:{FOLDER_PLACE}#{attribute}"]
        self._stream(words, what="evaluating it", output="derivations")

    def _allowed(self, derivations: Sequence[str]) -> dict[str, str | None]:
        """What may be in the result: outputs of these derivations, and what is there already, with its digest."""
        plain = [derivation.partition("!")[0] for derivation in derivations]
        closure = self._asked("--requisites", plain)
        outputs = self._asked("--outputs", [path for path in closure if path.endswith(".drv")])
        there = [path for path in closure if not path.endswith(".drv")]
        digests = [parse_nix_sha256(text) for text in self._asked("--hash", there)]
        needed = {str(one.path): one.nar_sha256 for need in self.needs for one in need.closure}
        return {**dict.fromkeys(outputs), **dict(zip(there, digests, strict=True)), **needed}

    # building

    def _substitute(self, derivations: Sequence[str]) -> None:
        """Take from binary caches what is there, before the network is gone; nothing is built meanwhile."""
        if not self.caches.urls or self.run.network:
            return
        self.run.begin("fetch")
        self.run.note(f"looking into {', '.join(self.caches.urls)}")
        words = ("nix-store", _QUIET, "--realise", "--keep-going", "--max-jobs", "0", *derivations)
        ended = self.root.stream(
            words,
            timeout_s=self.run.left_s,
            take=lambda _: None,  # it complains of all that it may not build
            watch=self.run.watch,
            network=True,
            output_file=f"{OUT_PLACE}/substituted",
        )
        if ended.late or ended.reason:
            self.run.judge(ended, "looking into binary caches")

    def _export(self, tops: Sequence[str]) -> None:
        closure = self._asked("--requisites", tops)
        self._stream(("nix-store", "--export", *closure), what="nix-store --export", output="export")

    def _take_to(self, path: Path) -> None:
        (self.root.out / "export").rename(self.root.out / path.name)
        run = self.run
        take_outputs(
            self.root.out,
            path.parent,
            (path.name,),
            pkgbase=run.request.pkgbase,
            version=run.version,
            architecture=platform.machine(),
        )

    # running

    def _stream(self, words: Sequence[str], *, what: str, output: str, input_file: str = "/dev/null") -> None:
        """Run a program of Nix into the log; what it prints, and does not complain of, is in `output` then."""
        self._tail = b""
        ended = self.root.stream(
            words,
            timeout_s=self.run.left_s,
            take=self._take,
            watch=self.run.watch,
            network=self.run.network,
            input_file=input_file,
            output_file=f"{OUT_PLACE}/{output}",
        )
        if ended.late or ended.reason or ended.status == 0:
            self.run.judge(ended, what)
            return
        self.run.log.flush()
        status, reason = self._complaint(ended.status, what)
        raise BuildEndedError(Failed(phase=self.run.log.phase, status=status, reason=reason))

    def _take(self, chunk: bytes) -> None:
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        self.run.take(chunk)

    def _complaint(self, status: int | None, what: str) -> tuple[int | None, str]:
        """The status and the sentence that say most of how Nix failed."""
        said = without_sequences(self._tail.decode(errors="replace"))
        builder = _BUILDER.search(said)
        if builder:
            path = builder["path"].rpartition("/")[2].partition("-")[2].removesuffix(".drv")
            return int(builder["status"]), f"the builder of {path} failed"
        errors = list(_ERROR.finditer(said))
        if not errors:
            return status, f"{what} failed"
        return status, f"{_shown_place(said[errors[-1].end() :])}{errors[-1]['what'].strip()}"

    def _asked(self, query: str, paths: Sequence[str]) -> list[str]:
        """What nix-store says of paths, a line each, in the order of the paths; ProcessError becomes UpstreamError."""
        found: list[str] = []
        for part in _parts(paths):
            try:
                done = self.root.capture(
                    ("nix-store", "--query", query, "--", *part), timeout_s=min(_QUERY_S, self.run.left_s)
                )
            except ProcessError as error:
                raise UpstreamError(f"nix-store says nothing of what was made: {error.said}") from error
            found += done.stdout.decode(errors="replace").splitlines()
        return found if query == "--hash" else list(dict.fromkeys(found))

    def _lines(self, name: str, *, most: int) -> list[str]:
        """What a program printed, as store paths for the greater part; UpstreamError for too much."""
        path = self.root.out / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _TAIL_BYTES * 16:
            raise UpstreamError(f"Nix did not say which paths are {name}")
        lines = path.read_text(errors="replace").split()
        if len(lines) > most:
            raise UpstreamError(f"there are more than {most} {name} paths")
        for line in lines:
            parse_store_path(line.partition("!")[0], directory=NIX_STORE)
        return lines

    def _lay(self, name: str, text: str) -> None:
        path = self.root.recipe / name
        path.write_text(text)
        path.chmod(0o644)


def _search_words() -> list[str]:
    return [word for place in (FOLDER_PLACE, RECIPE_PLACE, NEEDS_PLACE, NIX_STORE) for word in ("-I", place)]


def _shown_place(said: str) -> str:
    """`file line N: ` of the first place that Nix names behind an error, which is where it is; the others led there."""
    place = _PLACE.search(said)
    if place is None:
        return ""
    name = place["file"].removeprefix(f"{FOLDER_PLACE}/").removeprefix(f"{RECIPE_PLACE}/")
    return f"{'expression' if name in _TEXTS else name} line {place['line']}: "


def _parts(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield paths[start : start + _AT_ONCE]
