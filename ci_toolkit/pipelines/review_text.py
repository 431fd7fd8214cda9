"""What people read of a review at a forge, made from the message of its branch's commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ForgeError, GitError
from ci_toolkit.forges.client import ReviewText
from ci_toolkit.forges.markdown import code_block, code_span
from ci_toolkit.formats.git_objects import decode_commit
from ci_toolkit.model.names import review_branch
from ci_toolkit.pipelines.commit_messages import UPDATE_ACTION

if TYPE_CHECKING:
    from ci_toolkit.forges.client import ForgeReview
    from ci_toolkit.formats.state import ReviewRecord
    from ci_toolkit.pipelines.workshop import Workshop


def review_text(pkgbase: str, message: str) -> ReviewText:
    """Title and description of a package's review, from its commit's message; that holds text from upstream."""
    reasons = message.partition("\n\n")[2].strip() or "Nothing is known of it but its branch."
    body = f"A new version of `{pkgbase}` wants a look before it is built.\n\n{code_block(reasons)}"
    return ReviewText(title=f"{UPDATE_ACTION}: {pkgbase}", body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTexts:
    """Texts of one review branch, whose commit is fetched only when somebody wants to read them."""

    workshop: Workshop
    record: ReviewRecord

    def describe(self) -> ReviewText:
        """Title and description; ForgeError when the branch cannot be read."""
        return review_text(self.record.pkgbase, self._message())

    def since(self, shown: ForgeReview) -> str:
        """A remark on what is different now."""
        before = f" from {shown.head[:10]}" if shown.head else ""
        step = self._message().partition("\n\n")[2].strip().partition("\n")[0]
        what = f": {code_span(step)}" if " -> " in step else ""
        return (
            f"Upstream has moved again{what}. The branch went{before} to {self.record.head[:10]}, and the description "
            "has been replaced; an approval of what was here before does not count for it."
        )

    def _message(self) -> str:
        repository, head = self.workshop.repository, self.record.head
        try:
            if head not in repository.sizes([head]):
                ref = f"refs/heads/{review_branch(self.record.pkgbase)}"
                self.workshop.remote.fetch([ref], depth=1 if repository.is_shallow() else None)
            found = repository.read_objects([head])[head]
        except GitError as error:
            raise ForgeError(f"its branch cannot be read: {error.what}") from error
        if found is None:
            raise ForgeError("its branch moved while it was read")
        return decode_commit(found[1]).message
