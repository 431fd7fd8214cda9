"""Every configuration key, declared once: its scope, the shape of its value, its default and what it means.

Validation, typed configuration and documentation are made from these tables (source: the bash template's own keys, kept
as they are, and ci-toolkit's additions, which say so).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import nearest
from ci_toolkit.model.news import NewsKind


class Shape(Enum):
    """What a value must look like."""

    TEXT = "text"
    BOOLEAN = "true or false"
    COUNT = "a whole number"
    NAMES = "names separated by colons"
    WORDS = "words separated by blanks"
    COMMAS = "words separated by commas"
    PATTERN = "a regular expression"
    PATTERNS = "regular expressions separated by semicolons"
    BUILDER = "a whole number of at least 1, or a builder's name"
    REPOSITORY = "a repository name of a-z 0-9 _ . + -"
    URL = "a URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: `default` is the text a missing key stands for, None where missing means nothing."""

    name: str
    shape: Shape
    default: str | None
    meaning: str


def _table(*rows: tuple[str, Shape, str | None, str]) -> dict[str, Key]:
    return {
        name: Key(name=name, shape=shape, default=default, meaning=meaning) for name, shape, default, meaning in rows
    }


PACKAGE_KEYS = _table(
    (
        "CI_PKGBUILD_SOURCE",
        Shape.TEXT,
        None,
        "where updates come from: aur, custom, a git URL, gitlab:, github: or gitea:",
    ),
    ("CI_PACKAGE_BUMP", Shape.TEXT, None, "[epoch:]pkgver-pkgrel/N builds that very version with pkgrel.N"),
    ("CI_REBUILD_TRIGGERS", Shape.NAMES, None, "packages whose new version rebuilds this one"),
    ("CI_ON_TRIGGER", Shape.TEXT, None, "build only in pipelines that run with this TRIGGER"),
    ("CI_MANAGE_AUR", Shape.BOOLEAN, "false", "push the package to the AUR after a change"),
    ("CI_NVCHECKER", Shape.BOOLEAN, "false", "ask nvchecker for new versions"),
    ("CI_PKGBUILD_CHANGE_ALLOW_REGEX", Shape.PATTERNS, None, "changed lines that need no review"),
    ("CI_FORCE_VCS", Shape.BOOLEAN, "false", "follow the VCS head although the name does not end in -git"),
    # Additions of ci-toolkit.
    ("CI_TAG_FILTER", Shape.PATTERN, None, "tags that count; a group in it is the version"),
    ("CI_RELEASES_ONLY", Shape.BOOLEAN, "false", "only tags with a published release that is no pre-release count"),
    ("CI_VCS_SOURCES", Shape.TEXT, "first", "which VCS sources are followed: first or all"),
    # The build's keys.
    ("BUILDER_CACHE_SOURCES", Shape.BOOLEAN, "false", "keep downloaded sources between builds"),
    ("BUILDER_CLASS", Shape.BUILDER, None, "the least class, or the name, of the builder"),
    ("BUILDER_EXTRA_TIMEOUT", Shape.COUNT, "1", "factor on the builder's timeout"),
    ("BUILDER_NETWORK", Shape.BOOLEAN, "false", "the package's own code may use the network while it is built"),
    ("BUILDER_ALLOW_PROHIBITED", Shape.BOOLEAN, "false", "keep replaces and groups in the built package"),
)

