"""What every notifier must do: a class of tests that needs a fixture `post`, a service of its kind on loopback."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import pytest

from ci_toolkit.errors import ConfigError, NotifyError, ToolkitError
from ci_toolkit.model.job import JobState
from ci_toolkit.notifiers.spec import NotifierTools
from ci_toolkit.plugins import load_notifier
from tests.support.digests import digest, hostile, huge, news, usual
from tests.support.forge_world import settings_from
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.forges.spec import Mark
    from ci_toolkit.notifiers.spec import Notifier


class Post(ABC):
    """A service that takes messages of one kind; `keys` and `variables` are what has to be set for it.

    `secrets` may be seen nowhere, `mentions` is whether the service calls people by an @; `knows_repetitions`: the same
    digest again is no second message, `overwrites`: nor is another one on the same job. `further_keys` and
    `further_variables` are set as well, and nothing is said where they are not.
    """

    kind: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]]
    mentions: ClassVar[bool] = True
    knows_repetitions: ClassVar[bool] = False
    overwrites: ClassVar[bool] = False
    shows_lines: ClassVar[bool] = True

    keys: Mapping[str, str]
    variables: Mapping[str, str]
    further_keys: Mapping[str, str] = MappingProxyType({})
    further_variables: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def texts(self) -> list[str]:
        """The messages, as people see them."""

    @abstractmethod
    def limit(self, seconds: int) -> None:
        """From now on it wants to be left alone so long."""

    @abstractmethod
    def break_down(self) -> None:
        """From now on it fails."""

    def mark(self, marks: Sequence[Mark], project: str | None) -> Sequence[str]:
        """What a notifier may use instead of its own connection."""
        raise AssertionError(marks)

    def tools(self, keys: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None) -> NotifierTools:
        """Everything that is needed, or else what is given."""
        return NotifierTools(
            settings=settings_from({**self.further_keys, **(self.keys if keys is None else keys)}),
            environ={**self.further_variables, **(self.variables if environ is None else environ)},
            clock=QuickClock(),
            mark=self.mark,
        )


@pytest.fixture
def notifier(post: Post) -> Notifier:
    return load_notifier(post.kind)


class NotifierContract:
    """Subclass it where the fixture is."""

    def test_it_says_what_is_missing_without_asking_anybody(self, post: Post, notifier: Notifier) -> None:
        notifier.check(post.tools())
        for variable in post.variables:
            rest = {name: value for name, value in post.variables.items() if name != variable}
            with pytest.raises(ConfigError) as caught:
                notifier.check(post.tools(environ=rest))
            assert caught.value.key == variable
        for key in post.keys:
            rest = {name: value for name, value in post.keys.items() if name != key}
            with pytest.raises(ConfigError) as caught:
                notifier.check(post.tools(keys=rest))
            assert caught.value.key == key
        assert post.texts() == []

    def test_it_does_not_say_what_wrong_values_are(self, post: Post, notifier: Notifier) -> None:
        for variable in post.variables:
            wrong = {**post.variables, variable: "canary wrong: value\x7f"}
            with pytest.raises(ConfigError) as caught:
                notifier.check(post.tools(environ=wrong))
            assert caught.value.key == variable
            assert "canary" not in "".join(traceback.format_exception(caught.value))

    def test_it_tells_everything(self, post: Post, notifier: Notifier) -> None:
        assert not notifier.send(usual(), post.tools())
        text = "\n".join(post.texts())
        for word in ("broken", "in phase build: it is broken (status 4)", "timed out", "good", "mended"):
            assert word in text
        if post.shows_lines:
            assert "samples: 1 failed, 1 timed out, 2 built, 1 removed, 1 trouble of workers" in text
            assert "one" in text
            assert "removed: gone" in text
            assert "three packages failed" in text

    def test_a_strangers_text_is_text(self, post: Post, notifier: Notifier) -> None:
        notifier.send(hostile(), post.tools())
        text = "\n".join(post.texts())
        assert "<script>x</script>" in text
        if post.mentions:
            assert "@room" not in text
            assert "@everyone" not in text
            assert "\u200broom" in text

    def test_the_largest_message_fits(self, post: Post, notifier: Notifier) -> None:
        notifier.send(huge(), post.tools())
        texts = post.texts()
        assert any("package-1 " in text or '"package-1"' in text for text in texts)
        assert len(texts) == 2_000 if post.overwrites else "2000 failed" in texts[0]

    def test_a_service_that_fails_is_told_without_secrets(
        self, post: Post, notifier: Notifier, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        post.break_down()
        with pytest.raises(ToolkitError) as caught:
            notifier.send(usual(), post.tools())
        said = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
        assert not any(secret in said for secret in post.secrets), said

    def test_a_service_that_limits_says_how_long(self, post: Post, notifier: Notifier) -> None:
        post.limit(17)
        with pytest.raises(NotifyError) as caught:
            notifier.send(usual(), post.tools())
        assert caught.value.retry_after_s == 17.0

    def test_the_same_digest_again_is_no_second_message(self, post: Post, notifier: Notifier) -> None:
        one = digest([news("broken", JobState.FAILED)], name="same")
        for _ in range(2):
            notifier.send(one, post.tools())
        before = 1 if post.knows_repetitions else 2
        assert len(post.texts()) == before
        notifier.send(replace(one, id="other"), post.tools())
        assert len(post.texts()) == before + (not post.overwrites)
