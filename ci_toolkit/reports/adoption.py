"""What a person reads of an adoption: what the commit does, and what will be different."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.pipelines.adopting import Adoption

_ENVIRONMENT = (
    "a CI variable of the same name now counts more than .ci/config; with the template it was the other way round,"
    " so look through the project's CI/CD variables"
)


def adoption_text(adoption: Adoption) -> str:
    """The whole report."""
    return "".join(f"{line}\n" for line in _lines(adoption))


def _lines(adoption: Adoption) -> Iterator[str]:
    yield f"commit {adoption.commit[:10]} removes {len(adoption.removed)} files of the template:"
    yield from (f"  {path}" for path in adoption.removed)
    yield from (f"and writes {path}" for path in adoption.written)
    for path, kept in sorted(adoption.aside.items()):
        yield f"{path} is no version of the template that is known, so it was edited: it is kept as {kept}"
    for path in adoption.left:
        yield f"{path} stays, and nothing includes it any more: add `- local: {path}` to the include list"
    yield ""
    yield "different for the whole repository:"
    yield f"  {_ENVIRONMENT}"
    yield from (f"  {text}" for text in _of_repository(adoption))
    yield from _differences(adoption)


def _of_repository(adoption: Adoption) -> Iterator[str]:
    settings = adoption.settings
    for key in settings.overridden:
        yield f"{key}: this environment sets it to something else than .ci/config, and that counts"
    if settings.forge == "local" and settings.human_review:
        yield "reviews: a merge or pull request each -> a branch update-NAME each, because CI_FORGE says local"
    if settings.template_repo:
        yield f"TEMPLATE_REPO: {settings.template_repo} -> the same; without that line ci-toolkit's own project"
    if settings.manage_aur:
        yield "AUR: pushed as formatted by shfmt, host key taken on trust -> pushed as committed, host keys pinned"
    for one in adoption.differences:
        if one.package is None:
            yield f"{one.what}: {one_line(one.old, 200)} -> {one_line(one.new, 200)}"


def _differences(adoption: Adoption) -> Iterator[str]:
    rows = [one for one in adoption.differences if one.package is not None]
    concerned = {one.package for one in rows}
    yield ""
    yield f"different for {len(concerned)} of {adoption.packages} packages, as far as that can be read:"
    for one in sorted(rows, key=lambda row: (row.what, row.package or "")):
        yield f"  {one_line(one.package or '', 80)}: {one.what}: {one_line(one.old, 200)} -> {one_line(one.new, 200)}"
