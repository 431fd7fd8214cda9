"""A schedule with its folders as messages of the build service, none of them large, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.backends.build_service import build_service_pb2 as pb
from ci_toolkit.backends.handed_schedule import HandedSchedule
from ci_toolkit.backends.spec import PackageFolder
from ci_toolkit.errors import FormatError
from ci_toolkit.formats.deptree import DeptreeRecord, format_deptree, parse_deptree
from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.config_keys import parse_builder
from ci_toolkit.model.names import Oid, Pkgbase, is_oid, parse_pkgbase
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.scheduling.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_PART_BYTES = 1 << 20
_SEPARATORS = frozenset(":;,")  # of dependency trees, as they are kept
_PART_BYTES = 100  # what a part takes beside its content and its path
_FILE = "the schedule"


def schedule_messages(handed: HandedSchedule, *, repository: str, source: str) -> Iterator[pb.SubmitScheduleRequest]:
    """The messages in which a schedule is handed in."""
    yield pb.SubmitScheduleRequest(schedule=_head(handed, repository, source))
    for package, folder in handed.folders.items():
        for path, file in folder.files.items():
            for content in _pieces(file.content):
                name = path.encode(errors="surrogateescape")
                part = pb.FilePart(package=package, path=name, mode=file.mode, content=content)
                yield pb.SubmitScheduleRequest(file=part)


def _head(handed: HandedSchedule, repository: str, source: str) -> pb.Schedule:
    schedule = handed.schedule
    remaining = None if schedule.remaining is None else pb.RemainingPackages(packages=schedule.remaining)
    return pb.Schedule(
        repository=repository,
        source=source,
        request=schedule.request,
        commit=schedule.commit,
        made_at_s=handed.at_s,
        builds=[
            pb.Build(
                package=build.pkgbase,
                builder_class=build.builder_class,
                tree=handed.folders[build.pkgbase].tree,
                changed_at_s=handed.folders[build.pkgbase].epoch_s,
            )
            for build in schedule.builds
        ],
        tree=[
            pb.PackageNeeds(package=one.pkgbase, provides=one.names, needs=one.dependencies) for one in schedule.deptree
        ],
        remaining=remaining,
        priority=schedule.priority,
    )


def _pieces(content: bytes) -> Iterator[bytes]:
    yield content[:MOST_PART_BYTES]
    for start in range(MOST_PART_BYTES, len(content), MOST_PART_BYTES):
        yield content[start : start + MOST_PART_BYTES]


@dataclass(slots=True)
class ScheduleReader:
    """Puts a schedule together whose first message was `head`; `size_bytes` is what it takes by now."""

    head: pb.Schedule
    size_bytes: int = 0
    _files: dict[str, dict[str, tuple[str, list[bytes]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.size_bytes = self.head.ByteSize()
        self._files = {build.package: {} for build in self.head.builds}

    def add(self, message: pb.SubmitScheduleRequest) -> None:
        """Take one of the messages that follow; FormatError for one that has no place here."""
        if message.WhichOneof("part") != "file":
            raise FormatError("begins once more", file=_FILE, hint="only the first message has the schedule itself")
        part = message.file
        files = self._files.get(part.package)
        if files is None:
            raise FormatError("has a file of a package that it does not build", file=_FILE, got=part.package)
        path = part.path.decode(errors="surrogateescape")
        mode, pieces = files.setdefault(path, (part.mode, []))
        if mode != part.mode:
            raise FormatError("has a file of two modes", file=_FILE, got=path)
        pieces.append(part.content)
        self.size_bytes += len(part.content) + len(part.path) + _PART_BYTES

    def handed(self) -> HandedSchedule:
        """The schedule; FormatError or ConfigError for what is none."""
        head = self.head
        if not math.isfinite(head.made_at_s):
            raise FormatError("was made at no time", file=_FILE, key="made_at_s")
        remaining = tuple(map(parse_pkgbase, head.remaining.packages)) if head.HasField("remaining") else None
        schedule = Schedule(
            request=head.request,
            commit=_oid(head.commit),
            builds=tuple(
                PendingBuild(
                    pkgbase=parse_pkgbase(build.package),
                    builder_class=parse_builder(build.builder_class) if build.HasField("builder_class") else None,
                )
                for build in head.builds
            ),
            deptree=_deptree(head.tree),
            remaining=remaining,
            priority=head.priority,
        )
        folders = {Pkgbase(build.package): self._folder(build) for build in head.builds}
        return HandedSchedule(schedule=schedule, at_s=head.made_at_s, folders=folders)

    def _folder(self, build: pb.Build) -> PackageFolder:
        files = {
            path: UpstreamFile(mode=mode, content=b"".join(pieces))
            for path, (mode, pieces) in self._files[build.package].items()
        }
        return PackageFolder(tree=_oid(build.tree), epoch_s=build.changed_at_s, files=files)


def _deptree(messages: Iterable[pb.PackageNeeds]) -> tuple[DeptreeRecord, ...]:
    records = []
    for one in messages:
        # Kept as text, in which these would begin another name, another package even.
        for name in (*one.provides, *one.needs):
            if not name or not _SEPARATORS.isdisjoint(name):
                raise FormatError("has a name that no dependency tree can have", file=_FILE, key="tree", got=name)
        record = DeptreeRecord(
            pkgbase=parse_pkgbase(one.package), names=tuple(one.provides), dependencies=tuple(one.needs)
        )
        records.append(record)
    return parse_deptree(format_deptree(records))


def _oid(text: str) -> Oid:
    if not is_oid(text):
        raise FormatError("names what is no object of git", file=_FILE, got=text)
    return Oid(text)
