"""Addresses that packages are pushed to."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.config_keys import parse_push_url


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://aur.archlinux.org", "ssh://aur@aur.archlinux.org"),
        ("ssh://me@[::1]:2222/below/", "ssh://me@[::1]:2222/below"),
    ],
)
def test_without_a_user_it_is_the_aurs(text: str, address: str) -> None:
    assert parse_push_url(text) == address


@pytest.mark.parametrize(
    "text",
    ["https://aur.archlinux.org", "ssh://-oProxyCommand=x/", "ssh://a@-b", "ssh://a b", "ssh://h/$(id)", "ssh://h/a'b"],
)
def test_what_ssh_or_a_shell_could_take_for_something_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no SSH address"):
        parse_push_url(text)
