"""Images go to a real registry, past a front that fails in every way, and skopeo finds what was sent."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ci_toolkit.effects.registry_http import RegistryDownError
from ci_toolkit.errors import ConfigError, NotReadyError, PublishError
from ci_toolkit.publishers.oci.archive import read_oci_archive
from ci_toolkit.publishers.oci.publisher import OciPublisher
from tests.support import killed_push
from tests.support.certificates import self_signed
from tests.support.deliveries import delivery_of, publisher_tools
from tests.support.http_service import FakeClock
from tests.support.killings import killed_everywhere
from tests.support.oci_layouts import oci_archive
from tests.support.pacman_stand import DAY_S
from tests.support.registry_service import PASSWORD, USER, Registry, RegistryFront, needs_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.publishers.spec import Delivery, PublisherTools

pytestmark = needs_registry

FALLBACK_PASSWORD = "canary-of-the-second-registry"
ALL = r"(GET|HEAD|PUT|POST|DELETE) .*"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One for all tests here, each of which has a namespace of its own."""
    with Registry(tmp_path_factory.mktemp("registry") / "first") as running:
        yield running


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with users, and without deletes."""
    with Registry(tmp_path_factory.mktemp("registry") / "second", deletes=False, has_users=True) as running:
        yield running


class Stand:
    """A publisher with a front, and ways to look at what is behind it."""

    def __init__(self, folder: Path, registry: Registry, front: RegistryFront, namespace: str) -> None:
        self.folder, self.registry, self.front, self.namespace = folder, registry, front, namespace
        self.clock = FakeClock()
        self.config = f"CI_OCI_REGISTRY={front.host}/{namespace}\n"
        self.environ: dict[str, str] = {}

    @property
    def tools(self) -> PublisherTools:
        return publisher_tools(self.folder / "own", key=b"", config=self.config, environ=self.environ, clock=self.clock)

    def image(self, base: str, version: str, *, text: str = "", platforms: tuple[str, ...] = ("amd64",)) -> Delivery:
        path = self.folder / "out" / f"{base}-{version}-any.oci.tar"
        oci_archive(path, text=text or f"{base} {version}", platforms=platforms)
        return delivery_of(base, [path])

    def digest_of(self, delivery: Delivery) -> str:
        return raw_digest(f"oci-archive:{delivery.files[0]}")

    def publish(self, *deliveries: Delivery, gone: tuple[str, ...] = ()) -> dict[str, str]:
        with OciPublisher().opened(self.tools) as place:
            return dict(place.publish(deliveries, gone))

    def there(self, name: str, tag: str, registry: Registry | None = None) -> str | None:
        """The digest of a tag in the registry itself, None where there is no such tag."""
        return digest_in(registry or self.registry, f"{self.namespace}/{name}", tag)

    def published(self) -> dict[str, str]:
        """Versions by package, as the ledger has them."""
        with OciPublisher().opened(self.tools) as place:
            return {package.name: package.version for package in place.available()}

    def ledger(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.folder / "own" / "ledger.json").read_text())
        return value


@pytest.fixture
def stand(tmp_path: Path, registry: Registry) -> Iterator[Stand]:
    with RegistryFront(registry) as front:
        yield Stand(tmp_path, registry, front, tmp_path.name.replace("_", "-"))


def skopeo(*words: str) -> bytes:
    return subprocess.run(["skopeo", *words], check=True, capture_output=True).stdout


def raw_digest(reference: str) -> str:
    options = ["--tls-verify=false"] if reference.startswith("docker://") else []
    return f"sha256:{hashlib.sha256(skopeo('inspect', '--raw', *options, reference)).hexdigest()}"


def raw_digest_of(delivery: Delivery) -> str:
    """The digest of the image in an archive, as it was made."""
    return read_oci_archive(delivery.files[0], file="made").top.digest


def digest_in(registry: Registry, path: str, reference: str) -> str | None:
    """What the registry itself, without a front, has under a tag."""
    accepted = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    url = f"http://{registry.host}/v2/{path}/manifests/{reference}"
    answer = requests.get(url, headers={"Accept": accepted}, auth=(USER, PASSWORD), timeout=10)
    if answer.status_code == 404:
        return None
    assert answer.status_code == 200, answer.text
    return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"


def test_skopeo_finds_the_image_that_was_built(stand: Stand, tmp_path: Path) -> None:
    delivery = stand.image("hello", "1.0-1")
    assert not stand.publish(delivery)
    digest = stand.digest_of(delivery)
    place = f"docker://{stand.registry.host}/{stand.namespace}/hello"
    assert raw_digest(f"{place}:1.0-1") == raw_digest(f"{place}:latest") == digest
    skopeo("copy", "--preserve-digests", "--src-tls-verify=false", f"{place}:latest", f"oci:{tmp_path}/back:x")
    assert raw_digest(f"oci:{tmp_path}/back:x") == digest
    (package,) = stand.ledger()["packages"]
    assert package["facts"] == {
        "image": "hello",
        "tag": "1.0-1",
        "registry": f"{stand.front.host}/{stand.namespace}",
        "digest": digest,
    }


def test_an_index_of_several_platforms_goes_with_all_of_them(stand: Stand, tmp_path: Path) -> None:
    delivery = stand.image("hello", "1.0-1", platforms=("amd64", "arm64"))
    assert not stand.publish(delivery)
    place = f"docker://{stand.registry.host}/{stand.namespace}/hello"
    assert raw_digest(f"{place}:1.0-1") == stand.digest_of(delivery)
    copy = ("--all", "--preserve-digests", "--src-tls-verify=false")
    skopeo("copy", *copy, f"{place}:latest", f"oci:{tmp_path}/back:x")
    assert raw_digest(f"oci:{tmp_path}/back:x") == stand.digest_of(delivery)


def test_archives_that_skopeo_writes_are_read(stand: Stand, tmp_path: Path) -> None:
    source = stand.image("hello", "1.0-1")
    copied = tmp_path / "copied" / "hello-1.0-1-any.oci.tar"
    copied.parent.mkdir()
    skopeo("copy", "--preserve-digests", f"oci-archive:{source.files[0]}", f"oci-archive:{copied}:hello:1.0")
    assert not stand.publish(delivery_of("hello", [copied]))
    assert stand.there("hello", "latest") == stand.digest_of(source)


def test_names_and_versions_become_what_a_registry_takes(stand: Stand) -> None:
    assert not stand.publish(stand.image("libsigc++-2.0", "1:2.0+git-1"))
    assert stand.there("libsigc-plus-plus-2.0", "1_2.0_git-1") == stand.there("libsigc-plus-plus-2.0", "latest")
    refused = stand.publish(stand.image("libsigc-plus-plus-2.0", "1-1"))
    assert refused["libsigc-plus-plus-2.0"] == (
        "libsigc-plus-plus-2.0 would be called libsigc-plus-plus-2.0, as libsigc++-2.0 is already"
    )


def test_other_files_are_artifacts_that_are_the_same_every_time(stand: Stand, tmp_path: Path) -> None:
    path = tmp_path / "tool-1.0-1-any.tar"
    for content in (b"anything", b""):
        path.write_bytes(content)
        delivery = replace(delivery_of("tool", [path]))
        assert not stand.publish(delivery)
        digest = stand.there("tool", "1.0-1")
        shutil.rmtree(tmp_path / "own")
        assert not stand.publish(delivery)
        assert stand.there("tool", "latest") == digest
        place = f"docker://{stand.registry.host}/{stand.namespace}/tool:latest"
        manifest = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", place))
        (layer,) = manifest["layers"]
        assert layer["annotations"] == {"org.opencontainers.image.title": path.name}
        assert layer["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


# faults of the registry


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("POST .*/uploads/", {"status": 500}),
        ("PUT .*/uploads/.*", {"status": 503}),
        ("PUT .*/uploads/.*", {"cut": True}),
        ("HEAD .*", {"cut": True}),
        ("PUT .*/manifests/.*", {"status": 502}),
        ("PUT .*/manifests/latest", {"cut": True}),
        ("GET .*/manifests/latest", {"status": 504}),
    ],
)
def test_what_passes_is_tried_again_after_a_while(stand: Stand, pattern: str, what: dict[str, Any]) -> None:
    stand.front.fail(pattern, times=3, **what)
    delivery = stand.image("hello", "1.0-1")
    assert not stand.publish(delivery)
    assert stand.there("hello", "latest") == stand.digest_of(delivery)
    assert len(stand.clock.sleeps) == 3
    assert all(0.5 * 2**step <= slept <= 1.5 * 2**step for step, slept in enumerate(stand.clock.sleeps))
    # No two clients come back at the same moment.
    assert not any(slept == 2**step for step, slept in enumerate(stand.clock.sleeps))


def test_a_connection_that_is_cut_in_the_middle_of_a_part_is_made_again(stand: Stand, tmp_path: Path) -> None:
    path = tmp_path / "tool-1.0-1-any.tar"
    path.write_bytes(os.urandom(8 << 20))
    stand.front.fail("PUT .*/uploads/.*", unread=True, times=2)
    assert not stand.publish(delivery_of("tool", [path]))
    assert len(stand.clock.sleeps) == 2
    assert stand.there("tool", "1.0-1")


def test_a_registry_that_is_busy_is_left_alone_for_as_long_as_it_says(stand: Stand) -> None:
    stand.front.fail("POST .*", 429, headers={"Retry-After": "17"}, times=1)
    stand.front.fail("PUT .*/manifests/.*", 429, headers={"Retry-After": "Fri, 15 Jan 2027 08:01:00 GMT"}, times=1)
    assert not stand.publish(stand.image("hello", "1.0-1"))
    first, second = stand.clock.sleeps
    assert 17.0 <= first <= 18.0
    # That is a minute after the clock's start, of which 17 seconds are over.
    assert 41.0 <= second <= 44.0


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (ALL, {"status": 500}),
        (ALL, {"status": 429, "headers": {"Retry-After": "86400"}}),
        (ALL, {"cut": True}),
        ("PUT .*/manifests/.*", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("PUT .*/manifests/latest", {"status": 500}),
        ("PUT .*/manifests/latest", {"cut": True}),
    ],
)
def test_a_registry_that_does_not_work_is_no_fault_of_the_package(
    stand: Stand, pattern: str, what: dict[str, Any]
) -> None:
    old, new, other = stand.image("hello", "1.0-1"), stand.image("hello", "1.1-1"), stand.image("other", "1.0-1")
    assert not stand.publish(old)
    before = stand.ledger()
    stand.front.fail(pattern, **what)
    with pytest.raises(RegistryDownError) as raised:
        stand.publish(new, other)
    assert str(raised.value).startswith(f"{stand.front.host}/{stand.namespace} ")
    assert "the next run tries it again" in str(raised.value)
    assert stand.ledger() == before
    assert stand.there("hello", "latest") == stand.digest_of(old)
    assert len(list((stand.folder / "own" / "files").glob("??/*"))) == 1
    # It is not asked forever.
    assert len(stand.clock.sleeps) == (0 if "86400" in str(what) else 4)
    stand.front.faults.clear()
    assert not stand.publish(new, other)
    assert stand.there("hello", "latest") == stand.digest_of(new)
    assert stand.published() == {"hello": "1.1-1", "other": "1.0-1"}


def test_a_registry_that_is_not_there_is_no_fault_of_the_package_either(stand: Stand) -> None:
    stand.config = "CI_OCI_REGISTRY=127.0.0.1:1/mine\n"
    with pytest.raises(RegistryDownError, match=r"127\.0\.0\.1:1/mine cannot be reached: no connection"):
        stand.publish(stand.image("hello", "1.0-1"))
    assert stand.published() == {}


@pytest.mark.parametrize("reference", ["sha256:.*", "1.1-1", "latest"])
@pytest.mark.parametrize("part", ["content", "header"])
def test_a_registry_that_gives_something_else_is_caught(stand: Stand, reference: str, part: str) -> None:
    old, new = stand.image("hello", "1.0-1"), stand.image("hello", "1.1-1")
    assert not stand.publish(old)

    def lie(status: int, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        if part == "content":
            return status, headers, content.replace(b"size", b"Size", 1)
        return status, {**headers, "Docker-Content-Digest": f"sha256:{'0' * 64}"}, content

    before = stand.ledger()
    stand.front.fail(f"GET .*/manifests/{reference}", alter=lie)
    refused = stand.publish(new, replace(stand.image("other", "1-1"), built_with=frozenset({"hello"})))
    assert f"was sent {stand.digest_of(new)} and gives sha256:" in refused["hello"]
    assert "nobody should use that image" in refused["hello"]
    assert refused["other"] == "it was built against hello, which is not published"
    assert stand.ledger() == before
    if reference != "latest":
        assert stand.there("hello", "latest") == stand.digest_of(old)
    if reference.startswith("sha256"):
        assert stand.there("hello", "1.1-1") is None


def test_a_registry_that_forgets_what_it_took_is_caught(stand: Stand) -> None:
    stand.front.fail("PUT .*/manifests/.*", 201)
    with pytest.raises(PublishError, match=r"took hello:sha256:[0-9a-f]* and has no such thing \(the next run"):
        stand.publish(stand.image("hello", "1.0-1"))
    assert stand.published() == {}


@pytest.mark.parametrize("status", [400, 413])
def test_what_a_registry_does_not_take_is_refused_and_others_are_published(stand: Stand, status: int) -> None:
    errors = b'{"errors": [{"code": "MANIFEST_INVALID", "message": "too strange\\u001b[31m"}]}'
    stand.front.fail("PUT .*/hello/manifests/.*", status, content=errors)
    refused = stand.publish(stand.image("hello", "1.0-1"), stand.image("other", "1.0-1"))
    assert refused == {
        "hello": f"{stand.front.host}/{stand.namespace} does not take it: {status}: MANIFEST_INVALID: too strange [31m"
    }
    assert stand.published() == {"other": "1.0-1"}
    assert stand.clock.sleeps == []


def test_killed_at_any_request_or_write_the_next_run_goes_on(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "registry").write_text(registry.host)
    killed, last = killed_everywhere("tests.support.killed_push", tmp_path)
    assert len(killed) > 20
    seen = set()
    for folder in (*killed, last):
        old, new = killed_push.version(folder, "1.0-1"), killed_push.version(folder, "1.1-1")
        digests = {version: raw_digest_of(one) for version, one in (("1.0-1", old), ("1.1-1", new))}
        path = f"{killed_push.namespace(folder)}/hello"
        latest = digest_in(registry, path, "latest")
        assert latest in digests.values()
        with OciPublisher().opened(killed_push.tools_in(folder)) as place:
            (package,) = place.available()
            # What is taken for published is, and nothing is left of what is not.
            assert digest_in(registry, path, package.version) == digests[package.version]
            assert package.version == "1.0-1" or latest == digests["1.1-1"]
            assert len(list((folder / "own" / "files").glob("??/*"))) == len(
                OciPublisher().kept(killed_push.tools_in(folder))
            )
            seen.add((package.version, latest == digests["1.1-1"]))
            assert not place.publish([new], [])
        assert digest_in(registry, path, "latest") == digests["1.1-1"]
    assert seen == {("1.0-1", False), ("1.0-1", True), ("1.1-1", True)}


def test_a_certificate_of_ones_own_is_checked_against_what_is_named(stand: Stand, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    stand.front.encrypt(certificate)
    stand.config = stand.config.replace("=", "=https://")
    with pytest.raises(PublishError, match=r"is not accepted \(CI_OCI_CA names"):
        stand.publish(stand.image("hello", "1.0-1"))
    assert stand.clock.sleeps == []
    stand.config += f"CI_OCI_CA={certificate}\n"
    assert not stand.publish(stand.image("hello", "1.0-1"))
    stand.config = stand.config.replace(str(certificate), "/nowhere")
    with pytest.raises(ConfigError, match="CI_OCI_CA is no file of certificates"):
        stand.publish()


# credentials


def test_a_token_is_got_with_the_password_and_used_in_its_place(stand: Stand) -> None:
    stand.environ = {"CI_OCI_USER": USER, "CI_OCI_PASSWORD": PASSWORD}
    stand.front.issues_tokens = True
    assert not stand.publish(stand.image("hello", "1.0-1"))
    assert stand.there("hello", "latest")
    with_password = [one.what for one in stand.front.asked if (one.authorization or "").startswith("Basic")]
    assert set(with_password) == {"GET /token"}
    # A token that is over is got anew.
    stand.front.tokens.clear()
    assert not stand.publish(stand.image("hello", "1.1-1"))


def test_a_token_that_ends_in_between_is_got_anew(stand: Stand) -> None:
    stand.environ = {"CI_OCI_USER": USER, "CI_OCI_PASSWORD": PASSWORD}
    stand.front.issues_tokens = True

    def expire(status: int, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        stand.front.tokens.clear()
        return status, headers, content

    stand.front.fail("POST .*", times=1, alter=expire)
    stand.front.fail("PUT .*/manifests/.*", times=1, alter=expire)
    assert not stand.publish(stand.image("hello", "1.0-1"))


@pytest.mark.parametrize("kind", ["basic", "token", "none", "denied"])
def test_credentials_that_are_wrong_are_not_tried_again(stand: Stand, second: Registry, kind: str) -> None:
    stand.environ = {"CI_OCI_USER": USER, "CI_OCI_PASSWORD": "not-the-password"}
    stand.config += "CI_OCI_FALLBACK=127.0.0.1:1\n"
    problem = "does not let us push: 401"
    if kind == "basic":
        stand.front.registry = second
        problem += " (are CI_OCI_USER and CI_OCI_PASSWORD right"
    elif kind == "token":
        stand.front.issues_tokens = True
        stand.front.fail("GET /token", 401)
    elif kind == "none":
        stand.front.registry, stand.environ = second, {}
        problem = "wants a user and a password (set CI_OCI_USER and CI_OCI_PASSWORD)"
    else:
        stand.front.fail("POST .*", 403, content=b'{"errors": [{"code": "DENIED", "message": "not-the-password"}]}')
        problem = "does not let us push: 403: DENIED: [hidden] (are CI_OCI_USER"
    with pytest.raises(PublishError) as raised:
        stand.publish(stand.image("hello", "1.0-1"))
    assert problem in str(raised.value)
    assert not isinstance(raised.value, RegistryDownError)
    assert stand.clock.sleeps == []
    assert stand.published() == {}
    assert len(stand.front.asked) <= 4


@pytest.mark.parametrize("realm", ["http://registry.invalid/token", "ftp://127.0.0.1/", "https://a:b@127.0.0.1/", "x"])
def test_credentials_go_to_no_address_that_is_not_safe(stand: Stand, realm: str) -> None:
    stand.environ = {"CI_OCI_USER": USER, "CI_OCI_PASSWORD": PASSWORD}
    stand.config = stand.config.replace("=", "=https://", 1)
    stand.front.encrypt(self_signed(stand.folder))
    stand.config += f"CI_OCI_CA={stand.folder}/certificate.pem\n"
    stand.front.fail("HEAD .*", 401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    with pytest.raises(PublishError, match="wants credentials at no address that they may be sent to"):
        stand.publish(stand.image("hello", "1.0-1"))


def test_parts_go_to_another_host_without_credentials_and_to_no_strange_address(stand: Stand) -> None:
    stand.environ = {"CI_OCI_USER": USER, "CI_OCI_PASSWORD": PASSWORD}
    stand.front.issues_tokens = True
    places = ["ftp://127.0.0.1/x", "", "http://a:b@127.0.0.1/x"]

    def elsewhere(status: int, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        place = places[0] if places else other.url + headers["Location"]
        return status, {**headers, "Location": place}, content

    stand.front.fail("POST .*", alter=elsewhere)
    with RegistryFront(stand.registry) as other:
        while places:
            with pytest.raises(PublishError, match="wants parts to be sent to no address that may be used"):
                stand.publish(stand.image("hello", "1.0-1"))
            places.pop(0)
        assert not stand.publish(stand.image("hello", "1.0-1"))
        assert [one.authorization for one in other.asked] == [None] * len(other.asked) != []


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"CI_OCI_USER": "me"}, "CI_OCI_PASSWORD is missing in the environment"),
        ({"CI_OCI_PASSWORD": "canary"}, "CI_OCI_USER is missing in the environment"),
        ({"CI_OCI_USER": "me", "CI_OCI_PASSWORD": "can\nary"}, "CI_OCI_PASSWORD does not look like"),
        ({"CI_OCI_USER": "m:e", "CI_OCI_PASSWORD": "canary"}, "CI_OCI_USER has a colon"),
    ],
)
def test_half_of_the_credentials_is_said_without_them(stand: Stand, environ: dict[str, str], problem: str) -> None:
    stand.environ = environ
    with pytest.raises(ConfigError, match=problem) as raised:
        stand.publish()
    assert "canary" not in str(raised.value)


def test_no_registry_is_said(stand: Stand) -> None:
    stand.config = ""
    with pytest.raises(NotReadyError, match=r"set CI_OCI_REGISTRY"):
        stand.publish()


def test_secrets_are_in_no_argument_log_or_file(
    stand: Stand, second: Registry, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    stand.environ = {"CI_OCI_USER": USER, "CI_OCI_PASSWORD": PASSWORD}
    stand.front.issues_tokens = True
    stand.front.fail("PUT .*/manifests/1.0-1", 503, content=f'{{"errors":[{{"code":"{PASSWORD}"}}]}}'.encode(), times=2)
    tools = stand.tools
    with OciPublisher().opened(tools) as place:
        assert not place.publish([stand.image("hello", "1.0-1")], [])
    assert tools.processes.started == 0  # so there are no arguments
    said = caplog.text + "".join(capfd.readouterr())
    assert "hello 1.0-1 is pushed: " in said
    kept = b"".join(path.read_bytes() for path in (stand.folder / "own").rglob("*") if path.is_file())
    for secret in (PASSWORD, "cm9ib3Q6Y2FuYXJ5", *stand.front.tokens):
        assert secret not in said
        assert secret.encode() not in kept
    assert not any(PASSWORD in one.what for one in stand.front.asked)


# the fall-back registry


@pytest.fixture
def both(stand: Stand, second: Registry) -> Stand:
    stand.config += f"CI_OCI_FALLBACK={second.host}/{stand.namespace}\n"
    stand.environ = {
        "CI_OCI_USER": "first",
        "CI_OCI_PASSWORD": FALLBACK_PASSWORD,  # which the first does not ask for, and the second would not take
        "CI_OCI_FALLBACK_USER": USER,
        "CI_OCI_FALLBACK_PASSWORD": PASSWORD,
    }
    return stand


def test_the_fall_back_takes_it_while_the_first_is_away_and_it_comes_home(
    both: Stand, second: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old, new = both.image("hello", "1.0-1"), both.image("hello", "1.1-1")
    assert not both.publish(old)
    both.front.fail(ALL, cut=True)
    assert not both.publish(new, both.image("other", "1.0-1"))
    warned = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    away = f"{second.host}/{both.namespace}"
    assert warned[0].startswith(f"hello 1.1-1 went to {away}, and the next run that can brings it home: ")
    assert warned[1].startswith(f"other 1.0-1 went to {away}")
    assert both.there("hello", "latest", second) == both.digest_of(new)
    assert both.there("hello", "latest") == both.digest_of(old)
    # The first is given up for the rest of a run.
    assert len(both.clock.sleeps) == 4
    # A run that cannot bring it home says so, and goes on.
    caplog.clear()
    assert both.published() == {"hello": "1.1-1", "other": "1.0-1"}
    assert f"hello 1.1-1 is still at {away}" in caplog.text
    # The next one can.
    both.front.faults.clear()
    assert not both.publish()
    assert both.there("hello", "latest") == both.digest_of(new)
    assert {row["facts"]["registry"] for row in both.ledger()["packages"]} == {f"{both.front.host}/{both.namespace}"}
    assert "hello 1.1-1 is at " in caplog.text
    # The passwords went where they belong.
    assert all(one.authorization is None for one in both.front.asked)


def test_a_run_that_goes_on_brings_it_home_itself(both: Stand) -> None:
    new = both.image("hello", "1.0-1")
    with OciPublisher().opened(both.tools) as place:
        both.front.fail(ALL, cut=True)
        assert not place.publish([new], [])
        both.front.faults.clear()
        assert both.there("hello", "latest") is None
        assert not place.publish([], [])
        assert both.there("hello", "latest") == both.digest_of(new)


def test_a_registry_that_refuses_is_not_gone_round(both: Stand, second: Registry) -> None:
    both.front.fail("PUT .*/manifests/.*", 400)
    assert "does not take it: 400" in both.publish(both.image("hello", "1.0-1"))["hello"]
    assert both.there("hello", "latest", second) is None


def test_both_away_is_said_of_both(both: Stand) -> None:
    both.config = "CI_OCI_REGISTRY=127.0.0.1:1\nCI_OCI_FALLBACK=127.0.0.1:2/x\n"
    with pytest.raises(RegistryDownError, match=r"127\.0\.0\.1:1 cannot .*; 127\.0\.0\.1:2/x cannot"):
        both.publish(both.image("hello", "1.0-1"))


# older versions


def test_older_versions_leave_the_registry_when_their_time_is_over(stand: Stand) -> None:
    versions = [stand.image("hello", f"1.{number}-1") for number in range(3)]
    for delivery in versions:
        assert not stand.publish(delivery)
        stand.clock.sleep(10 * DAY_S)
    # What was replaced 20 days ago is gone, what was 10 days ago is kept.
    assert not stand.publish()
    assert stand.there("hello", "1.0-1") is None
    assert [stand.there("hello", f"1.{number}-1") for number in (1, 2)] == list(map(stand.digest_of, versions[1:]))
    assert stand.there("hello", "latest") == stand.digest_of(versions[2])
    stand.clock.sleep(100 * DAY_S)
    assert not stand.publish()
    assert stand.there("hello", "1.1-1") is None
    assert stand.there("hello", "latest") == stand.there("hello", "1.2-1") == stand.digest_of(versions[2])
    assert stand.ledger()["retired"] == []


def test_the_same_image_under_another_version_is_not_removed_with_the_older_one(stand: Stand) -> None:
    assert not stand.publish(stand.image("hello", "1.0-1", text="same"))
    assert not stand.publish(stand.image("hello", "1.1-1", text="same"))
    stand.clock.sleep(100 * DAY_S)
    assert not stand.publish()
    assert stand.there("hello", "latest") == stand.there("hello", "1.1-1") is not None
    assert stand.ledger()["retired"] == []


def test_what_somebody_made_latest_again_is_not_removed(stand: Stand) -> None:
    old = stand.image("hello", "1.0-1")
    assert not stand.publish(old)
    assert not stand.publish(stand.image("hello", "1.1-1"))
    place = f"docker://{stand.registry.host}/{stand.namespace}/hello"
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", f"{place}:1.0-1", f"{place}:latest")
    stand.clock.sleep(100 * DAY_S)
    assert not stand.publish()
    assert stand.there("hello", "latest") == stand.digest_of(old)
    assert len(stand.ledger()["retired"]) == 1


def test_what_is_gone_leaves_with_all_its_tags_in_time(stand: Stand) -> None:
    assert not stand.publish(stand.image("hello", "1.0-1"))
    assert not stand.publish(gone=("hello",))
    assert stand.published() == {}
    assert stand.there("hello", "1.0-1")
    stand.clock.sleep(100 * DAY_S)
    assert not stand.publish()
    assert stand.there("hello", "1.0-1") is None
    assert stand.there("hello", "latest") is None


def test_a_registry_that_removes_tags_has_no_latest_of_what_is_gone(stand: Stand) -> None:
    stand.front.fail("DELETE .*/manifests/latest", 202)
    assert not stand.publish(stand.image("hello", "1.0-1"))
    assert not stand.publish(gone=("hello",))
    assert [one.what for one in stand.front.asked if one.what.startswith("DELETE")] == [
        f"DELETE /v2/{stand.namespace}/hello/manifests/latest"
    ]


def test_a_registry_that_removes_nothing_is_said_once(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    stand.front.fail("DELETE .*", 405, content=b'{"errors": [{"code": "UNSUPPORTED"}]}')
    for number in range(3):
        assert not stand.publish(stand.image("hello", f"1.{number}-1"))
    stand.clock.sleep(100 * DAY_S)
    assert not stand.publish()
    (said,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    what = f"what should leave {stand.front.host}/{stand.namespace} stays there, for its owner to remove"
    assert said == f"{what}: it answers 405: UNSUPPORTED"
    assert stand.ledger()["retired"] == []
    assert stand.there("hello", "1.0-1")


def test_what_cannot_be_removed_now_is_removed_later(stand: Stand) -> None:
    assert not stand.publish(stand.image("hello", "1.0-1"))
    assert not stand.publish(stand.image("hello", "1.1-1"))
    stand.clock.sleep(100 * DAY_S)
    stand.front.fail("DELETE .*", 503)
    assert not stand.publish()
    assert len(stand.ledger()["retired"]) == 1
    stand.front.faults.clear()
    assert not stand.publish()
    assert stand.there("hello", "1.0-1") is None
    assert stand.ledger()["retired"] == []
