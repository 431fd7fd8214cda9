"""HTTP to a registry of container images: the only place where its credentials are put into a request.

Every step can be made twice, so what fails for a reason that may pass (429, 5xx, a connection that is cut) is made
again after a while, which is as long as the registry asks for where it says so. A registry that has used up all its
attempts is asked nothing more. What it says is never shown with a secret in it.

The protocol is spoken here, and not by a program such as skopeo: those repeat in their own way for half a minute or
more, tell by prose alone whether credentials or the registry are at fault, cannot remove a single tag, and unpack an
archive to send it.

Source: the OCI distribution specification 1.1; "Token Authentication Specification" of the distribution project.
"""

from __future__ import annotations

import base64
import json
import random
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import requests
import urllib3

from ci_toolkit import __version__
from ci_toolkit.effects.http_trouble import WithoutRedirects, growing_wait_s, retry_after_s, trouble
from ci_toolkit.errors import ConfigError, PublishError, RefusedError, shortened
from ci_toolkit.formats.service_url import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping
    from contextlib import AbstractContextManager

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.formats.oci_reference import OciRegistry

T = TypeVar("T")

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_OF_THIS_CONTENT = frozenset({400, 413, 415, 422})
_LIMIT_BYTES = 5 << 20  # a manifest has at most 4 MiB
_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,65536}")


class RegistryDownError(PublishError):
    """A registry that could not be reached, or did not work, however often it was asked."""


