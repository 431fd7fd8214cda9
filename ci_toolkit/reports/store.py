"""What is in a store, what is wrong in it, and what was brought or removed, for a person and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ci_toolkit.formats.byte_sizes import bytes_text
from ci_toolkit.formats.nix_hash import format_nix_sha256
from ci_toolkit.reports.jobs import moment
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.store.contents import BuildFacts, FaultFacts, PathFacts, Thing
    from ci_toolkit.store.importing import Imported
    from ci_toolkit.store.object_store import Removal

_MOST_LISTED = 20


def list_text(things: Sequence[Thing], *, objects: int, size_bytes: int) -> str:
    """One line a file or path, then what the store has."""
    return _lines(*map(_thing_line, things), _total(objects, size_bytes))


def _thing_line(thing: Thing) -> str:
    made = f"  job {thing.job}" if thing.job is not None else ""
    return f"{moment(thing.at_s)}  {bytes_text(thing.size_bytes):>8}  {one_line(thing.name)}{made}"


def list_json(things: Sequence[Thing], *, objects: int, size_bytes: int) -> str:
    """An object with `entries`, and what the store has."""
    entries = [
        {"name": one.name, "sha256": one.sha256, "size": one.size_bytes, "time": one.at_s, "job": one.job}
        for one in things
    ]
    return _json({"entries": entries, "objects": objects, "size": size_bytes})


def info_text(builds: Sequence[BuildFacts], paths: Sequence[PathFacts]) -> str:
    """A paragraph a build or path."""
    return "\n".join([*map(_build_text, builds), *map(_path_text, paths)])


def info_json(builds: Sequence[BuildFacts], paths: Sequence[PathFacts]) -> str:
    """An object with `builds` and `paths`."""
    return _json({"builds": [_build_record(one) for one in builds], "paths": [_path_record(one) for one in paths]})


def faults_text(faults: Sequence[FaultFacts], *, count: int, size_bytes: int, mended: bool) -> str:
    """One line a fault, then what the store has."""
    lines = [": ".join(filter(None, (_fault_line(one), ", ".join(map(one_line, one.names))))) for one in faults]
    if faults:
        done = "removed; what made them is built again when it is scheduled" if mended else "--mend removes them"
        lines.append(f"{len(faults)} {'object is' if len(faults) == 1 else 'objects are'} wrong: {done}")
    return _lines(*lines, _total(count, size_bytes))


def faults_json(faults: Sequence[FaultFacts], *, count: int, size_bytes: int, mended: bool) -> str:
    """An object: faults, whether they were mended, and what the store has."""
    rows = [
        {
            "sha256": one.fault.sha256,
            "fault": one.fault.kind.value,
            "size": one.fault.size_bytes,
            "names": list(one.names),
        }
        for one in faults
    ]
    return _json({"faults": rows, "mended": mended, "objects": count, "size": size_bytes})


def _fault_line(one: FaultFacts) -> str:
    return f"{one.fault.sha256}  {one.fault.kind.value}"


def removal_text(removal: Removal, labels: Mapping[str, str], *, objects: int, size_bytes: int, dry_run: bool) -> str:
    """What goes, one line each, how much that is, and what is left."""
    names = [*sorted(labels[identity] for identity in removal.builds), *removal.paths]
    lines = [f"- {name}" for name in names]
    if not names and not removal.objects:
        return _lines("nothing is to be removed", _total(objects, size_bytes))
    verb = "would be removed" if dry_run else "removed"
    builds = [_count(len(removal.builds), "build")] if removal.builds else []
    paths = [_count(len(removal.paths), "store path")] if removal.paths else []
    gone = ", ".join((*builds, *paths, _total(len(removal.objects), removal.size_bytes)))
    left = [] if dry_run else [f"what is left: {_total(objects, size_bytes)}"]
    return _lines(*lines, f"{verb}: {gone}", *left)


def removal_json(removal: Removal, labels: Mapping[str, str], *, objects: int, size_bytes: int, dry_run: bool) -> str:
    """An object: what goes, and what the store has."""
    return _json(
        {
            "dry_run": dry_run,
            "builds": [{"identity": one, "name": labels[one]} for one in removal.builds],
            "paths": list(removal.paths),
            "removed": {"objects": list(removal.objects), "size": removal.size_bytes},
            "objects": objects,
            "size": size_bytes,
        }
    )


def imported_text(imported: Sequence[Imported]) -> str:
    """One line a path, and how many were new."""
    new = sum(one.is_new for one in imported)
    known = len(imported) - new
    lines = [f"{one.path}{'' if one.is_new else '  was there already'}" for one in imported]
    return _lines(*lines, f"{_count(new, 'store path')} imported{f', {known} there already' if known else ''}")


def imported_json(imported: Sequence[Imported]) -> str:
    """An object with `paths`."""
    return _json({"paths": [{"path": str(one.path), "new": one.is_new} for one in imported]})


def _build_text(facts: BuildFacts) -> str:
    build = facts.build
    files = [
        f"  {bytes_text(size):>8}  {one_line(one.file)}  {one.sha256}"
        for one, size in zip(build.packages, facts.sizes, strict=True)
    ]
    with_ = [f"{name} {version}" for _, name, version in build.built_with]
    return _lines(
        f"{build.pkgbase} (job {build.job}, {moment(build.built_at_s)} UTC)",
        *files,
        f"  built with  {_few(with_) or 'nothing that was noted'}",
        f"  identity    {build.identity}",
    )


def _path_text(facts: PathFacts) -> str:
    entry = facts.entry
    references = [str(one) for one in entry.references if one != entry.path]
    return _lines(
        str(entry.path),
        f"  stored       {moment(entry.stored_at_s)} UTC",
        f"  archive      {bytes_text(entry.size_bytes)}, {format_nix_sha256(entry.sha256)}",
        f"  deriver      {entry.deriver or 'not known'}",
        f"  signed by    {', '.join(one.key_name for one in entry.signatures) or 'nobody'}",
        f"  closure      {_count(len(facts.closure), 'store path')}, {bytes_text(facts.closure_bytes)}",
        f"  refers to    {_count(len(references), 'other')}",
        *(f"    {path}" for path in references),
        f"  referred by  {_count(len(facts.referrers), 'other')}",
        *(f"    {path}" for path in facts.referrers),
    )


def _build_record(facts: BuildFacts) -> dict[str, object]:
    build = facts.build
    return {
        "identity": build.identity,
        "package": build.pkgbase,
        "job": build.job,
        "time": build.built_at_s,
        "files": [
            {"file": one.file, "name": one.name, "version": one.version, "sha256": one.sha256, "size": size}
            for one, size in zip(build.packages, facts.sizes, strict=True)
        ],
        "built_with": [{"base": base, "name": name, "version": version} for base, name, version in build.built_with],
    }


def _path_record(facts: PathFacts) -> dict[str, object]:
    entry = facts.entry
    return {
        "path": str(entry.path),
        "time": entry.stored_at_s,
        "sha256": entry.sha256,
        "nar_hash": format_nix_sha256(entry.sha256),
        "size": entry.size_bytes,
        "deriver": str(entry.deriver) if entry.deriver else None,
        "signatures": [str(one) for one in entry.signatures],
        "references": [str(one) for one in entry.references],
        "referrers": list(facts.referrers),
        "closure": list(facts.closure),
        "closure_size": facts.closure_bytes,
    }


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_LISTED])
    return shown if len(names) <= _MOST_LISTED else f"{shown} and {len(names) - _MOST_LISTED:,} more (--json has all)"


def _total(count: int, size_bytes: int) -> str:
    return f"{_count(count, 'object')}, {bytes_text(size_bytes)}"


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
