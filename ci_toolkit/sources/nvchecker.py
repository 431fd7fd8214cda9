"""nvchecker: packages that say with `CI_NVCHECKER=true` that it knows where their versions are.

Its process runs in the sandbox with the network on, one for all packages of the same kind of check: its configuration
comes from package folders, and some of its checks run commands. Those (`cmd`) are the owner's only, each in a sandbox
of its own, so that none can speak for another package. No token is ever given to it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ci_toolkit.effects.sandbox import Limits, Program
from ci_toolkit.errors import FormatError, ProcessError, UpstreamError
from ci_toolkit.formats.nvchecker import CONFIG_FILES, CheckerAnswer, format_entries, parse_answers, parse_entry
from ci_toolkit.formats.version import compare_versions, is_version_text
from ci_toolkit.model.names import Oid, is_oid
from ci_toolkit.model.observation import Absent, CouldNotAsk, NewVersion, SourceOutcome, SourceReport, Unmoved
from ci_toolkit.model.observation import UpstreamFile as File

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.sources.spec import SourceRequest, SourceTools

_CONFIG = "nvchecker.toml"
_COMMAND = "cmd"
_LIMITS = Limits(time_s=180.0, output_bytes=16 << 20, file_bytes=16 << 20)
_STATUSES = (0, 1, 3)
_REVIEW = "nvchecker's updates are looked at (CI_NVCHECKER_REVIEW)"

Entry = dict[str, Any]


class NvcheckerSource:
    """Versions that nvchecker finds."""

    name: ClassVar[str] = "nvchecker"

    def accepts(self, text: str) -> bool:
        """The word `nvchecker`, which stands for `CI_NVCHECKER=true`."""
        return text == self.name

    def observe(self, requests: Sequence[SourceRequest], tools: SourceTools) -> SourceReport:
        """Ask in groups that one bad entry cannot spoil for others."""
        if find_spec("nvchecker") is None:
            reason = "nvchecker is not installed; install ci-toolkit[nvchecker]"
            return SourceReport(outcomes={request.pkgbase: CouldNotAsk(reason=reason) for request in requests})
        by_name = {request.pkgbase: request for request in requests}
        outcomes: dict[Pkgbase, SourceOutcome | NewVersion] = {}
        groups: dict[tuple[str, ...], dict[str, Entry]] = {}
        contents = tools.read_blobs(file.oid for request in requests if (file := _file(request)))
        for request in requests:
            try:
                entry = _entry(request, contents)
            except FormatError as error:
                outcomes[request.pkgbase] = CouldNotAsk(reason=error.what_and_where)
            else:
                kind = str(entry["source"])
                alone = (kind, request.pkgbase) if kind == _COMMAND else (kind,)
                groups.setdefault(alone, {})[request.pkgbase] = entry
        for answers in tools.pool.map(lambda entries: _ask(entries, tools), groups.values()):
            for name, answer in answers.items():
                request = by_name[name]  # type: ignore[index]  # the names are those that were put in
                outcomes[request.pkgbase] = _outcome(request, answer, tools)
        for request in requests:
            tools.done(request.pkgbase)
        return SourceReport(outcomes=outcomes)


def _file(request: SourceRequest) -> Any:  # noqa: ANN401 - a FolderFile or None
    return next((request.package.files[name] for name in CONFIG_FILES if name in request.package.files), None)


def _entry(request: SourceRequest, contents: Mapping[Oid, bytes]) -> Entry:
    file = _file(request)
    if file is None or file.oid not in contents:
        raise FormatError(f"there is neither {' nor '.join(CONFIG_FILES)}", file=request.pkgbase)
    entry = parse_entry(contents[file.oid], name=request.pkgbase, file=f"{request.pkgbase}/{CONFIG_FILES[0]}")
    if entry["source"] == _COMMAND and request.package.config.source not in (None, "custom"):
        raise FormatError("has a command, which is run for packages with source custom only", file=request.pkgbase)
    return entry


def _ask(entries: Mapping[str, Entry], tools: SourceTools) -> dict[str, CheckerAnswer]:
    """An answer for each entry; where a process ends without speaking of some, those are asked again one by one."""
    answers, failure = _run(entries, tools)
    silent = {name: entry for name, entry in entries.items() if name not in answers}
    for name, entry in silent.items():
        if len(entries) > 1:
            alone, failure = _run({name: entry}, tools)
            answers.update(alone)
        answers.setdefault(name, CheckerAnswer(reason=failure or "it says nothing of this package"))
    return {name: answers[name] for name in entries}


def _run(entries: Mapping[str, Entry], tools: SourceTools) -> tuple[dict[str, CheckerAnswer], str]:
    words = (sys.executable, "-I", "-m", "nvchecker", "-c", _CONFIG, "--logger=json", "--failures")
    readable = tuple(Path(path) for path in dict.fromkeys((sys.prefix, sys.base_prefix)) if not path.startswith("/usr"))
    program = Program(
        words=words,
        network=True,
        readable=readable,
        limits=_LIMITS,
        statuses=_STATUSES,
        variables={"GIT_ALLOW_PROTOCOL": "https:http:git"},
    )
    try:
        file = File(mode="100644", content=format_entries(entries))
        done = tools.sandbox.run(program, {_CONFIG: file}).completed
    except (ProcessError, UpstreamError, FormatError) as error:
        return {}, error.what
    answers = {name: answer for name, answer in parse_answers(done.stdout).items() if name in entries}
    return answers, done.complaint


def _outcome(request: SourceRequest, answer: CheckerAnswer, tools: SourceTools) -> SourceOutcome | NewVersion:
    if answer.version is None:
        return CouldNotAsk(reason=f"nvchecker: {answer.reason}")
    srcinfo = request.package.srcinfo
    if srcinfo is None:
        return CouldNotAsk(reason="without .SRCINFO there is no version to compare with")
    version = answer.version.removeprefix("v")
    if not is_version_text(version) or ".." in version:
        return CouldNotAsk(reason=f"nvchecker finds {answer.version[:80]!r}, which is no version")
    commit = Oid(answer.revision) if answer.revision and is_oid(answer.revision) else None
    revision = f"{version}:{commit}" if commit else version
    if revision == request.revision:
        return Unmoved()
    step = compare_versions(version, srcinfo.pkgver)
    if step == 0:
        return Unmoved(revision=revision)
    if step < 0:
        return Absent(reason=f"nvchecker finds {version}, which is older than {srcinfo.pkgver}")
    review = _REVIEW if tools.settings.nvchecker_review else None
    return NewVersion(version=version, revision=revision, commit=commit, review=review)
