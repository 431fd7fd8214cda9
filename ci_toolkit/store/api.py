"""The store as a library: what programs may use of it, described in docs/store.md; all else may change."""

from ci_toolkit.store.cache_folder import import_cache
from ci_toolkit.store.importing import Imported, add_tree, import_archive, import_export
from ci_toolkit.store.index import StoredBuild, StoredPackage
from ci_toolkit.store.object_store import ObjectStore, Output, Removal, open_store
from ci_toolkit.store.path_index import StoredPath
from ci_toolkit.store.store_reader import FaultKind, StoreFault, StoreReader, read_store
from ci_toolkit.store.unpacking import unpack

__all__ = [
    "FaultKind",
    "Imported",
    "ObjectStore",
    "Output",
    "Removal",
    "StoreFault",
    "StoreReader",
    "StoredBuild",
    "StoredPackage",
    "StoredPath",
    "add_tree",
    "import_archive",
    "import_cache",
    "import_export",
    "open_store",
    "read_store",
    "unpack",
]
