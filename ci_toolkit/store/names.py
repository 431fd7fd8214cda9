"""What people call things in a store: a store path, the file or base of a package, the beginning of a checksum."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, NotReadyError

if TYPE_CHECKING:
    from ci_toolkit.store.index import StoredBuild
    from ci_toolkit.store.path_index import StoredPath
    from ci_toolkit.store.store_reader import StoreReader

_CHECKSUM = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What a name stands for: builds, the newest first, or store paths."""

    builds: tuple[StoredBuild, ...] = ()
    paths: tuple[StoredPath, ...] = ()


def meant(name: str, store: StoreReader) -> Meant:
    """What a name stands for; NotReadyError when it is nothing, ConfigError when it is too short to be one thing."""
    found = [entry for path in store.named(name) if (entry := store.entry(path)) is not None]
    if len(found) > 1:
        whole = " and ".join(str(entry.path) for entry in found)
        raise ConfigError(f"is a name in several stores: {whole}", key=name, hint="give the whole path")
    builds = store.builds_called(name)
    checksum = _CHECKSUM.fullmatch(name)
    if found or builds or checksum is None:
        if not found and not builds:
            hint = "ci-toolkit store ls shows what is; a checksum is given by 8 of its digits or more"
            raise NotReadyError("is not in the store", key=name, hint=hint)
        return Meant(builds=builds, paths=tuple(found))
    objects = store.objects_like(checksum[1])
    if len(objects) > 1:
        raise ConfigError("is the beginning of several checksums", key=name, hint="give more of it")
    if not objects:
        raise NotReadyError("is the checksum of nothing in the store", key=name, hint="ci-toolkit store ls --json")
    found_by_content = Meant(builds=store.makers(objects[0]), paths=store.entries_of(objects[0]))
    if found_by_content == Meant():
        raise NotReadyError("belongs to nothing any more", key=name, hint="ci-toolkit store gc removes it")
    return found_by_content