REPOSITORY_KEYS = _table(
    ("REPO_NAME", Shape.REPOSITORY, "chaotic-aur", "the target repository's name"),
    ("BUILD_REPO", Shape.REPOSITORY, "chaotic-aur", "the source repository's name in the build backend"),
    ("GIT_AUTHOR_NAME", Shape.TEXT, "ci-toolkit", "name on automated commits"),
    ("GIT_AUTHOR_EMAIL", Shape.TEXT, "ci-toolkit@localhost", "address on automated commits"),
    ("REDIS_SSH_HOST", Shape.TEXT, "localhost", "SSH host in front of the manager's Redis"),
    ("REDIS_SSH_PORT", Shape.COUNT, "22", "its SSH port"),
    ("REDIS_SSH_USER", Shape.TEXT, "redis", "its SSH user"),
    ("REDIS_PORT", Shape.COUNT, "6379", "the port of Redis itself"),
    ("CI_HUMAN_REVIEW", Shape.BOOLEAN, "false", "changes beyond version, release and checksums are reviewed"),
    ("CI_HUMAN_REVIEW_ASSIGNEE", Shape.TEXT, None, "who is assigned to reviews"),
    ("CI_NVCHECKER_REVIEW", Shape.BOOLEAN, "true", "review every nvchecker update"),
    ("CI_MANAGE_AUR", Shape.BOOLEAN, "false", "push packages to the AUR at all"),
    ("CI_OVERWRITE_COMMITS", Shape.BOOLEAN, "false", "amend the previous automated commit"),
    ("CI_CLONE_DELAY", Shape.COUNT, "0", "seconds between requests to one upstream host"),
    ("CI_AUR_PROXY", Shape.URL, None, "HTTP(S) proxy for AUR requests"),
    ("CI_LIB_DB", Shape.WORDS, None, "URLs of pacman databases whose versions are watched"),
    ("CI_REBUILD_TRIGGERS", Shape.NAMES, None, "packages whose new version rebuilds everything"),
    ("CI_REBUILD_BLACKLIST", Shape.NAMES, None, "packages that never trigger a rebuild"),
    ("CI_DEFAULT_CLASS", Shape.BUILDER, None, "builder class of packages without one"),
    ("CI_CODE_SKIP", Shape.COUNT, "123", "exit status of a build hook that means: skip on purpose"),
    ("CI_MAX_PARALLEL", Shape.COUNT, "8", "upper bound on parallel upstream work"),
    ("TEMPLATE_ENABLE_UPDATES", Shape.BOOLEAN, "true", "keep the CI files current"),
    ("TEMPLATE_REPO", Shape.URL, None, "where the CI files come from, by default the project that they name"),
    # Additions of ci-toolkit.
    ("TEMPLATE_UPDATES", Shape.TEXT, "review", "what becomes of a new version of the CI files: review or commit"),
    ("CI_BACKEND", Shape.TEXT, "chaotic_manager", "which build backend takes schedules"),
    ("CI_FARM_URL", Shape.URL, None, "the farm's address; with CI_BACKEND=build_service that of its build service"),
    ("CI_FARM_CA", Shape.TEXT, None, "a file with the certificate authority of the farm"),
    ("CI_MANAGER_URL", Shape.URL, None, "the address of the chaotic-manager's web pages, which tell of its queue"),
    (
        "CI_MANAGER_REPOSITORIES",
        Shape.WORDS,
        None,
        "the repositories that the chaotic-manager knows; no others are sent",
    ),
    (
        "CI_FORGE",
        Shape.TEXT,
        "auto",
        "where reviews are shown: gitlab, github, gitea, local (as branches alone), or auto, the CI job's own service",
    ),
    ("CI_FORGE_URL", Shape.URL, None, "the forge's address, by default the one that the CI service tells"),
    ("CI_FORGE_PROJECT", Shape.TEXT, None, "the project's number or path there, by default the CI service's"),
    ("CI_FORGE_CA", Shape.TEXT, None, "a file with the certificates that the forge's is checked against"),
    ("CI_REVIEW_LABELS", Shape.COMMAS, "ci,human-review,update", "labels of new reviews"),
    ("CI_REVIEW_REVIEWERS", Shape.COMMAS, None, "who is asked to review"),
    ("CI_REVIEW_DRAFT", Shape.BOOLEAN, "false", "new reviews are drafts"),
    (
        "CI_REVIEW_AUTO_MERGE",
        Shape.TEXT,
        None,
        "reviews up to this severity (low, medium or high) are merged once their pipeline has passed",
    ),
    ("CI_DASHBOARD", Shape.BOOLEAN, "false", "keep an issue that shows open reviews and failing upstreams"),
    (
        "CI_AUR_METADATA_URL",
        Shape.URL,
        "https://aur.archlinux.org/packages-meta-ext-v1.json.gz",
        "the AUR's metadata dump",
    ),
    ("CI_AUR_GIT_URL", Shape.URL, "https://github.com/archlinux/aur.git", "the AUR's mirror, a branch per pkgbase"),
    (
        "CI_AUR_API_URL",
        Shape.URL,
        "https://aur.archlinux.org/rpc/v5/info",
        "asked for single packages without the dump",
    ),
    ("CI_AUR_PUSH_URL", Shape.URL, "ssh://aur.archlinux.org", "where packages are pushed to, as URL/<pkgbase>.git"),
    (
        "CI_AUR_KNOWN_HOSTS",
        Shape.TEXT,
        None,
        "a file with the host keys of CI_AUR_PUSH_URL, by default the published ones of aur.archlinux.org",
    ),
    ("CI_GITHUB_URL", Shape.URL, "https://github.com", "the GitHub whose API is used with a token, and for github:"),
    ("CI_SANDBOX", Shape.TEXT, "auto", "where strangers' code runs: auto, bubblewrap, user, or none at all"),
    ("CI_ALLOW_LOCAL_UPSTREAMS", Shape.BOOLEAN, "false", "upstreams may be on private or loopback addresses, or files"),
    ("CI_REVIEW_COOLDOWN", Shape.COUNT, "0", "hours that a new AUR revision must have been public before it is taken"),
    ("CI_BUILD_TIMEOUT", Shape.COUNT, "1800", "seconds that a build may take, times BUILDER_EXTRA_TIMEOUT"),
    ("CI_BUILD_TIMEOUT_MAX", Shape.COUNT, "3600", "the most seconds that `timeout` in .CI/recipe.toml may say"),
    ("CI_BUILD_MEMORY", Shape.COUNT, "8192", "MiB of memory that a build may use"),
    ("CI_BUILD_DISK", Shape.COUNT, "32768", "MiB that a build may write"),
    (
        "CI_BUILD_ROOT",
        Shape.TEXT,
        None,
        "what packages are built in: a folder with an Arch system, oci: and an image of one; without it, this machine",
    ),
    (
        "CI_BUILD_CCACHE",
        Shape.BOOLEAN,
        "false",
        "compile with ccache, and keep what each package compiled for its next build alone",
    ),
    (
        "CI_KEEP_FAILED",
        Shape.BOOLEAN,
        "false",
        "keep the folder of a package's last failed build, packed, in the cache for CI_LOG_DAYS; its log says where",
    ),
    ("CI_BUILD_SLOTS", Shape.COUNT, "0", "builds at once on this machine; 0: by its processors and memory"),
    (
        "CI_BUILD_ASSUME",
        Shape.WORDS,
        None,
        "packages that this machine has under another name, for builds with its tools",
    ),
    (
        "CI_CLASS_LIMITS",
        Shape.WORDS,
        None,
        "CLASS:N at most N builds of that class or higher, or of the builder of that name, at once here; 0: none",
    ),
    (
        "CI_PUBLISH_DIR",
        Shape.TEXT,
        None,
        "the folder that the local backend publishes, below the user's data by default",
    ),
    (
        "CI_FILES_DIR",
        Shape.TEXT,
        None,
        "where plain files are published, as its folder `current`; below the user's data by default",
    ),
    (
        "CI_OCI_REGISTRY",
        Shape.TEXT,
        None,
        "where images are pushed: HOST[:PORT][/NAMESPACE]; http:// is for a plain one",
    ),
    ("CI_OCI_FALLBACK", Shape.TEXT, None, "where they are pushed while that registry cannot be reached"),
    ("CI_OCI_CA", Shape.TEXT, None, "a file with the certificates that those of both are checked against"),
    ("CI_ARCHIVE_DAYS", Shape.COUNT, "14", "days that packages are kept for going back once they are not published"),
    ("CI_LOG_DAYS", Shape.COUNT, "90", "days that jobs and their logs are kept, but for a package's last one"),
    (
        "CI_NIX_CACHE",
        Shape.TEXT,
        None,
        "where closures of Nix are published: a folder, or a server that keeps what is PUT there",
    ),
    ("CI_NIX_COMPRESSION", Shape.TEXT, "zstd", "how they are packed there: zstd, xz or none"),
    ("CI_BUILDS_URL", Shape.URL, None, "where people read of builds: the farm's pages, or those of builds report"),
    (
        "CI_NOTIFY",
        Shape.WORDS,
        None,
        "who is told of builds: commit_status, mail, matrix, telegram, webhook, or what plugins add",
    ),
    (
        "CI_NOTIFY_ON",
        Shape.WORDS,
        "failure timeout recovery worker",
        "what they are told of: success, failure, first-failure, timeout, recovery, removal, worker",
    ),
    ("CI_NOTIFY_INTERVAL", Shape.COUNT, "60", "seconds between two messages of one notifier"),
    (
        "CI_NOTIFY_PROJECTS",
        Shape.WORDS,
        None,
        "BUILD_REPO:PROJECT where commits of that source are marked, by default CI_FORGE_PROJECT those of BUILD_REPO",
    ),
    ("CI_NOTIFY_MAIL_FROM", Shape.TEXT, None, "the address that mail comes from, by default GIT_AUTHOR_EMAIL"),
    ("CI_NOTIFY_MAIL_TO", Shape.WORDS, None, "the addresses that mail goes to"),
    ("CI_NOTIFY_MATRIX_ROOM", Shape.TEXT, None, "the identifier of a Matrix room, such as !abc:example.org"),
    ("CI_NOTIFY_TELEGRAM_CHAT", Shape.TEXT, None, "the number of a Telegram chat, or @channel"),
    ("CI_REMOVE_LIMIT", Shape.COUNT, "20", "percent of the packages that may disappear in one run"),
)

