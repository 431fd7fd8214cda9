"""What GitHub offers through GraphQL alone: merging later, who one is, and issues without pull requests among them.

The listing of issues in REST has every pull request in it, which are thousands here; and a workflow's token may not ask
REST who it is. Source: docs.github.com/graphql/reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ci_toolkit.effects.forge_answers import refusal
from ci_toolkit.forges.asking import with_plain_lines
from ci_toolkit.forges.client import ForgeIssue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.effects.forge_http import ForgeHttp
    from ci_toolkit.model.names import Oid

MergeMethod = Literal["MERGE", "REBASE", "SQUASH"]

_VIEWER = "query{viewer{login}}"
_ISSUES = (
    "query($owner:String!,$name:String!,$creator:String,$after:String){repository(owner:$owner,name:$name){"
    "issues(first:100,after:$after,filterBy:{createdBy:$creator},orderBy:{field:CREATED_AT,direction:ASC}){"
    "nodes{number url title body state viewerDidAuthor author{login}} pageInfo{hasNextPage endCursor}}}}"
)
_MERGING = (
    "query($owner:String!,$name:String!,$number:Int!){repository(owner:$owner,name:$name){"
    "autoMergeAllowed mergeCommitAllowed rebaseMergeAllowed squashMergeAllowed "
    "pullRequest(number:$number){id headRefOid}}}"
)
_CHECKS = (
    "query($owner:String!,$name:String!,$number:Int!){repository(owner:$owner,name:$name){"
    "pullRequest(number:$number){commits(last:1){nodes{commit{oid statusCheckRollup{state}}}}}}}"
)
_ENABLE = (
    "mutation($input:EnablePullRequestAutoMergeInput!){enablePullRequestAutoMerge(input:$input){clientMutationId}}"
)
_STATUS_OF = {"FORBIDDEN": 403, "INSUFFICIENT_SCOPES": 403, "NOT_FOUND": 404, "RATE_LIMITED": 429}


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeState:
    """What decides on merging later; `method` is None when the project allows none."""

    node: str
    head: str
    is_allowed: bool
    method: MergeMethod | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubGraphql:
    """Questions on one repository."""

    http: ForgeHttp
    owner: str
    name: str

    def viewer(self) -> str:
        """The login name of the token's user; that of a workflow's token is `github-actions[bot]`."""
        return str(self._ask(_VIEWER, {})["viewer"]["login"])

    def own_issues(self, login: str) -> Iterator[ForgeIssue]:
        """The issues that `login` has opened, oldest first."""
        # Bots have one name as a user and another as an author, so they are not searched by name.
        is_bot = login.endswith("[bot]")
        names = {login.lower(), login.removesuffix("[bot]").lower()}
        after: str | None = None
        while True:
            variables = self._project | {"creator": None if is_bot else login, "after": after}
            page = self._ask(_ISSUES, variables)["repository"]["issues"]
            for node in page["nodes"]:
                author = (node["author"] or {"login": ""})["login"]
                if node["viewerDidAuthor"] or author.lower() in names:
                    yield _issue(node)
            if not page["pageInfo"]["hasNextPage"]:
                return
            following = page["pageInfo"]["endCursor"]
            if following == after:
                raise ValueError("the same page again")
            after = following

    def merge_state(self, number: int) -> MergeState:
        """How a pull request could be merged."""
        repository = self._ask(_MERGING, self._project | {"number": number})["repository"]
        pull = repository["pullRequest"]
        methods: dict[MergeMethod, bool] = {
            "MERGE": repository["mergeCommitAllowed"],
            "REBASE": repository["rebaseMergeAllowed"],
            "SQUASH": repository["squashMergeAllowed"],
        }
        return MergeState(
            node=str(pull["id"]),
            head=str(pull["headRefOid"]),
            is_allowed=bool(repository["autoMergeAllowed"]),
            method=next((method for method, is_allowed in methods.items() if is_allowed), None),
        )

    def has_passed(self, number: int, head: Oid) -> bool:
        """Whether there are checks on `head`, the branch's commit, and all have passed."""
        pull = self._ask(_CHECKS, self._project | {"number": number})["repository"]["pullRequest"]
        commits = [node["commit"] for node in pull["commits"]["nodes"]]
        rollups = [commit["statusCheckRollup"] or {} for commit in commits if commit["oid"] == head]
        return any(rollup.get("state") == "SUCCESS" for rollup in rollups)

    def enable_auto_merge(self, state: MergeState, head: Oid) -> None:
        """Have it merged when all requirements are met, provided that its branch is still at `head`."""
        wanted = {"pullRequestId": state.node, "expectedHeadOid": head, "mergeMethod": state.method}
        self._ask(_ENABLE, {"input": wanted}, is_repeatable=False)

    @property
    def _project(self) -> dict[str, Any]:
        return {"owner": self.owner, "name": self.name}

    def _ask(self, query: str, variables: Mapping[str, Any], *, is_repeatable: bool = True) -> Any:  # noqa: ANN401 - JSON
        path = f"{self.http.prefix.removesuffix('/v3')}/graphql"
        answer = self.http.ask_json("POST", path, {"query": query, "variables": variables}, is_repeatable=is_repeatable)
        value = answer.json()
        errors = value.get("errors")
        if not errors:
            return value["data"]
        status = _STATUS_OF.get(errors[0].get("type"), 422)
        raise refusal(replace(answer, status=status), self.http.host, self.http.now())


def _issue(node: Mapping[str, Any]) -> ForgeIssue:
    return ForgeIssue(
        number=int(node["number"]),
        url=str(node["url"]),
        title=str(node["title"]),
        body=with_plain_lines(node["body"]),
        is_open=node["state"] == "OPEN",
    )
