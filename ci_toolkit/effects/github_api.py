"""Heads of many GitHub repositories with one request, through its GraphQL API (needs a token; any will do).

One POST asks for 150 repositories, each under an alias of its own; names and refs travel as variables and so cannot be
anything but text. Source: docs.github.com/graphql, `Repository.defaultBranchRef` and `Repository.ref`; a repository
that is missing or forbidden is null in `data` and has an entry in `errors` whose `path` begins with its alias.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ci_toolkit.effects.json_answers import read_json
from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.service_url import is_repository_name
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ci_toolkit.effects.token import Token
    from ci_toolkit.effects.web import Web
    from ci_toolkit.formats.service_url import Service

REPOSITORIES_A_REQUEST = 150
_LIMIT_BYTES = 4 << 20
_PUBLIC = "github.com"
_ERROR_TYPE = re.compile(r"[A-Z_]{1,40}")
_REF_MAX = 300

Repository = tuple[str, str]
"""Owner and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubApi:
    """Asks one GitHub; the token goes to that host alone, in one header, and is not sent on by a redirect."""

    web: Web
    service: Service
    token: Token

    def heads(self, wanted: Mapping[Repository, Collection[str]]) -> dict[Repository, dict[str, Oid]]:
        """Where refs (`HEAD`, `refs/heads/x`) of repositories are, `REPOSITORIES_A_REQUEST` of them a request.

        Repositories that are not answered for are left out, whatever the reason; in the others a ref that is not there
        is. UpstreamError when a whole request fails; what other requests found is lost with it.
        """
        found: dict[Repository, dict[str, Oid]] = {}
        askable = ((key, refs) for key, refs in wanted.items() if all(map(is_repository_name, key)))
        while batch := dict(islice(askable, REPOSITORIES_A_REQUEST)):
            found.update(self._ask({key: tuple(filter(_is_askable, refs)) for key, refs in batch.items()}))
        return found

    def _ask(self, batch: Mapping[Repository, tuple[str, ...]]) -> dict[Repository, dict[str, Oid]]:
        body = json.dumps(encode_query(batch)).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self.token.header()}
        answer = self.web.post(self._endpoint, body, limit_bytes=_LIMIT_BYTES, headers=headers, kind="graphql")
        if answer.url != self._endpoint:
            raise UpstreamError(f"{self.service.host} answers from another place than was asked")
        try:
            return decode_heads(read_json(answer), batch)
        except UpstreamError as error:
            raise UpstreamError(f"the API of {self.service.host}: {error.what}") from error

    @property
    def _endpoint(self) -> str:
        return "https://api.github.com/graphql" if self.service.host == _PUBLIC else f"{self.service.url}/api/graphql"


def encode_query(batch: Mapping[Repository, tuple[str, ...]]) -> dict[str, Any]:
    """The request's JSON value: repository number i is `a<i>`, and its ref number j is `r<j>` in it."""
    variables: dict[str, str] = {}
    fields = []
    for i, ((owner, name), refs) in enumerate(batch.items()):
        variables |= {f"o{i}": owner, f"n{i}": name}
        variables |= {f"q{i}_{j}": ref for j, ref in enumerate(refs) if ref != "HEAD"}
        asked = " ".join(_field(i, j, ref) for j, ref in enumerate(refs))
        fields.append(f"a{i}:repository(owner:$o{i},name:$n{i}){{id {asked}}}")
    declared = ",".join(f"${name}:String!" for name in variables)
    return {"query": f"query({declared}){{{' '.join(fields)}}}", "variables": variables}


def decode_heads(
    answer: Any,  # noqa: ANN401 - JSON, checked here
    batch: Mapping[Repository, tuple[str, ...]],
) -> dict[Repository, dict[str, Oid]]:
    """What an answer to `encode_query(batch)` says; UpstreamError when it is no such answer."""
    match answer:
        case {"data": dict(data)}:
            failed = _failed_aliases(answer.get("errors", []))
        case {"errors": errors}:
            raise UpstreamError(f"it refuses: {_kind(errors)}")
        case _:
            raise UpstreamError("its answer is none of GraphQL")
    found: dict[Repository, dict[str, Oid]] = {}
    for i, (key, refs) in enumerate(batch.items()):
        repository = data.get(f"a{i}")
        if repository is not None and f"a{i}" not in failed:
            found[key] = dict(_heads_in(repository, refs))
    return found


def _field(i: int, j: int, ref: str) -> str:
    what = "defaultBranchRef" if ref == "HEAD" else f"ref(qualifiedName:$q{i}_{j})"
    return f"r{j}:{what}{{target{{oid}}}}"


def _is_askable(ref: str) -> bool:
    return ref == "HEAD" or (ref.startswith("refs/heads/") and len(ref) <= _REF_MAX and ref.isprintable())


def _heads_in(repository: Any, refs: tuple[str, ...]) -> Iterator[tuple[str, Oid]]:  # noqa: ANN401 - JSON
    if not isinstance(repository, dict):
        raise UpstreamError("its answer has something else in place of a repository")
    for j, ref in enumerate(refs):
        match repository.get(f"r{j}", ...):
            case None:
                continue
            case {"target": {"oid": str(oid)}} if is_oid(oid):
                yield ref, Oid(oid)
            case _:
                raise UpstreamError("its answer has something else in place of a commit")


def _failed_aliases(errors: Any) -> set[str]:  # noqa: ANN401 - JSON
    """The repositories that errors are about; UpstreamError when one is about the whole request."""
    if not isinstance(errors, list):
        raise UpstreamError("its list of errors is none")
    failed = set()
    for error in errors:
        match error:
            case {"path": [str(alias), *_]}:
                failed.add(alias)
            case _:
                raise UpstreamError(f"it refuses: {_kind(errors)}")
    return failed


def _kind(errors: Any) -> str:  # noqa: ANN401 - JSON
    """The type of the first error, such as RATE_LIMITED; its message is the host's own text and is not shown."""
    match errors:
        case [{"type": str(kind)}, *_] if _ERROR_TYPE.fullmatch(kind):
            return kind
    return "an error without a known type"
