"""Heads of repositories on GitHub, many with one request; whatever is not answered there is left to others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ci_toolkit.effects.github_api import REPOSITORIES_A_REQUEST
from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ci_toolkit.effects.github_api import GithubApi, Repository
    from ci_toolkit.formats.source_url import GitRemote
    from ci_toolkit.model.names import Oid
    from ci_toolkit.sources.spec import SourceTools

log = logging.getLogger(__name__)

_Found = dict["Repository", dict[str, "Oid"]]


def github_heads(wanted: Mapping[GitRemote, Collection[str]], tools: SourceTools) -> dict[GitRemote, dict[str, Oid]]:
    """The remotes on GitHub for which every wanted ref (`HEAD`, `refs/heads/x`) is known; empty without a token.

    A remote with a ref that GitHub does not know is left out like one that it does not answer for: git itself is the
    better witness for what is not there.
    """
    api = tools.github
    if api is None:
        return {}
    addresses = {remote: api.service.repository(remote) for remote in wanted}
    refs: dict[Repository, dict[str, None]] = {}
    for remote, repository in addresses.items():
        if repository is not None:
            refs.setdefault(repository, {}).update(dict.fromkeys(wanted[remote]))
    found: _Found = {}
    for answer in tools.pool.map(lambda batch: _ask(api, batch), _batches(refs)):
        found.update(answer)
    known = {remote: found[repository] for remote, repository in addresses.items() if repository in found}
    return {remote: heads for remote, heads in known.items() if set(wanted[remote]) <= heads.keys()}


def _batches(refs: Mapping[Repository, Collection[str]]) -> list[dict[Repository, Collection[str]]]:
    rows = list(refs.items())
    return [dict(rows[start : start + REPOSITORIES_A_REQUEST]) for start in range(0, len(rows), REPOSITORIES_A_REQUEST)]


def _ask(api: GithubApi, batch: Mapping[Repository, Collection[str]]) -> _Found:
    try:
        return api.heads(batch)
    except UpstreamError as error:
        log.info("%s; %d repositories are asked one by one", error.what, len(batch))
        return {}
