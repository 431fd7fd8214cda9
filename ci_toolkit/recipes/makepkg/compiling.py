"""ccache in builds: who gets it, and where it keeps what it compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.effects.compiler_cache import LARGEST_GIB
from ci_toolkit.effects.sandbox import BASE_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.formats.srcinfo import SrcInfo

CACHE_PLACE = "/ccache"
_OF_THIS_BUILD = "/tmp/ccache"  # noqa: S108 - its own
# Where Arch and Debian have links to ccache with the names of compilers.
_COMPILERS = "/usr/lib/ccache/bin:/usr/lib/ccache"


def wants_ccache(srcinfo: SrcInfo, *, default: bool) -> bool:
    """Whether to compile with ccache: as the PKGBUILD's options say, which may be `ccache` or `!ccache`."""
    said = [option == "ccache" for option in srcinfo.base.values("options") if option in ("ccache", "!ccache")]
    return said[-1] if said else default


def ccache_variables(root: BuildRoot) -> Mapping[str, str]:
    """What makes a build compile with ccache, if it is there; without a kept cache it has one that ends with it."""
    return {
        "PATH": f"{_COMPILERS}:{BASE_VARIABLES['PATH']}",
        "CCACHE_DIR": CACHE_PLACE if CACHE_PLACE in root.writable else _OF_THIS_BUILD,
        "CCACHE_MAXSIZE": f"{LARGEST_GIB}G",
    }
