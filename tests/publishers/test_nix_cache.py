"""Nix binary caches: whole at every moment, signed, never two contents of one name, and as Nix itself reads them."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, NotReadyError, PublishError, RefusedError
from ci_toolkit.formats.nix_signatures import generate_secret_key, parse_public_key
from ci_toolkit.formats.store_path import NIX_STORE
from ci_toolkit.publishers.nix_cache.key import make_nix_key, nix_key
from ci_toolkit.publishers.nix_cache.publisher import NixCachePublisher
from tests.support import killed_nix_cache
from tests.support.deliveries import delivery_of
from tests.support.http_service import FakeClock
from tests.support.killings import killed_everywhere
from tests.support.nix_caches import check_cache, files_of, infos
from tests.support.nix_exports import KEY, export, exported, nix_delivery, nix_tools, store_path
from tests.support.nix_store import NixStore, needs_nix
from tests.support.object_service import ObjectService
from tests.support.pacman_stand import DAY_S, SteppingClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci_toolkit.formats.narinfo import NarInfo
    from ci_toolkit.publishers.spec import Delivery, PublisherTools

PUBLISHER = NixCachePublisher()


def publish(tools: PublisherTools, deliveries: Sequence[Delivery], gone: Sequence[str] = ()) -> dict[str, str]:
    with PUBLISHER.opened(tools) as place:
        return dict(place.publish(deliveries, gone))


@pytest.fixture
def tools(tmp_path: Path) -> PublisherTools:
    return nix_tools(tmp_path / "place")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "place/cache"


@pytest.fixture
def service() -> Iterator[ObjectService]:
    with ObjectService("canary-token") as running:
        yield running


def http_tools(tmp_path: Path, service: ObjectService, clock: FakeClock) -> PublisherTools:
    return nix_tools(
        tmp_path / "place",
        config=f"CI_NIX_CACHE = {service.url}/one\n",
        environ={"CI_NIX_CACHE_TOKEN": "canary-token"},
        clock=clock,
    )


def below(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix("one/"): content for name, content in files.items()}


# what is there


@pytest.mark.parametrize("compression", ["zstd", "xz", "none"])
def test_a_closure_is_there_whole_and_signed(tmp_path: Path, cache: Path, compression: str) -> None:
    tools = nix_tools(tmp_path / "place", config=f"CI_NIX_COMPRESSION = {compression}\n")
    assert not publish(tools, [nix_delivery(tmp_path, "tool")])
    files = files_of(cache)
    found = check_cache(files)
    assert found.keys() == {"tool", "lib"}
    assert {info.compression for info in found.values()} == {compression}
    assert found["tool"].references == tuple(sorted([found["lib"].path, found["tool"].path]))
    assert f"StoreDir: {NIX_STORE}" in files["nix-cache-info"].decode()
    assert parse_public_key(files["public-key"].decode()) == KEY.public
    assert {name for name in files if not name.endswith(".narinfo")} == {
        "nix-cache-info",
        "public-key",
        *(info.url for info in found.values()),
    }


def test_the_same_again_writes_nothing(tmp_path: Path, tools: PublisherTools, cache: Path) -> None:
    delivery = nix_delivery(tmp_path, "tool")
    publish(tools, [delivery])
    before = {path: path.stat().st_ino for path in cache.rglob("*")}
    publish(tools, [delivery])
    assert {path: path.stat().st_ino for path in cache.rglob("*")} == before


def test_what_is_lost_there_is_put_back_when_it_is_published_again(
    tmp_path: Path, tools: PublisherTools, cache: Path
) -> None:
    delivery = nix_delivery(tmp_path, "tool")
    publish(tools, [delivery])
    before = files_of(cache)
    for name in before:
        (cache / name).unlink()
    publish(tools, [delivery])
    assert files_of(cache) == before


def test_all_that_is_kept_comes_along_to_a_new_place(tmp_path: Path, tools: PublisherTools, cache: Path) -> None:
    publish(tools, [nix_delivery(tmp_path, "tool", "1-1"), nix_delivery(tmp_path, "thing", library="two")])
    publish(tools, [nix_delivery(tmp_path, "tool", "2-1")])
    before = files_of(cache)
    elsewhere = nix_tools(tmp_path / "place", config=f"CI_NIX_CACHE = {tmp_path}/elsewhere\n")
    publish(elsewhere, [nix_delivery(tmp_path, "new")])
    found = files_of(tmp_path / "elsewhere")
    check_cache(found)
    assert before.keys() < found.keys()
    assert files_of(cache) == before
    # Also where the list of what is there got lost.
    for path in (tmp_path / "place/cache-index.json", *(tmp_path / "elsewhere").glob("*.narinfo")):
        path.unlink()
    publish(elsewhere, [], ["nobody"])
    assert files_of(tmp_path / "elsewhere") == found


def test_what_was_on_its_way_to_a_new_place_when_a_run_was_killed_gets_there(
    tmp_path: Path, tools: PublisherTools, cache: Path
) -> None:
    publish(tools, [nix_delivery(tmp_path, "tool"), nix_delivery(tmp_path, "thing", library="two")])
    before = files_of(cache)
    index = tmp_path / "place/cache-index.json"
    index.write_text(re.sub(r'"narinfo": "[^"]*"', '"narinfo": ""', index.read_text()))
    for name in list(before)[::2]:
        (cache / name).unlink()
    publish(tools, [nix_delivery(tmp_path, "new", library="three")])
    found = files_of(cache)
    check_cache(found)
    assert before.items() <= found.items()


def test_an_export_that_was_damaged_meanwhile_keeps_the_others_from_no_new_place(
    tmp_path: Path, tools: PublisherTools, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tools, [nix_delivery(tmp_path, "tool"), nix_delivery(tmp_path, "thing")])
    with PUBLISHER.opened(tools) as place:
        (broken,) = [one.place for one in place.available() if one.base == "tool"]
    Path(broken).chmod(0o644)
    Path(broken).write_bytes(b"damaged")
    elsewhere = nix_tools(tmp_path / "place", config=f"CI_NIX_CACHE = {tmp_path}/elsewhere\n")
    with caplog.at_level(logging.WARNING):
        assert not publish(elsewhere, [nix_delivery(tmp_path, "new")])
    assert "tool-1.0-1" in caplog.text
    assert check_cache(files_of(tmp_path / "elsewhere")).keys() == {"thing", "new", "lib"}


def test_two_exports_of_one_build_cannot_contradict_each_other(
    tmp_path: Path, tools: PublisherTools, cache: Path
) -> None:
    one = exported(tmp_path / "a", "tool")
    two = exported(tmp_path / "b", "other")
    two.write_bytes(export([(store_path("lib", "one"), b"another", ())]))
    refused = publish(tools, [delivery_of("tool", [one, two])])
    assert "another content" in refused["tool"]
    assert not infos(files_of(cache)) if cache.exists() else True


def test_one_path_has_one_content_for_ever(tmp_path: Path, tools: PublisherTools, cache: Path) -> None:
    publish(tools, [nix_delivery(tmp_path / "a", "tool")])
    before = files_of(cache)
    other = nix_delivery(tmp_path / "b", "tool", text="something else")
    # Another folder's closure that holds a path which it did not make is refused likewise.
    lib = store_path("lib", "one")
    stolen = exported(tmp_path / "c", "thief")
    stolen.write_bytes(export([(lib, b"not the library", ()), (store_path("thief"), b"x", (lib,))]))
    refused = publish(tools, [other, delivery_of("thief", [stolen])])
    assert refused.keys() == {"tool", "thief"}
    assert "another content" in refused["tool"]
    assert str(lib) in refused["thief"]
    assert files_of(cache) == before
    with PUBLISHER.opened(tools) as place:
        assert [package.base for package in place.available()] == ["tool"]


def test_what_contradicts_what_comes_along_with_it_is_refused(
    tmp_path: Path, tools: PublisherTools, cache: Path
) -> None:
    one, two = nix_delivery(tmp_path / "a", "tool"), nix_delivery(tmp_path / "b", "thing")
    (path,) = two.files
    lib = store_path("lib", "one")
    path.write_bytes(export([(lib, b"another", ()), (store_path("thing"), b"x", (lib,))]))
    assert publish(tools, [one, two]).keys() == {"thing"}
    assert check_cache(files_of(cache)).keys() == {"tool", "lib"}


def test_two_paths_with_the_same_content_share_an_archive_until_both_are_gone(tmp_path: Path, cache: Path) -> None:
    clock = SteppingClock()
    tools = nix_tools(tmp_path / "place", clock=clock, keep_s=DAY_S)
    twins = {}
    for name in ("one", "two"):
        delivery = nix_delivery(tmp_path / name, name)
        delivery.files[0].write_bytes(export([(store_path(name), b"the same", ())]))
        twins[name] = delivery
    publish(tools, list(twins.values()))
    assert len(list((cache / "nar").iterdir())) == 1
    publish(tools, [], ["one"])
    clock.time += 2 * DAY_S
    publish(tools, [], ["nobody"])
    assert check_cache(files_of(cache)).keys() == {"two"}


# what leaves


def test_older_closures_stay_for_as_long_as_is_asked_and_what_others_need_stays_with_them(
    tmp_path: Path, cache: Path
) -> None:
    clock = SteppingClock()
    tools = nix_tools(tmp_path / "place", clock=clock, keep_s=DAY_S)
    publish(tools, [nix_delivery(tmp_path, "tool", "1-1"), nix_delivery(tmp_path, "thing", "1-1", library="two")])
    publish(tools, [nix_delivery(tmp_path, "tool", "2-1", library="two")])
    publish(tools, [], ["thing"])
    assert len(_narinfos(cache)) == 5
    clock.time += 2 * DAY_S
    publish(tools, [], ["nobody"])
    left = check_cache(files_of(cache))
    assert {info.path for info in left.values()} == {store_path("lib", "two"), store_path("tool", "2-1 ")}
    assert len(list((cache / "nar").iterdir())) == 2
    assert len(PUBLISHER.kept(tools)) == 1


def _narinfos(cache: Path) -> list[str]:
    return [path.name for path in cache.glob("*.narinfo")]


def test_what_cannot_be_removed_now_keeps_nobody_from_publishing_and_goes_later(
    tmp_path: Path, service: ObjectService, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    tools = replace(http_tools(tmp_path, service, clock), keep_s=DAY_S)
    publish(tools, [nix_delivery(tmp_path, "tool", library="old")])
    publish(tools, [], ["tool"])
    clock.time += 2 * DAY_S
    service.fail("DELETE", 403)
    with caplog.at_level(logging.WARNING):
        assert not publish(tools, [nix_delivery(tmp_path, "thing", library="new")])
    assert "DELETE" in caplog.text
    assert {"tool", "thing"} <= infos(below(service.files)).keys()
    publish(tools, [], ["nobody"])
    assert check_cache(below(service.files)).keys() == {"thing", "lib"}


# keys


def test_nothing_is_published_unsigned(tmp_path: Path, cache: Path) -> None:
    tools = nix_tools(tmp_path / "place", environ={"CI_NIX_SIGNING_KEY": ""})
    with pytest.raises(NotReadyError, match="nothing is published unsigned"), PUBLISHER.opened(tools):
        pass
    for wrong in ("canary", "name:c2hvcnQ=", KEY.text[:-8]):
        with (
            pytest.raises(NotReadyError) as caught,
            PUBLISHER.opened(replace(tools, environ={"CI_NIX_SIGNING_KEY": wrong})),
        ):
            pass
        assert caught.value.key == "CI_NIX_SIGNING_KEY"
        assert wrong not in str(caught.value)
    assert not cache.exists()


def test_a_key_that_is_made_signs_and_is_nobody_elses(tmp_path: Path, cache: Path) -> None:
    tools = nix_tools(tmp_path / "place", environ={"CI_NIX_SIGNING_KEY": ""})
    public = make_nix_key(tools.folder, "cache.example.org-1")
    path = tools.folder / "secret-key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert nix_key(tools.folder, {}).public == public
    publish(tools, [nix_delivery(tmp_path, "tool")])
    check_cache(files_of(cache), public)
    assert all(nix_key(tools.folder, {}).text.encode() not in content for content in files_of(cache).values())
    with pytest.raises(RefusedError, match="there already"):
        make_nix_key(tools.folder, "another")
    path.chmod(0o644)
    with pytest.raises(NotReadyError, match="can be read by others"):
        nix_key(tools.folder, {})


def test_with_another_key_all_that_is_there_is_signed_anew(tmp_path: Path, tools: PublisherTools, cache: Path) -> None:
    publish(tools, [nix_delivery(tmp_path, "tool")])
    other = generate_secret_key("tests-2")
    again = replace(tools, environ={**tools.environ, "CI_NIX_SIGNING_KEY": other.text})
    publish(again, [nix_delivery(tmp_path, "thing", library="two")])
    files = files_of(cache)
    check_cache(files, other.public)
    assert len(_narinfos(cache)) == 4
    assert parse_public_key(files["public-key"].decode()) == other.public


# what is handed in


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no export"),
        (b"\0" * 8, "has no paths"),
        (b"x" * 1000, "no export"),
        (export([(store_path("tool"), b"x", (store_path("missing"),))]), "not before it"),
        (export([(store_path("tool"), b"x", ())] * 2), "twice"),
        (export([(store_path("tool"), b"x", ())])[:-1], "cut off|damaged|no export"),
        (export([(store_path("tool"), b"x", ())]) + b"more", "behind its end"),
        (export([(store_path("tool"), b"x", ())]).replace(b"/nix/store", b"/nix/stor2"), "not in the store"),
    ],
    ids=range(8),
)
def test_what_is_no_closure_is_refused_and_changes_nothing(
    tmp_path: Path, tools: PublisherTools, cache: Path, content: bytes, said: str
) -> None:
    publish(tools, [nix_delivery(tmp_path / "good", "good")])
    before = files_of(cache)
    delivery = nix_delivery(tmp_path, "tool")
    delivery.files[0].write_bytes(content)
    refused = publish(tools, [delivery])
    assert refused.keys() == {"tool"}
    assert re.search(said, refused["tool"]), refused
    assert "tool-1.0-1" in refused["tool"]
    assert files_of(cache) == before


def test_another_kind_of_file_is_refused(tmp_path: Path, tools: PublisherTools) -> None:
    delivery = nix_delivery(tmp_path, "tool")
    path = delivery.files[0].rename(tmp_path / "tool-1.0-1-any.tar")
    packages = (replace(delivery.packages[0], path=path),)
    assert "no export" in publish(tools, [replace(delivery, packages=packages)])["tool"]


def test_a_folder_of_another_store_is_left_alone(tmp_path: Path, tools: PublisherTools, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "nix-cache-info").write_text("StoreDir: /gnu/store\n")
    with pytest.raises(PublishError, match="another store"):
        publish(tools, [nix_delivery(tmp_path, "tool")])
    assert files_of(cache).keys() == {"nix-cache-info"}


# servers


def test_a_server_gets_everything_in_an_order_that_readers_can_live_with(
    tmp_path: Path, service: ObjectService
) -> None:
    def whole(_: str) -> None:
        check_cache(below(dict(service.files)))

    service.seen = whole
    tools = http_tools(tmp_path, service, FakeClock())
    assert not publish(tools, [nix_delivery(tmp_path, "tool"), nix_delivery(tmp_path, "thing")])
    assert check_cache(below(service.files)).keys() == {"tool", "thing", "lib"}
    assert {one.authorization for one in service.requests} == {"Bearer canary-token"}
    writes = [one.name for one in service.requests if one.method == "PUT"]
    assert [name.endswith(".narinfo") for name in writes] == sorted(name.endswith(".narinfo") for name in writes)
    requests = len(service.requests)
    publish(tools, [nix_delivery(tmp_path, "tool")])
    assert {one.method for one in service.requests[requests:]} <= {"GET", "HEAD"}


def test_trouble_that_passes_is_waited_for(tmp_path: Path, service: ObjectService) -> None:
    clock = FakeClock()
    service.fail("PUT one/nar/", 429, headers={"Retry-After": "7"})
    service.fail("PUT one/nar/", 503, times=2)
    service.fail("PUT one/nar/")
    service.fail("narinfo", 500, acts=True)
    service.fail("HEAD one/nar/", 502)
    assert not publish(http_tools(tmp_path, service, clock), [nix_delivery(tmp_path, "tool")])
    check_cache(below(service.files))
    assert clock.sleeps.count(7.0) == 1
    assert len(clock.sleeps) == 6


@pytest.mark.parametrize("where", ["PUT one/nar/", "narinfo", "PUT one/nix-cache-info", "HEAD one/nar"])
@pytest.mark.parametrize("status", [0, 500, 403])
def test_trouble_that_does_not_pass_leaves_what_was_published(
    tmp_path: Path, service: ObjectService, where: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    tools = http_tools(tmp_path, service, FakeClock())
    if "info" not in where.partition("nix-cache")[2]:
        publish(tools, [nix_delivery(tmp_path, "good", library="old")])
    before = dict(service.files)
    service.fail(where, status, times=1000)
    with pytest.raises(PublishError) as caught:
        publish(tools, [nix_delivery(tmp_path, "tool")])
    assert "canary-token" not in f"{caught.value!r}{caught.value}{caplog.text}"
    assert _seen(service.files) == _seen(before)
    with PUBLISHER.opened(tools) as place:
        assert {package.base for package in place.available()} <= {"good"}
    service.faults.clear()
    assert not publish(tools, [nix_delivery(tmp_path, "tool")])
    assert {"tool", "lib"} <= check_cache(below(service.files)).keys()


def _seen(files: dict[str, bytes]) -> dict[str, bytes]:
    """What clients find: archives that nothing describes are not found."""
    return {name: content for name, content in files.items() if name.endswith(".narinfo")}


def test_what_was_written_before_the_trouble_is_taken_back(tmp_path: Path, service: ObjectService) -> None:
    tools = http_tools(tmp_path, service, FakeClock())
    publish(tools, [nix_delivery(tmp_path, "good", library="old")])
    before = dict(service.files)
    service.fail("PUT one/", 403, skip=3, times=1000)
    with pytest.raises(PublishError, match="403"):
        publish(tools, [nix_delivery(tmp_path, "tool")])
    assert [one.method for one in service.requests].count("DELETE") > 2
    assert service.files == before


@pytest.mark.parametrize("name", ["nar/", ".narinfo", "nix-cache-info"])
def test_a_server_that_keeps_something_else_is_not_believed(tmp_path: Path, service: ObjectService, name: str) -> None:
    service.lies_about = name
    with pytest.raises(PublishError, match="sent there"):
        publish(http_tools(tmp_path, service, FakeClock()), [nix_delivery(tmp_path, "tool")])
    assert not infos(below(service.files))


def test_nobody_is_followed_elsewhere(tmp_path: Path, service: ObjectService) -> None:
    with ObjectService() as other:
        service.fail("PUT one/nar/", 307, headers={"Location": f"{other.url}/one/x"}, times=100)
        with pytest.raises(PublishError, match="307"):
            publish(http_tools(tmp_path, service, FakeClock()), [nix_delivery(tmp_path, "tool")])
        assert other.requests == []


def test_a_token_is_not_sent_in_the_open(tmp_path: Path) -> None:
    tools = nix_tools(
        tmp_path / "place",
        config="CI_NIX_CACHE = http://cache.example.org\n",
        environ={"CI_NIX_CACHE_TOKEN": "canary-token"},
    )
    with pytest.raises(ConfigError, match="not encrypted") as caught, PUBLISHER.opened(tools):
        pass
    assert "canary" not in str(caught.value)


# killed


def test_killed_anywhere_readers_find_paths_whole_and_the_next_run_finds_its_way(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    killed_nix_cache.prepare(tmp_path / "before")
    killed, last = killed_everywhere("tests.support.killed_nix_cache", tmp_path)
    assert len(killed) > 30
    wanted = files_of(last / "place/cache")
    assert check_cache(wanted).keys() == {"tool", "thing", "lib"}
    for folder in killed:
        assert {"tool", "lib"} <= check_cache(files_of(folder / "place/cache")).keys()
        killed_nix_cache.tell(folder)
        assert files_of(folder / "place/cache") == wanted
        assert not (folder / "place/outgoing").exists()


# Nix itself


@pytest.fixture
def root(tmp_path: Path) -> NixStore:
    return NixStore(tmp_path / "nix")


def copied(tmp_path: Path, url: str, path: str, key: str) -> int:
    """What `nix copy` ends with when somebody takes a path who trusts this key."""
    configuration = tmp_path / "etc"
    configuration.mkdir(exist_ok=True)
    (configuration / "nix.conf").write_text(
        "build-users-group =\nsandbox = false\nsubstituters =\nexperimental-features = nix-command\n"
        f"trusted-public-keys = {key}\nfsync-metadata = false\n"
    )
    done = _nix(tmp_path, "copy", "--from", url, path)
    if done.returncode:
        assert b"signature" in done.stderr, done.stderr.decode()
        return done.returncode
    return _nix(tmp_path, "store", "verify", "--recursive", path).returncode


@needs_nix
@pytest.mark.parametrize("compression", ["zstd", "xz", "none"])
def test_nix_takes_paths_from_the_folder_with_the_right_key_and_no_other(
    tmp_path: Path, cache: Path, compression: str
) -> None:
    tools = nix_tools(tmp_path / "place", config=f"CI_NIX_COMPRESSION = {compression}\n")
    publish(tools, [nix_delivery(tmp_path, "tool")])
    path = str(store_path("tool", "1.0-1 "))
    wrong = generate_secret_key(KEY.name).public
    assert copied(tmp_path, f"file://{cache}", path, str(wrong)) != 0
    assert not (tmp_path / f"client{path}").exists()
    assert copied(tmp_path, f"file://{cache}", path, str(KEY.public)) == 0
    assert (tmp_path / f"client{path}/bin").read_bytes() == b"#!hello"
    # A cache that Nix itself makes of what it got says the same of it.
    other = tmp_path / "other"
    _nix(tmp_path, "copy", "--to", f"file://{other}", path)
    theirs, ours = infos(files_of(other)), infos(files_of(cache))
    assert theirs.keys() == ours.keys()
    assert all(_facts(theirs[name]) == _facts(ours[name]) for name in ours)
    assert files_of(other)["nix-cache-info"].splitlines()[0] == files_of(cache)["nix-cache-info"].splitlines()[0]


def _facts(info: NarInfo) -> tuple[object, ...]:
    return (info.path, info.nar_sha256, info.nar_size_bytes, info.references, info.deriver)


def _nix(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "NIX_CONF_DIR": str(tmp_path / "etc"),
        "XDG_CACHE_HOME": str(tmp_path / "cache-of-nix"),
    }
    argv = ["nix", "--store", str(tmp_path / "client"), *words]
    return subprocess.run(argv, env=env, capture_output=True, check=False)


@needs_nix
def test_nix_takes_paths_from_a_web_server_over_the_folder(tmp_path: Path, tools: PublisherTools, cache: Path) -> None:
    publish(tools, [nix_delivery(tmp_path, "tool")])

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(cache)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        assert copied(tmp_path, url, str(store_path("tool", "1.0-1 ")), str(KEY.public)) == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