class _PassingError(Exception):
    """What may be over when it is tried again, after `retry_after_s` seconds where the registry says so."""

    def __init__(self, problem: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCredentials:
    """A user and a password or token; `variables` are what they are set with."""

    user: str
    password: str
    variables: str

    def __repr__(self) -> str:
        return "RegistryCredentials([hidden])"

    @property
    def basic(self) -> str:
        """The value of the one header that they go into."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryManners:
    """How a registry is treated; times are seconds, those for connecting and reading limit a silence.

    One that has been sent a large part may be silent longer, as it writes that to a disk of so many bytes a second.
    """

    attempts: int = 5
    backoff_s: float = 1.0
    longest_wait_s: float = 60.0
    connect_timeout_s: float = 20.0  # which is the limit for a stop while something is sent, too
    read_timeout_s: float = 60.0
    slowest_disk: float = 10e6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryManifest:
    """A manifest as a registry gives it, and the digest that it says this has, if it says one."""

    content: bytes
    said_digest: str | None


class RegistryHttp:
    """Asks one registry, one request at a time. Not for use from several threads.

    Every method raises RegistryDownError when the registry does not work in all attempts, another PublishError when it
    does not let us in, and RefusedError when it does not want what it is sent.
    """

    def __init__(
        self,
        registry: OciRegistry,
        *,
        credentials: RegistryCredentials | None,
        ca: str | None,
        clock: Clock,
        manners: RegistryManners,
    ) -> None:
        self._registry = registry
        self._credentials = credentials
        self._verify: str | bool = ca or True
        self._clock = clock
        self._manners = manners
        self._down = ""
        self._is_basic = False
        self._tokens: dict[str, str] = {}
        self._session = _session()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def push_blob(
        self, repository: str, digest: str, size_bytes: int, opened: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        """Send a part of an image unless it is there; `opened` gives a stream of it, from the first byte."""
        self._often(lambda: self._push_blob(repository, digest, size_bytes, opened))

    def put_manifest(self, repository: str, reference: str, content: bytes, *, media_type: str) -> None:
        """Make a reference, a tag or the content's own digest, mean this."""
        url, headers = self._url(repository, "manifests", reference), {"Content-Type": media_type}
        self._often(lambda: self._ask("PUT", url, repository, statuses=(200, 201, 202), headers=headers, body=content))

    def manifest(self, repository: str, reference: str, *, media_types: tuple[str, ...]) -> RegistryManifest | None:
        """What a reference means; None when there is no such thing."""
        url, headers = self._url(repository, "manifests", reference), {"Accept": ", ".join(media_types)}
        answer = self._often(lambda: self._ask("GET", url, repository, statuses=(200, 404), headers=headers))
        if answer.status == requests.codes.not_found:
            return None
        return RegistryManifest(content=answer.body, said_digest=answer.headers.get("Docker-Content-Digest"))

    def delete(self, repository: str, reference: str) -> str | None:
        """Remove a manifest, or a tag; None when it is gone, or else why the registry does not do it."""
        url = self._url(repository, "manifests", reference)
        statuses = (200, 202, 204, 400, 403, 404, 405, 501)
        answer = self._often(lambda: self._ask("DELETE", url, repository, statuses=statuses))
        if answer.status in (200, 202, 204, 404):
            return None
        return f"it answers {answer.status}{self._said(answer)}"

    # one step

    def _push_blob(
        self, repository: str, digest: str, size_bytes: int, opened: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        known = self._ask(
            "HEAD", self._url(repository, "blobs", digest), repository, statuses=(200, 302, 303, 307, 404)
        )
        if known.status == requests.codes.ok:
            return
        start = self._url(repository, "blobs", "uploads/")
        session = self._ask("POST", start, repository, statuses=(202,))
        place = self._upload_url(start, session.headers.get("Location", ""), digest)
        with opened() as stream:
            headers = {"Content-Type": "application/octet-stream"}
            body = stream if size_bytes else None
            headers |= self._authorization(place, _scope(repository, "PUT"))
            answer = self._once("PUT", place, headers, body, more_s=size_bytes / self._manners.slowest_disk)
        if answer.status not in (201, 202, 204):
            # Of the session that was begun it may know nothing any more, and what it took may be another's fault.
            self._tokens.clear()
            if answer.status in (400, 401, 404, 416):
                raise _PassingError(self._problem(answer))
            raise self._error(answer)

    def _upload_url(self, start: str, location: str, digest: str) -> str:
        try:
            url = urljoin(start, location)
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        is_safe = parts.scheme in ("https", urlsplit(start).scheme) and parts.hostname and "@" not in parts.netloc
        if not location or not is_safe:
            raise PublishError(f"{self._registry} wants parts to be sent to no address that may be used")
        return f"{url}{'&' if parts.query else '?'}{urlencode({'digest': digest})}"

    # one request, often

    def _often(self, step: Callable[[], T]) -> T:
        if self._down:
            raise RegistryDownError(self._down)
        attempt = 1
        while True:
            try:
                return step()
            except _PassingError as error:
                wait_s = self._wait_s(error, attempt)
                if attempt == self._manners.attempts or wait_s > self._manners.longest_wait_s:
                    self._down = error.problem
                    raise RegistryDownError(error.problem, hint="the next run tries it again") from error
            self._clock.sleep(wait_s)
            attempt += 1

    def _wait_s(self, error: _PassingError, attempt: int) -> float:
        if error.retry_after_s is not None:
            jitter = random.uniform(0.0, 1.0)  # noqa: S311 - no secret
            return error.retry_after_s + self._manners.backoff_s * jitter
        return growing_wait_s(self._manners.backoff_s, attempt)

    def _ask(
        self,
        method: str,
        url: str,
        repository: str,
        *,
        statuses: Container[int],
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> _Answer:
        """An answer of one of these statuses, with credentials where they are asked for."""
        scope = _scope(repository, method)
        answer = self._once(method, url, {**(headers or {}), **self._authorization(url, scope)}, body)
        if answer.status == requests.codes.unauthorized:
            self._authorize(answer, scope)
            answer = self._once(method, url, {**(headers or {}), **self._authorization(url, scope)}, body)
        if answer.status not in statuses:
            raise self._error(answer)
        return answer

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: object, *, more_s: float = 0.0) -> _Answer:
        timeout = (self._manners.connect_timeout_s, self._manners.read_timeout_s + more_s)
        with (
            self._translated(),
            self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,  # type: ignore[arg-type]  # anything that has a length and can be read
                timeout=timeout,
                allow_redirects=False,
                stream=True,
                verify=self._verify,
            ) as response,
        ):
            content = response.raw.read(_LIMIT_BYTES + 1, decode_content=True)
            if len(content) > _LIMIT_BYTES:
                raise PublishError(f"{self._registry} answers with more than {_LIMIT_BYTES} bytes")
            answer = _Answer(status=response.status_code, headers=response.headers, body=content)
        if answer.status in _PASSING:
            raise _PassingError(self._problem(answer), retry_after_s=retry_after_s(answer.headers, self._clock.now()))
        return answer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What may pass as such, and what is a matter of certificates as what people have to settle."""
        try:
            yield
        except requests.exceptions.SSLError:
            hint = "CI_OCI_CA names a file with its authority's certificate"
            raise PublishError(f"the certificate of {self._registry} is not accepted", hint=hint) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
            # Its own text, and that of its causes, may have in it what was sent.
            raise _PassingError(f"{self._registry} cannot be reached: {trouble(error)}") from None

    # credentials

    def _authorization(self, url: str, scope: str) -> dict[str, str]:
        here, there = urlsplit(self._registry.url), urlsplit(url)
        if (here.scheme, here.netloc.lower()) != (there.scheme, there.netloc.lower()):
            return {}
        if scope in self._tokens:
            return {"Authorization": f"Bearer {self._tokens[scope]}"}
        if self._is_basic and self._credentials is not None:
            return {"Authorization": self._credentials.basic}
        return {}

    def _authorize(self, answer: _Answer, scope: str) -> None:
        """Get what the registry wants to see; PublishError when we do not have it, or it has seen it already."""
        scheme, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        if scheme.lower() == "bearer" and parameters.get("realm"):
            self._tokens[scope] = self._token(parameters, scope)
        elif scheme.lower() == "basic" and self._credentials is not None and not self._is_basic:
            self._is_basic = True
        else:
            raise self._error(answer)

    def _token(self, parameters: Mapping[str, str], scope: str) -> str:
        realm = parameters["realm"]
        parts = urlsplit(realm)
        is_plain = parts.scheme == "http" and (is_loopback(parts.hostname or "") or not self._registry.is_encrypted)
        if (parts.scheme != "https" and not is_plain) or "@" in parts.netloc or not parts.hostname:
            raise PublishError(f"{self._registry} wants credentials at no address that they may be sent to")
        asked = {"scope": scope} | ({"service": parameters["service"]} if "service" in parameters else {})
        headers = {} if self._credentials is None else {"Authorization": self._credentials.basic}
        answer = self._once("GET", f"{realm}{'&' if parts.query else '?'}{urlencode(asked)}", headers, None)
        value = _json(answer.body)
        if answer.status == requests.codes.ok and isinstance(value, dict):
            for name in ("token", "access_token"):
                if isinstance(value.get(name), str) and _TOKEN.fullmatch(value[name]):
                    return str(value[name])
        raise self._error(answer)

    # what is said

    def _error(self, answer: _Answer) -> PublishError | RefusedError:
        if answer.status in (401, 403):
            if self._credentials is None:
                return PublishError(
                    f"{self._registry} wants a user and a password", hint="set CI_OCI_USER and CI_OCI_PASSWORD"
                )
            return PublishError(
                f"{self._registry} does not let us push: {answer.status}{self._said(answer)}",
                hint=f"are {self._credentials.variables} right, and may that user write there?",
            )
        if answer.status in _OF_THIS_CONTENT:
            return RefusedError(f"{self._registry} does not take it: {answer.status}{self._said(answer)}")
        hint = "is it the address of a registry, and does its namespace exist?"
        return PublishError(self._problem(answer), hint=hint)

    def _problem(self, answer: _Answer) -> str:
        return f"{self._registry} answers {answer.status}{self._said(answer)}"

    def _said(self, answer: _Answer) -> str:
        """The first of the errors that it lists, or nothing; without our secrets, which it may send back."""
        match _json(answer.body):
            case {"errors": [{"code": str(code), **rest}, *_]}:
                message = rest.get("message")
                text = f"{code}: {message}" if isinstance(message, str) and message else code
            case _:
                return ""
        for secret in self._secrets():
            text = text.replace(secret, "[hidden]")
        return ": " + shortened("".join(char if char.isprintable() else " " for char in text), 200)

    def _secrets(self) -> Iterator[str]:
        yield from self._tokens.values()
        if self._credentials is not None:
            yield self._credentials.password
            yield self._credentials.basic.partition(" ")[2]

    def _url(self, repository: str, kind: str, reference: str) -> str:
        return f"{self._registry.url}/v2/{repository}/{kind}/{reference}"


def check_certificates(path: str | None) -> None:
    """ConfigError when this is no file to check certificates with."""
    if path is None:
        return
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as requests takes it
            file.read(1)
    except OSError as error:
        raise ConfigError("is no file of certificates", key="CI_OCI_CA", got=path) from error


def _scope(repository: str, method: str) -> str:
    return f"repository:{repository}:{'delete' if method == 'DELETE' else 'pull,push'}"


def _session() -> requests.Session:
    session = WithoutRedirects()
    # Without one of its own a session would send what ~/.netrc holds for a host.
    session.auth = lambda request: request
    session.cookies.set_policy(requests.cookies.cookielib.DefaultCookiePolicy(allowed_domains=[]))  # type: ignore[attr-defined]  # the stubs lack it
    session.headers.update({"User-Agent": f"ci-toolkit/{__version__}", "Accept-Encoding": "identity"})
    return session


def _json(content: bytes) -> Any:  # noqa: ANN401 - any JSON, None for what is none
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
