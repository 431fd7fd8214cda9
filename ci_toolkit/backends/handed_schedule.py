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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends.spec import PackageFolder
from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.deptree import format_deptree, parse_deptree
from ci_toolkit.formats.packed_folder import format_folder, parse_folder
from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.config_keys import parse_builder
from ci_toolkit.model.names import Oid, Pkgbase, is_oid, parse_pkgbase
from ci_toolkit.scheduling.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEDULE_FILE = "schedule.json"
_FORM = 1
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


def parse_handed(content: bytes, *, file: str) -> HandedSchedule:
    """What `format_handed` wrote; FormatError for anything else."""
    try:
        handed = _handed(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, ConfigError) as error:
        raise FormatError("is no schedule", file=file, hint=_HINT) from error
    except FormatError as error:
        raise error.located(file=file) from None
    unknown = {build.pkgbase for build in handed.schedule.builds} - handed.folders.keys()
    if unknown:
        raise FormatError(f"lacks the folder of {', '.join(sorted(unknown))}", file=file, hint=_HINT)
    return handed


def _handed(record: Mapping[str, Any]) -> HandedSchedule:
    if record["form"] != _FORM:
        raise FormatError(f"is not {_FORM}", key="form", got=str(record["form"]), hint=_HINT)
    remaining = record["remaining"]
    schedule = Schedule(
        request=str(record["request"]),
        commit=_oid(record["commit"]),
        builds=tuple(
            PendingBuild(pkgbase=parse_pkgbase(name), builder_class=builder and parse_builder(builder))
            for name, builder in record["builds"]
        ),
        deptree=parse_deptree(record["deptree"].encode()),
        remaining=None if remaining is None else tuple(parse_pkgbase(name) for name in remaining),
        priority=int(record.get("priority", 0)),
    )
    folders = {parse_pkgbase(name): _folder(one) for name, one in record["folders"].items()}
    return HandedSchedule(schedule=schedule, at_s=float(record["at"]), folders=folders)


def _folder_record(folder: PackageFolder) -> dict[str, Any]:
    packed = base64.b64encode(format_folder(folder.files)).decode()
    return {"tree": folder.tree, "epoch": folder.epoch_s, "files": packed}


def _folder(record: Mapping[str, Any]) -> PackageFolder:
    try:
        packed = base64.b64decode(record["files"], validate=True)
    except binascii.Error as error:
        raise FormatError("is damaged", key="a package folder that was to be built") from error
    return PackageFolder(tree=_oid(record["tree"]), epoch_s=int(record["epoch"]), files=parse_folder(packed))


def _oid(text: Any) -> Oid:  # noqa: ANN401 - that is checked here
    if not isinstance(text, str) or not is_oid(text):
        raise FormatError("is no object of git", got=str(text))
    return Oid(text)