MERGEABLE = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)
NIX_COMPRESSIONS = ("zstd", "xz", "none")
SANDBOXES = ("auto", "bubblewrap", "user", "none")

_REPOSITORY_NAME = re.compile(r"[a-z0-9_+][a-z0-9_.+-]*")
_PUSH_URL = re.compile(
    r"ssh://(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~+-]+)*/?"
)
_WEB_ADDRESS = re.compile(
    r"(?:https://[A-Za-z0-9][A-Za-z0-9.-]*|https://\[[0-9A-Fa-f:.]+\]|http://(?:127(?:\.[0-9]{1,3}){3}|localhost|\[::1\]))"
    r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~+-]+)*/?"
)
_IMAGE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?::[0-9]+)?(?:/[a-z0-9][a-z0-9._-]*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]*)?(?:@sha256:[0-9a-f]{64})?"
)
_BUILDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PAGES_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%+-]+)*/?")
_LONGEST_NAME = 253
_POSIX_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_TRUTH = {"true": True, "false": False, "": False}


def parse_boolean(text: str) -> bool:
    """`true`, `false` or nothing at all (false); anything else is a ConfigError."""
    value = _TRUTH.get(text.lower())
    if value is None:
        raise ConfigError("is neither true nor false", got=text)
    return value


def parse_push_url(text: str) -> str:
    """An SSH address with its user, who is `aur` where it names none: `ssh://[user@]host[:port][/path]`."""
    if _PUSH_URL.fullmatch(text) is None:
        raise ConfigError("is no SSH address", got=text, hint="write ssh://[user@]host[:port][/path]")
    rest = text.removeprefix("ssh://").rstrip("/")
    return f"ssh://{rest}" if "@" in rest else f"ssh://aur@{rest}"


