"""`.ci/schedule.json`: a schedule, with the folders that it builds, on its way to the job of a pipeline that builds it.

{"form": 1, "request": …, "commit": …, "at": seconds since 1970,
 "builds": [["foo", null], ["bar", "3"]],                  in this order, with the builder class
 "deptree": "foo:foo:;bar:bar:foo",                        as in `.ci/deptree.txt`
 "remaining": null,                                        or every package that is left, when some were removed
 "priority": 0,                                            1 when somebody asked for it
 "folders": {"foo": {"tree": …, "epoch": …, "files": …}}}  files packed, in base64
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends.spec import PackageFolder
from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.deptree import format_deptree, parse_deptree
from ci_toolkit.formats.packed_folder import format_folder, parse_folder, unpacked_bytes
from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.config_keys import parse_builder
from ci_toolkit.model.names import Oid, Pkgbase, is_oid, parse_pkgbase
from ci_toolkit.scheduling.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEDULE_FILE = "schedule.json"
_FORM = 1
_LARGEST = (1 << 63) - 1  # what a database takes for a whole number
_HINT = "write and read it with the same version of ci-toolkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedSchedule:
    """A schedule that was made at `at_s`, seconds since 1970, and what it builds."""

    schedule: Schedule
    at_s: float
    folders: Mapping[Pkgbase, PackageFolder]

    def read(self, packages: Iterable[Pkgbase]) -> Mapping[Pkgbase, PackageFolder]:
        """The folders, as a backend asks for them."""
        return {name: self.folders[name] for name in packages}


def format_handed(handed: HandedSchedule) -> bytes:
    """The file."""
    schedule = handed.schedule
    record = {
        "form": _FORM,
        "request": schedule.request,
        "commit": schedule.commit,
        "at": handed.at_s,
        "builds": [[build.pkgbase, build.builder_class] for build in schedule.builds],
        "deptree": format_deptree(schedule.deptree).decode(),
        "remaining": schedule.remaining,
        "priority": schedule.priority,
        "folders": {name: _folder_record(folder) for name, folder in handed.folders.items()},
    }
    return json.dumps(record).encode() + b"\n"


def parse_handed(content: bytes, *, file: str, most_bytes: int | None = None) -> HandedSchedule:
    """What `format_handed` wrote; FormatError for anything else, and for folders of more than `most_bytes` unpacked."""
    try:
        handed = _handed(json.loads(content), most_bytes)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, ConfigError) as error:
        raise FormatError("is no schedule", file=file, hint=_HINT) from error
    except FormatError as error:
        raise error.located(file=file) from None
    unknown = {build.pkgbase for build in handed.schedule.builds} - handed.folders.keys()
    if unknown:
        raise FormatError(f"lacks the folder of {', '.join(sorted(unknown))}", file=file, hint=_HINT)
    return handed


def _handed(record: Mapping[str, Any], most_bytes: int | None) -> HandedSchedule:
    if record["form"] != _FORM:
        raise FormatError(f"is not {_FORM}", key="form", got=str(record["form"]), hint=_HINT)
    remaining = record["remaining"]
    schedule = Schedule(
        request=_text(record["request"]),
        commit=_oid(record["commit"]),
        builds=tuple(
            PendingBuild(pkgbase=parse_pkgbase(name), builder_class=None if builder is None else parse_builder(builder))
            for name, builder in record["builds"]
        ),
        deptree=parse_deptree(record["deptree"].encode()),
        remaining=None if remaining is None else tuple(parse_pkgbase(name) for name in remaining),
        priority=_whole(record.get("priority", 0)),
    )
    packed = {parse_pkgbase(name): _packed(one) for name, one in record["folders"].items()}
    if most_bytes is not None and sum(map(unpacked_bytes, packed.values())) > most_bytes:
        raise FormatError(f"have more than {most_bytes:,} bytes", key="folders")
    folders = {name: _folder(record["folders"][name], files) for name, files in packed.items()}
    at_s = float(record["at"])
    if not math.isfinite(at_s):
        raise FormatError("is no time", key="at", got=str(at_s))
    return HandedSchedule(schedule=schedule, at_s=at_s, folders=folders)


def _folder_record(folder: PackageFolder) -> dict[str, Any]:
    packed = base64.b64encode(format_folder(folder.files)).decode()
    return {"tree": folder.tree, "epoch": folder.epoch_s, "files": packed}


def _packed(record: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(record["files"], validate=True)
    except binascii.Error as error:
        raise FormatError("is damaged", key="a package folder that was to be built") from error


def _folder(record: Mapping[str, Any], packed: bytes) -> PackageFolder:
    return PackageFolder(tree=_oid(record["tree"]), epoch_s=_whole(record["epoch"]), files=parse_folder(packed))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or not -_LARGEST <= value <= _LARGEST:
        raise TypeError(value)
    return value


def _oid(text: Any) -> Oid:  # noqa: ANN401 - that is checked here
    if not isinstance(text, str) or not is_oid(text):
        raise FormatError("is no object of git", got=str(text))
    return Oid(text)
