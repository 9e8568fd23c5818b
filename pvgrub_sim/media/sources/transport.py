"""One HTTP request after another over a connection that is kept open: redirects, proxies, and nothing else."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from functools import partial
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from pvgrub_sim import __version__
from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.sources.answers import Clock, Response
from pvgrub_sim.typed import Final, cast
from pvgrub_sim.values import NamedTuple

TIMEOUT: Final = 30.0
"""Seconds without a byte from the server."""
PATIENCE = 60.0
"""Seconds until the head of an answer must be there, redirections included."""
MOST_REDIRECTS: Final = 10
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_GZIP: Final = (".gz", ".tgz")
_URL_SAFE: Final = "/:@!$&'()*+,;=-._~%"


def display_name(url: str) -> str:
    """A URL without what may be secret in it: user and password, and the query, in which signatures stand."""
    parts = _split(url)
    query = "?…" if parts.query else ""
    return f"{parts.scheme}://{_address(parts)}{parts.path}{query}"


def _address(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or parts.port == 0 or not _is_host(parts.hostname or "")
    except ValueError:
        wrong = True
    if wrong or not url.isprintable():
        raise UsageError("not a URL of the form http(s)://host/path")
    return parts


def _is_host(name: str) -> bool:
    """Whether a name can be looked up (RFC 1035, section 2.3.4), or is an address."""
    labels = name.removesuffix(".").split(".")
    return name.isascii() and len(name) < 254 and all(0 < len(label) < 64 for label in labels)


class Answer(NamedTuple):
    """What a server answered: its body is read from `body`, to the end, before the next request.

    clock: for whoever reads the body, to be told how long the next bytes may take. packed: whether it is called as
    gzip's files are.
    """

    status: int
    headers: http.client.HTTPMessage
    body: http.client.HTTPResponse
    clock: Clock
    packed: bool


class Connection:
    """Gets one URL, in as many requests as are needed.

    url: user and password in it become basic authentication, which is sent to that host only. Raises UsageError when it
    is none.
    """

    def __init__(self, url: str) -> None:
        self.name = display_name(url)
        self._url = self._now = url
        self._clock = Clock()
        self._open: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._key: tuple[object, ...] = ()

    def get(self, headers: dict[str, str]) -> Answer:
        """Ask, and follow where the server sends us; raises OSError and HTTPException as http.client does.

        Raises ImageError when there are too many redirections, or one leads from https to anything else.
        """
        known = self._now != self._url
        self._clock.allow(PATIENCE)
        for _ in range(MOST_REDIRECTS):
            answer = self._request(headers)
            if known and answer.status in (401, 403, 404, 410):
                # Where we were sent before is no longer the place, as a signature in it has run out: ask again, once.
                known = False
                self._now = self._url
            elif answer.status in _REDIRECTS:
                self._follow(answer.headers.get("Location", ""))
            else:
                return answer
            self.reset()
        raise ImageError(self.name, f"more than {MOST_REDIRECTS} redirections")

    def _follow(self, location: str) -> None:
        try:
            target = urljoin(self._now, quote(location, safe=_URL_SAFE + "?#[]"))
            parts = _split(target)
        except (UsageError, ValueError):
            raise ImageError(self.name, "is redirected to what is no http(s) address") from None
        if urlsplit(self._now).scheme == "https" and parts.scheme != "https":
            raise ImageError(self.name, "is redirected from https to http, which is not followed")
        self._now = target

    def _request(self, headers: dict[str, str]) -> Answer:
        parts = _split(self._now)
        connection, absolute = self._connection(parts)
        path = quote(parts.path or "/", safe=_URL_SAFE) + (
            f"?{quote(parts.query, safe=_URL_SAFE + '?')}" if parts.query else ""
        )
        fields = {
            "Host": _address(parts),
            "User-Agent": f"pvgrub-sim/{__version__}",
            "Accept-Encoding": "identity",
            **headers,
        }
        if _address(parts) == _address(_split(self._url)) and (own := _split(self._url)).username is not None:
            fields["Authorization"] = _basic(own.username or "", own.password or "")
        if absolute:
            fields.update(_login(_proxy(parts)))
        connection.request("GET", f"{parts.scheme}://{_address(parts)}{path}" if absolute else path, headers=fields)
        response = self._response = connection.getresponse()
        packed = any(_split(url).path.endswith(_GZIP) for url in (self._url, self._now))
        return Answer(response.status, response.headers, response, self._clock, packed)

    def _connection(self, parts: SplitResult) -> tuple[http.client.HTTPConnection, bool]:
        """A connection for a URL, and whether a proxy at its end wants to be told the whole of it."""
        proxy = _proxy(parts)
        key = (parts.scheme, parts.hostname, parts.port, proxy)
        absolute = proxy is not None and parts.scheme == "http"
        if self._open is not None and self._key == key:
            return self._open, absolute
        self.reset()
        at = _proxy_parts(proxy) if proxy else parts
        made: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            made = http.client.HTTPSConnection(at.hostname or "", at.port, timeout=TIMEOUT, context=context)
            if proxy:
                made.set_tunnel(parts.hostname or "", parts.port or 443, headers=_login(proxy))
        else:
            made = http.client.HTTPConnection(at.hostname or "", at.port, timeout=TIMEOUT)
        made.response_class = cast("type[Response]", partial(Response, self._clock))
        self._open, self._key = made, key
        return made, absolute

    def reset(self) -> None:
        """Let go of the connection; the next request makes a new one."""
        if self._response is not None:
            # It keeps the socket open for itself.
            self._response.close()
            self._response = None
        if self._open is not None:
            self._open.close()
            self._open = None


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _login(proxy: str | None) -> dict[str, str]:
    """What a proxy is told of who asks, where its address has a user."""
    at = _proxy_parts(proxy) if proxy else None
    return {"Proxy-Authorization": _basic(at.username, at.password or "")} if at and at.username else {}


def _proxy_parts(proxy: str) -> SplitResult:
    try:
        return _split(proxy)
    except UsageError:
        # Its address may have a password in it.
        raise UsageError("the proxy that the environment names has no address of the form http://host:port") from None


def _proxy(parts: SplitResult) -> str | None:
    """The proxy that the environment names for a URL (`https_proxy`, `no_proxy` and so on)."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    found: str | None = getproxies().get(parts.scheme)
    if found is None or proxy_bypass(parts.hostname or ""):
        return None
    return found if "://" in found else f"http://{found}"
