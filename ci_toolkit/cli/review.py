"""`ci-toolkit review PKG | OLD NEW`."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.cli.surface import Terminal, cache_folder, declare_repository, workshop_for
from ci_toolkit.effects.git_repository import open_repository
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import ConfigError, GitError
from ci_toolkit.model.names import is_pkgbase
from ci_toolkit.model.review_settings import ReviewSettings
from ci_toolkit.model.settings import SETTINGS_PATH
from ci_toolkit.pipelines.asked_review import review_of_package, review_of_sides
from ci_toolkit.pipelines.sides import NOTHING, Side, read_commit_side, read_folder_side
from ci_toolkit.pipelines.upstream_access import UpstreamAccess
from ci_toolkit.plugins import load_review_rules
from ci_toolkit.reports.review_text import review_json, review_text
from ci_toolkit.review.assessing import Judge

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.model.finding import ReviewVerdict
    from ci_toolkit.review.subject import ReviewSubject

NAME = "review"
HELP = "say what is dangerous in a new version of a package; nothing of it is run"

STATUSES: dict[ReviewVerdict, int] = {"minor": 0, "review": 3, "refuse": 4}


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument(
        "first",
        metavar="PKG | OLD",
        help="a package: its open review, else what the AUR has now; or the version before, see below",
    )
    parser.add_argument("second", metavar="NEW", nargs="?", help="the version to judge")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    parser.epilog = (
        "OLD and NEW are folders (./foo), folders in commits (main:foo), or commits of a package's own repository "
        "(HEAD~1). A folder alone (./foo) is judged as a new package. "
        "Exit status: 0 minor, 3 review, 4 refuse; others are errors."
    )
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Judge, print, and give the status that the verdict has."""
    subject = _subject(options, terminal)
    terminal.say(review_json(subject) if options.json else review_text(subject, terminal.surroundings))
    return STATUSES[subject.assessment.verdict]


def _subject(options: Namespace, terminal: Terminal) -> ReviewSubject:
    if options.second is not None:
        return _two_sides(options, terminal)
    name = options.first.rstrip("/")
    repository = _repository(options, terminal) if is_pkgbase(name) else None
    is_of_packages = repository is not None and _holds_packages(repository)
    if not is_pkgbase(name) or (name != options.first and not is_of_packages):
        return review_of_sides(NOTHING, read_folder_side(terminal.cwd / options.first), _usual_judge())
    with _cache(terminal) as cache:
        access = UpstreamAccess(
            environ=terminal.environ, clock=terminal.clock, processes=Processes(redactor=terminal.redactor), cache=cache
        )
        workshop = workshop_for(options, terminal) if is_of_packages else None
        with access:
            try:
                return review_of_package(name, workshop, access, load_review_rules())
            except ConfigError as error:
                is_folder = (terminal.cwd / name).is_dir()
                error.hint = error.hint or (f"write ./{name} for the folder" if is_folder else None)
                raise


def _two_sides(options: Namespace, terminal: Terminal) -> ReviewSubject:
    texts = (options.first, options.second)
    needs_git = not all((terminal.cwd / text).is_dir() for text in texts)
    repository = _repository(options, terminal) if needs_git else None
    folders = [text.partition(":")[2] for text in texts if ":" in text and not (terminal.cwd / text).is_dir()]
    common = next(filter(None, folders), None)
    old, new = (_side(text, common, repository, terminal.cwd) for text in texts)
    return review_of_sides(old, new, _usual_judge())


def _usual_judge() -> Judge:
    """All rules with their own severities: no repository's owner has a say in what is compared here."""
    return Judge.of(ReviewSettings(), load_review_rules())


def _side(text: str, common: str | None, repository: Repository | None, cwd: Path) -> Side:
    """What an argument stands for: a folder, or a commit with its own folder or the one of the other argument."""
    path = cwd / text
    revision, colon, folder = text.partition(":")
    if repository is None and revision and colon and not path.is_dir():
        raise ConfigError("there is no such folder, and no git repository here with such a commit", got=text)
    if path.is_dir() or text.startswith(("/", "./", "../")) or repository is None or not revision:
        return read_folder_side(path)
    if colon:
        return read_commit_side(repository, revision, folder)
    if repository.resolve(f"{text}^{{commit}}") is None and ("/" in text or path.exists()):
        return read_folder_side(path)
    return read_commit_side(repository, text, common)


def _repository(options: Namespace, terminal: Terminal) -> Repository | None:
    """The repository that is meant; None where there is none and none was asked for."""
    path = (options.repository or terminal.cwd).resolve()
    try:
        return open_repository(path, processes=Processes(redactor=terminal.redactor), environ=terminal.environ)
    except GitError:
        if options.repository:
            raise
        return None


def _holds_packages(repository: Repository) -> bool:
    """Whether it is a package repository, and not one of something else that somebody happens to be in."""
    settings = repository.top / SETTINGS_PATH if repository.top else None
    return (settings is not None and settings.is_file()) or repository.resolve(f"HEAD:{SETTINGS_PATH}") is not None


@contextmanager
def _cache(terminal: Terminal) -> Iterator[Path]:
    """The user's cache, or a passing one for those without a home."""
    folder = cache_folder(terminal.environ)
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-") as name:
        yield Path(name)
