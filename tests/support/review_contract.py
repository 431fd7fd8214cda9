"""What every service's ReviewClient must do: a class of tests that needs the fixtures `client` and `service`.

`service` is a stand-in for the service with `add_branch`, `close_by_person`, `merge_by_person`, `comments`, `labels`,
`marks` and `lose_next_creation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ci_toolkit.forges.client import CommitStatus, ReviewOptions, ReviewText
from ci_toolkit.model.names import Oid

if TYPE_CHECKING:
    from ci_toolkit.forges.client import ForgeReview, ReviewClient

BRANCH = "update-foo"
HEAD, MOVED = Oid("a" * 40), Oid("b" * 40)
TEXT = ReviewText(title="chore(update): foo", body="one\n\n<!-- last -->")
OPTIONS = ReviewOptions(labels=("ci", "human-review"))


class ReviewService(Protocol):
    """The stand-in."""

    def add_branch(self, name: str, head: str) -> None: ...
    def close_by_person(self, number: int) -> None: ...
    def merge_by_person(self, number: int) -> None: ...
    def comments(self, number: int) -> list[str]: ...
    def labels(self, number: int) -> list[str]: ...
    def marks(self, commit: str) -> list[tuple[str, str, str]]: ...
    def lose_next_creation(self) -> None: ...


class ReviewClientContract:
    """Subclass it where `client` and `service` are fixtures."""

    @pytest.fixture
    def review(self, client: ReviewClient, service: Any) -> ForgeReview:
        service.add_branch(BRANCH, HEAD)
        return client.create_review(BRANCH, "main", TEXT, OPTIONS)

    def test_what_was_opened_is_listed_as_it_was_given(
        self, client: ReviewClient, service: ReviewService, review: ForgeReview
    ) -> None:
        [listed] = client.open_reviews()
        assert (listed.number, listed.url) == (review.number, review.url)
        assert (listed.branch, listed.target, listed.status, listed.head) == (BRANCH, "main", "open", HEAD)
        assert (listed.title, listed.body) == (TEXT.title, TEXT.body)
        assert set(service.labels(review.number)) == {"ci", "human-review"}

    def test_nothing_is_open_at_first_and_a_branch_without_review_has_none(self, client: ReviewClient) -> None:
        assert list(client.open_reviews()) == []
        assert client.latest_review(BRANCH) is None

    def test_opening_it_again_gives_the_one_that_is_there(
        self, client: ReviewClient, service: ReviewService, review: ForgeReview
    ) -> None:
        again = client.create_review(BRANCH, "main", TEXT, OPTIONS)
        assert again.number == review.number
        assert len(client.open_reviews()) == 1

    def test_a_creation_whose_answer_is_lost_is_not_repeated(
        self, client: ReviewClient, service: ReviewService
    ) -> None:
        service.add_branch(BRANCH, HEAD)
        service.lose_next_creation()
        made = client.create_review(BRANCH, "main", TEXT, OPTIONS)
        assert [one.number for one in client.open_reviews()] == [made.number]

    def test_it_is_updated_and_commented_in_place(
        self, client: ReviewClient, service: ReviewService, review: ForgeReview
    ) -> None:
        client.update_review(review, ReviewText(title="chore(update): foo 2", body="two"))
        client.comment(review, "moved")
        [listed] = client.open_reviews()
        assert (listed.number, listed.title, listed.body) == (review.number, "chore(update): foo 2", "two")
        assert service.comments(review.number) == ["moved"]

    def test_texts_that_are_too_long_are_cut_before_their_last_line(
        self, client: ReviewClient, service: ReviewService
    ) -> None:
        service.add_branch(BRANCH, HEAD)
        long = f"```text\n{'😀 x' * 20 + chr(10)}" * 30_000 + "```\n\n<!-- last -->"
        text = ReviewText(title="x" * 1000 + "\ny", body=long)
        review = client.create_review(BRANCH, "main", text, OPTIONS)
        for _ in range(2):
            [listed] = client.open_reviews()
            assert 60_000 < len(listed.body) < 1_048_576
            assert listed.body.endswith("\n```\n\n… the rest is too long to be shown here\n\n<!-- last -->")
            assert 200 < len(listed.title) < 257
            client.update_review(review, text)
        client.comment(review, long)
        assert 60_000 < len(service.comments(review.number)[0]) < 1_048_576
        client.update_issue(client.create_issue(text, ()), text)
        found = client.find_issue("<!-- last -->")
        assert found is not None
        assert found.body.endswith("\n\n<!-- last -->")

    def test_it_is_closed_and_reopened(self, client: ReviewClient, service: ReviewService, review: ForgeReview) -> None:
        client.close_review(review)
        assert list(client.open_reviews()) == []
        latest = client.latest_review(BRANCH)
        assert latest is not None
        assert (latest.number, latest.status) == (review.number, "closed")
        assert client.reopen_review(latest)
        assert [one.number for one in client.open_reviews()] == [review.number]

    def test_the_latest_of_several_is_told_with_its_status(
        self, client: ReviewClient, service: ReviewService, review: ForgeReview
    ) -> None:
        service.close_by_person(review.number)
        second = client.create_review(BRANCH, "main", TEXT, OPTIONS)
        service.merge_by_person(second.number)
        latest = client.latest_review(BRANCH)
        assert latest is not None
        assert (latest.number, latest.status) == (second.number, "merged")

    def test_a_commit_is_marked_and_may_be_marked_again(self, client: ReviewClient, service: ReviewService) -> None:
        status = CommitStatus(context="ci-toolkit/schedule", state="failure", text="no")
        client.set_status(HEAD, status)
        client.set_status(HEAD, status)
        assert service.marks(HEAD)[-1] == ("ci-toolkit/schedule", "failure", "no")

    def test_an_issue_is_found_by_its_marker_and_updated(self, client: ReviewClient) -> None:
        assert client.find_issue("<!-- here -->") is None
        made = client.create_issue(ReviewText(title="other", body="nothing"), ())
        made = client.create_issue(ReviewText(title="board", body="text\n<!-- here -->"), ())
        found = client.find_issue("<!-- here -->")
        assert found is not None
        assert (found.number, found.is_open) == (made.number, True)
        client.update_issue(found, ReviewText(title="board", body="new\n<!-- here -->"))
        found = client.find_issue("<!-- here -->")
        assert found is not None
        assert found.body == "new\n<!-- here -->"