def parse_web_address(text: str) -> str:
    """`https://host[:port][/path]`, without a slash at its end; `http://` is for this machine alone."""
    if _WEB_ADDRESS.fullmatch(text) is None:
        hint = "write https://host[:port][/path]; http:// is for 127.0.0.1 and localhost"
        shown = None if "@" in text else text  # what is before an @ may be a password
        raise ConfigError("is no address that can be asked", got=shown, hint=hint)
    return text.rstrip("/")


def parse_repository_names(text: str) -> tuple[str, ...]:
    """Repository names separated by blanks, each once."""
    return tuple(dict.fromkeys(map(parse_repository_name, text.split())))


def parse_count(text: str) -> int:
    """A whole number of zero or more."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ConfigError("is not a whole number", got=text)
    return int(text)


def parse_builder(text: str) -> str:
    """A builder class (a whole number of at least 1) or a builder's host name."""
    if text and not text.strip("0"):
        raise ConfigError("is a class below 1", got=text)
    if _BUILDER_NAME.fullmatch(text) is None or len(text) > _LONGEST_NAME:
        raise ConfigError("is neither a class of at least 1 nor a builder's name", got=text)
    return text


def parse_repository_name(text: str) -> str:
    """A repository name as the build manager takes it; it drops others without a word."""
    if _REPOSITORY_NAME.fullmatch(text) is None:
        raise ConfigError("is no repository name", got=text, hint="a-z 0-9 _ . + - are allowed, no - or . at the start")
    return text


def parse_names(text: str) -> tuple[str, ...]:
    """Names separated by colons; empty ones are dropped."""
    return tuple(name.strip() for name in text.split(":") if name.strip())


def parse_commas(text: str) -> tuple[str, ...]:
    """Words separated by commas, in the order given; empty ones and repetitions are dropped."""
    if not text.isprintable():
        raise ConfigError("has a control character", got=text)
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def parse_auto_merge(text: str) -> Severity:
    """The worst severity that is merged without a person: low, medium or high; critical never is."""
    found = next((severity for severity in MERGEABLE if severity.word == text), None)
    if found is None:
        raise ConfigError(
            "is no severity that may be merged unseen",
            got=text,
            hint=f"there are {', '.join(severity.word for severity in MERGEABLE)}, or nothing",
        )
    return found


