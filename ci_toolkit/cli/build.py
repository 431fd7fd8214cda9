"""`ci-toolkit build PKG|DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.cli.surface import Terminal, cache_folder
from ci_toolkit.errors import PackagesFailedError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAME = "build"
HELP = "build one package here, in a clean root without network, with packages that it needs"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("package", metavar="PKG|DIR", help="a package of the repository, or a folder")
    parser.add_argument(
        "--with",
        dest="dependencies",
        metavar="FILE",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        help="package files that are installed first",
    )
    parser.add_argument(
        "--assume",
        metavar="NAME",
        nargs="+",
        action="extend",
        default=[],
        help="packages that this machine has under another name",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("packages"), help="for packages (%(default)s)")
    parser.add_argument("--log", metavar="FILE", type=Path, help="the log (default: DIR/PKG.log)")
    parser.add_argument("--keep-failed", action="store_true", help="keep the folder of a build that fails, in DIR")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout, the log on stderr")
    status = PackagesFailedError.exit_status
    parser.epilog = f"Exit status: 0 built, or skipped on purpose; {status} it failed; others: it could not begin."


def run(options: Namespace, terminal: Terminal) -> int:
    """Build, print, and give the status."""
    # Both need more than `--help` should.
    from ci_toolkit.building.build_here import Wish, build_here  # noqa: PLC0415
    from ci_toolkit.reports.build_text import build_json, build_text  # noqa: PLC0415

    def show(line: str) -> None:
        terminal.stderr.write(line)
        terminal.stderr.flush()

    cwd = terminal.cwd
    wish = Wish(
        package=options.package,
        cwd=cwd,
        dependencies=tuple(cwd / path for path in options.dependencies),
        assumed=tuple(options.assume),
        out=(cwd / options.out).resolve(),
        log=cwd / options.log if options.log else None,
        keep_failed=options.keep_failed,
    )
    result = build_here(
        wish,
        environ=terminal.environ,
        clock=terminal.clock,
        redactor=terminal.redactor,
        cache=cache_folder(terminal.environ) or wish.out / ".cache",
        show=show,
    )
    terminal.say(build_json(result) if options.json else build_text(result))
    return PackagesFailedError.exit_status if result.is_failure else 0
