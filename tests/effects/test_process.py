"""Starting programs."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.git_command import own_environment, upstream_environment
from ci_toolkit.effects.process import Processes, Streamed
from ci_toolkit.effects.redaction import RedactingFormatter, Redactor
from ci_toolkit.effects.shfmt import Shfmt
from ci_toolkit.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Callable

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def processes() -> Processes:
    return Processes(redactor=Redactor({"ACCESS_TOKEN": "hunter2-secret"}))


def test_output_is_bytes_and_arguments_are_never_a_shell(processes: Processes) -> None:
    done = processes.run(("printf", "%s", "$(id); \xff"), env=ENV, timeout_s=5)
    assert done.stdout == "$(id); \xff".encode()
    assert processes.started == 1


def test_a_time_limit_ends_the_program_and_what_it_started(processes: Processes, tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    began = time.monotonic()
    with pytest.raises(ProcessError, match=r"did not end within 0\.5 s"):
        processes.run(("sh", "-c", script), env=ENV, timeout_s=0.5)
    assert time.monotonic() - began < 5
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        try:
            state = Path(f"/proc/{child}/stat").read_text().split(") ")[1][0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the grandchild is still running")


def test_a_failure_says_what_the_program_said_without_secrets(processes: Processes) -> None:
    with pytest.raises(ProcessError, match="ended with status 3: one; two") as caught:
        processes.run(("sh", "-c", "echo one >&2; echo two hunter2-secret >&2; exit 3"), env=ENV, timeout_s=5)
    assert "hunter2-secret" not in str(caught.value)


def test_a_program_that_is_not_there_is_named(processes: Processes) -> None:
    with pytest.raises(ProcessError, match="no-such-program cannot be started: No such file"):
        processes.run(("no-such-program",), env=ENV, timeout_s=5)


def test_a_program_gets_the_environment_it_is_given_and_no_other(processes: Processes) -> None:
    script = "import os; print(sorted(os.environ))"
    output = processes.run((sys.executable, "-c", script), env={"ONLY": "this"}, timeout_s=20).stdout.decode()
    assert "ONLY" in output
    assert "HOME" not in output


def test_git_variables_of_the_caller_do_not_reach_git() -> None:
    environ = {
        "PATH": "/bin",
        "GIT_DIR": "/x",
        "GIT_INDEX_FILE": "/y",
        "GIT_SSH_COMMAND": "ssh -v",
        "ACCESS_TOKEN": "t",
    }
    kept = own_environment(environ)
    assert kept["GIT_SSH_COMMAND"] == "ssh -v"
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "ACCESS_TOKEN"} & kept.keys()


def test_git_for_strangers_knows_nothing_of_the_user() -> None:
    environ = {"PATH": "/bin", "HOME": "/root", "CI_JOB_TOKEN": "t", "SSH_AUTH_SOCK": "/s", "GIT_CONFIG_COUNT": "1"}
    env = upstream_environment(environ, allow_local=False)
    assert env["GIT_ALLOW_PROTOCOL"] == "https:http:ssh:git"
    assert env["HOME"] == "/nonexistent"
    assert not {"CI_JOB_TOKEN", "SSH_AUTH_SOCK", "GIT_CONFIG_COUNT"} & env.keys()


SECRET = "s3cret/+value=="


@pytest.mark.parametrize(
    "text",
    [
        f"token {SECRET} here",
        "https://user:other-password@example.org/x",
        "https://just-a-token@example.org/x",
        "s3cret%2F%2Bvalue%3D%3D",
        "Authorization: Basic b2F1dGgyOnMzY3JldC8rdmFsdWU9PQ==",
        "b2F1dGgyOnMzY3JldC8rdmFsdWU9PQ",
        "authorization: bearer abcdef",
    ],
)
def test_secrets_in_any_form_are_hidden(text: str) -> None:
    clean = Redactor({"CI_JOB_TOKEN": SECRET}).clean(text)
    for part in (SECRET, "other-password", "just-a-token", "s3cret", "b2F1dGgy", "abcdef"):
        assert part not in clean
    assert "[hidden]" in clean


def test_tracebacks_are_cleaned_too() -> None:
    formatter = RedactingFormatter(Redactor({"GITHUB_TOKEN": SECRET}))
    try:
        raise ValueError(SECRET)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed %s", (SECRET,), sys.exc_info())
    text = formatter.format(record)
    assert SECRET not in text
    assert "Traceback" in text


def test_shfmt_formats_many_in_one_process_and_names_what_does_not_parse(processes: Processes) -> None:
    good, bad, tidy = b"a() {\n      b\n}\n", b"a() { if\n", b"x=1\n"
    shfmt = Shfmt(processes=processes, environ=ENV)
    config = b"[*]\nindent_style = space\nindent_size = 3\n"
    assert shfmt.format([good, bad, tidy, good], editorconfig=config) == {
        good: b"a() {\n   b\n}\n",
        bad: None,
        tidy: tidy,
    }
    assert processes.started == 1
    assert shfmt.format([], editorconfig=None) == {}
    assert shfmt.format([good], editorconfig=None) == {good: b"a() {\n\tb\n}\n"}


def streamed(
    processes: Processes, script: str, timeout_s: float = 10, watch: Callable[[], str | None] = lambda: None
) -> tuple[Streamed, bytes]:
    taken: list[bytes] = []
    ended = processes.stream(("sh", "-c", script), env=ENV, timeout_s=timeout_s, take=taken.append, watch=watch)
    return ended, b"".join(taken)


def test_a_stream_is_a_terminal_and_keeps_the_order_of_both_outputs(processes: Processes) -> None:
    ended, text = streamed(processes, "test -t 1 && test -t 2 && echo one; echo two >&2; echo three; exit 7")
    assert (ended, text) == (Streamed(status=7), b"one\ntwo\nthree\n")


def test_a_stream_comes_as_it_is_written(processes: Processes) -> None:
    seen: list[tuple[bytes, float]] = []
    processes.stream(
        ("sh", "-c", "echo early; sleep 1; echo late"),
        env=ENV,
        timeout_s=10,
        take=lambda chunk: seen.append((chunk, time.monotonic())),
        watch=lambda: None,
    )
    assert [chunk for chunk, _ in seen] == [b"early\n", b"late\n"]
    assert seen[1][1] - seen[0][1] > 0.5


def test_a_stream_is_ended_by_time_or_for_a_reason(processes: Processes) -> None:
    ended, text = streamed(processes, "echo begun; sleep 60", timeout_s=0.5)
    assert (ended, text) == (Streamed(status=None, late=True), b"begun\n")
    ended, _ = streamed(processes, "exec >/dev/null 2>&1; sleep 60", watch=lambda: "enough")
    assert ended == Streamed(status=None, reason="enough")


def test_a_stream_does_not_wait_for_what_a_program_leaves_behind(processes: Processes) -> None:
    began = time.monotonic()
    ended, text = streamed(processes, "sleep 60 & echo done")
    assert (ended.status, text) == (0, b"done\n")
    assert time.monotonic() - began < 5
