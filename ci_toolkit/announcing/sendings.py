"""What becomes of each attempt to tell somebody, for who watches over the notifiers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SendOutcome(Enum):
    """How an attempt to send a message ended; the value is how it is written."""

    SENT = "sent"
    INCOMPLETE = "incomplete"
    """It was sent, but for a part that the service never takes."""
    POSTPONED = "postponed"
    """The service has said when to come again."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One attempt: `recipient` is the name of a notifier, or `listeners`; `seconds` is how long it took."""

    recipient: str
    outcome: SendOutcome
    seconds: float


def watched_by_nobody(sending: Sending) -> None:
    """Nothing."""