def parse_pattern(text: str) -> re.Pattern[str]:
    """One regular expression, in the extended syntax of POSIX or that of Python."""
    translated = re.sub(r"\[:([a-z]+):\]", lambda found: _POSIX_CLASSES.get(found[1], found[0]), text)
    try:
        return re.compile(translated)
    except re.error as error:
        raise ConfigError(f"is no regular expression: {error}", got=text) from error


def parse_sandbox(text: str) -> str:
    """One of `SANDBOXES`."""
    if text not in SANDBOXES:
        raise ConfigError("names no sandbox", got=text, hint=f"there are {', '.join(SANDBOXES)}")
    return text


def parse_build_root(text: str) -> str:
    """Nothing, an absolute path other than `/`, or `oci:` and the name of an image."""
    image = _IMAGE.fullmatch(text.removeprefix("oci:")) if text.startswith("oci:") else None
    is_folder = text.startswith("/") and text.isprintable() and text.strip("/.") != ""
    if text and image is None and not is_folder:
        raise ConfigError(
            "is no build root",
            got=text,
            hint="write the absolute path of a folder with an Arch system, oci:IMAGE, or nothing for this machine",
        )
    return text


def parse_vcs_sources(text: str) -> bool:
    """Whether all VCS sources are followed (`all`), and not only the first (`first`)."""
    if text not in ("first", "all"):
        raise ConfigError("is neither first nor all", got=text)
    return text == "all"


def parse_template_updates(text: str) -> bool:
    """Whether new versions of the CI files are committed (`commit`), and not sent to review (`review`)."""
    if text not in ("review", "commit"):
        raise ConfigError("is neither review nor commit", got=text)
    return text == "commit"


def parse_class_limits(text: str) -> dict[str, int]:
    """How many builds at once a builder class, or a builder's name, may have: `CLASS:N` separated by blanks."""
    found = {}
    for word in text.split():
        builder, _, count = word.rpartition(":")
        if not builder or not count.isdecimal():
            raise ConfigError("is not CLASS:N", got=word, hint="write 5:1 for at most one build of class 5 or higher")
        found[parse_builder(builder)] = parse_count(count)
    return found


def parse_news_kinds(text: str) -> frozenset[NewsKind]:
    """The kinds of news that words name."""
    known = {kind.value: kind for kind in NewsKind}
    for word in text.split():
        if word not in known:
            raise ConfigError("is no news", got=word, hint=nearest(word, known) or f"there are {', '.join(known)}")
    return frozenset(known[word] for word in text.split())


def parse_projects(text: str) -> dict[str, str]:
    """Projects of a forge by the package repository whose they are: `BUILD_REPO:PROJECT` separated by blanks."""
    found = {}
    for word in text.split():
        source, _, project = word.partition(":")
        if not project:
            raise ConfigError("is not BUILD_REPO:PROJECT", got=word)
        found[parse_repository_name(source)] = project
    return found


def parse_pages_url(text: str) -> str:
    """An address that links can be put below: http or https, no query and no user; without a slash at its end."""
    if _PAGES_URL.fullmatch(text) is None:
        raise ConfigError("is no address of pages", got=text, hint="write https://host/path")
    return text.rstrip("/")


def parse_absolute_path(text: str) -> str:
    """A path from the root."""
    if not text.startswith("/") or not text.isprintable():
        raise ConfigError("is no path that begins with /", got=text)
    return text


def parse_nix_cache(text: str) -> str:
    """A path from the root, or an address as those of pages are."""
    is_address = text.startswith(("https://", "http://"))
    return parse_pages_url(text) if is_address else parse_absolute_path(text)


def parse_nix_compression(text: str) -> str:
    """One of `NIX_COMPRESSIONS`."""
    if text not in NIX_COMPRESSIONS:
        raise ConfigError("names no way of packing", got=text, hint=f"there are {', '.join(NIX_COMPRESSIONS)}")
    return text


def parse_patterns(text: str) -> tuple[re.Pattern[str], ...]:
    """Regular expressions separated by semicolons, in the extended syntax of POSIX or that of Python."""
    return tuple(parse_pattern(expression) for expression in text.split(";") if expression)
