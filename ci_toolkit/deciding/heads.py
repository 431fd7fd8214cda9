"""What the head of a package's VCS source means for it, whatever its package source says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from ci_toolkit.model.observation import CouldNotAsk, Head, NotFollowed
from ci_toolkit.model.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.formats.state import PackageState
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.observation import Observation
    from ci_toolkit.model.plan import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadDecision:
    """`commit` is what to remember; `moved` asks for a build, `why` says so; `problems` are failures."""

    commit: Oid | None
    moved: bool = False
    why: str = ""
    old: str | None = None
    new: str | None = None
    code: Code | None = None
    problems: tuple[str, ...] = ()
    further: Mapping[str, str] = field(default_factory=dict)


def decide_heads(state: PackageState, observation: Observation, *, changed: Change | None) -> HeadDecision:
    """What the first git source and all further sources mean together."""
    head = decide_head(state, observation, changed=changed)
    further = observation.further
    if further is None:
        return head
    # A source that could not be asked keeps what is known of it; one that is followed no more is forgotten.
    known = {key: revision for key, revision in state.vcs_heads.items() if key in further.labels}
    moved = [key for key, revision in further.revisions.items() if known.get(key, revision) != revision]
    head = replace(head, further={**known, **further.revisions}, problems=(*head.problems, *further.problems))
    if further.problems and head.code is None:
        head = replace(head, code=Code.UNREACHABLE)
    if not moved or head.moved:
        return head
    key = moved[0]
    why = f"the head of {further.labels[key]} moved"
    return replace(head, moved=True, why=why, old=known[key][:10], new=further.revisions[key][:10])


def decide_head(state: PackageState, observation: Observation, *, changed: Change | None) -> HeadDecision:
    """Compare the head with the one last built from.

    When an update of the package itself is applied, the package is built anyway; if that update follows another source,
    it is the head of that one which is remembered.
    """
    if changed is not None and observation.next_head is not None:
        return HeadDecision(commit=observation.next_head.commit if isinstance(observation.next_head, Head) else None)
    match observation.head:
        case NotFollowed():
            return HeadDecision(commit=None)
        case CouldNotAsk(reason=reason):
            return HeadDecision(commit=state.git_commit, code=Code.UNREACHABLE, problems=(reason,))
        case Head(commit=commit):
            if state.git_commit is None or state.git_commit == commit:
                return HeadDecision(commit=commit)
            return HeadDecision(
                commit=commit,
                moved=True,
                why="the head of its git source moved",
                old=state.git_commit[:10],
                new=commit[:10],
            )
        case _:
            assert_never(observation.head)
