"""gs://, abfs:// and their other names: objects of other clouds, by fsspec and its filesystem (gcsfs, adlfs)."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Sequence

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.disk import Layer
from pvgrub_sim.media.sources.blocks import BlockDisk
from pvgrub_sim.media.sources.http import BLOCK
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

TRIES: Final = 3
FIRST_PAUSE = 0.25
"""Seconds before the second try."""
PATIENCE = 60.0
"""Seconds that anything may take, the client's own tries included."""
_EXTRAS: Final = {"gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
_FORMS: Final = {"gcs": "gs://BUCKET/KEY", "azure": "abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/KEY"}
_LOGINS: Final = {
    "gcs": "`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS in the environment",
    "azure": "`az login`, or AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING in "
    "the environment; AZURE_STORAGE_ANON=true for a public container",
}
_GOOGLE: Final = "https://storage.googleapis.com"
_OFFLINE: Final = ("ClientConnectorError", "ClientConnectorDNSError", "ServiceRequestError", "TransportError")
_LOGIN_ERRORS: Final = ("ClientAuthenticationError", "CredentialUnavailableError", "DefaultCredentialsError")
"""What the clients' errors are called where nothing can be reached, and where nobody is logged in."""
_CLIENTS: Final = ("fsspec", "gcsfs", "google", "adlfs", "azure")
_NOWHERE: Final = logging.NullHandler()
_VERSION: Final = ("etag", "ETag", "generation", "md5Hash", "content_md5", "mtime", "updated", "last_modified", "size")
"""What fsspec's filesystems tell that changes with an object."""


def open_filesystem(name: str, context: Context) -> Disk:
    """The bytes of an object; raises UsageError where what is needed is not installed, and ImageError."""
    scheme, _, path = name.partition("://")
    extra = _EXTRAS[scheme.partition(":")[0]]
    if not path:
        raise UsageError(f"{name}: not of the form {_FORMS[extra]}")
    for client in _CLIENTS:
        # Where nobody has said where to, what they log would be printed, with what a server says in it.
        logging.getLogger(client).addHandler(_NOWHERE)
    try:
        from fsspec import get_filesystem_class

        # Not fsspec's url_to_fs(), to which a `::` in a name means another filesystem.
        kind: Any = get_filesystem_class(scheme)
    except ImportError:
        raise UsageError(f"{name}: what reads it is not installed (pip install 'pvgrub-sim[{extra}]')") from None
    named = kind._get_kwargs_from_urls(name)
    server = _server(name, extra, named.get("account_name"))
    _look_up(name, server)
    try:
        filesystem = kind(skip_instance_cache=True, use_listings_cache=False, **named)
        source = _Object(name, filesystem, kind._strip_protocol(name), extra)
    except ImageError:
        raise
    except Exception as error:  # each client has errors of its own
        raise ImageError(name, _words(error, extra)) from None
    layer = Layer(scheme, name, source.size, "in ranges")
    return BlockDisk(name, source.size, BLOCK, source.fetch, (layer,))


def _server(name: str, extra: str, account: str | None) -> str:
    """The address that the client will ask; raises UsageError where nobody says which, or two say it differently."""
    if extra == "gcs":
        return os.environ.get("STORAGE_EMULATOR_HOST") or _GOOGLE
    told = dict(re.findall(r"([^;=]+)=([^;]*)", os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")))
    own = told.get("AccountName") or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    if account and told and own and account != own:
        # The client would take the one of the connection string, and read another account's object of that name.
        raise UsageError(f"{name}: the account is {account}, and that of AZURE_STORAGE_CONNECTION_STRING is {own}")
    if not account and not own and not told:
        raise UsageError(f"{name}: which account? ({_FORMS[extra]}, or AZURE_STORAGE_ACCOUNT_NAME in the environment)")
    return told.get("BlobEndpoint") or f"https://{account or own}.blob.core.windows.net"


def _look_up(name: str, address: str) -> None:
    """Raise ImageError where there is no such host: the clients would try that again and again for a minute."""
    from urllib.parse import urlsplit

    host = urlsplit(address if "://" in address else f"//{address}").hostname
    if not host or any(variable.lower().endswith("_proxy") for variable in os.environ):
        # Behind a proxy names may be known to that alone.
        return
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        reason = f"the address of {host} cannot be found: is there a network, and is the name right?"
        raise ImageError(name, reason) from None


class _Object:
    """One version of an object."""

    def __init__(self, name: str, filesystem: Any, path: str, extra: str) -> None:
        self.name = name
        self._extra = extra
        self._filesystem = filesystem
        self._path = path
        info = self._info(None)
        if info.get("type") == "directory":
            raise ImageError(name, "is a folder, not a disk image")
        self.size = int(info.get("size") or 0)
        if self.size == 0:
            raise ImageError(name, "is empty, not a disk image", 0)
        self._version = self._told(info)

    def fetch(self, first: int, count: int) -> Sequence[bytes]:
        """Blocks, in one request; another one asks whether the object is still the same."""
        offset = first * BLOCK
        end = min(offset + count * BLOCK, self.size)
        pause = FIRST_PAUSE
        for number in range(1, TRIES + 1):
            try:
                data: bytes = self._ask("cat_file", start=offset, end=end)
                wrong = "" if len(data) == end - offset else f"{len(data)} bytes instead of {end - offset}"
            except Exception as error:  # each client has errors of its own
                wrong = _words(error, self._extra)
                if isinstance(error, TimeoutError):
                    raise ImageError(self.name, wrong, offset) from None
            if not wrong:
                break
            if number == TRIES:
                raise ImageError(self.name, f"{wrong} ({TRIES} tries)", offset)
            time.sleep(pause)
            pause *= 2
        if self._told(self._info(offset)) != self._version:
            raise ImageError(self.name, "changed while it was read", offset)
        return [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]

    def _info(self, offset: int | None) -> dict[str, Any]:
        try:
            return dict(self._ask("info"))
        except Exception as error:  # each client has errors of its own
            raise ImageError(self.name, _words(error, self._extra), offset) from None

    def _ask(self, what: str, **arguments: int) -> Any:
        """Call one of the filesystem's functions; raises TimeoutError when that takes too long."""
        from fsspec.asyn import sync

        ask = getattr(self._filesystem, f"_{what}")
        return sync(self._filesystem.loop, ask, self._path, timeout=PATIENCE, **arguments)

    @staticmethod
    def _told(info: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(info.get(key)) for key in _VERSION)


def _words(error: Exception, extra: str) -> str:
    """What went wrong, in one line: the kind of error only, for the text of some quotes what was sent."""
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "no such object"
    # Google's client has no kind of its own for that, and a path behind this word.
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden: "):
        return f"permission denied (credentials: {_LOGINS[extra]})"
    if isinstance(error, TimeoutError):
        return "the cloud does not answer in time"
    if kind in _OFFLINE:
        return f"the cloud cannot be reached ({kind}): is there a network?"
    status = getattr(error, "status_code", getattr(error, "code", None))
    if kind in _LOGIN_ERRORS or status in (401, 403):
        return f"the cloud wants other credentials, or any ({_LOGINS[extra]})"
    return f"the cloud's client failed ({kind})"
