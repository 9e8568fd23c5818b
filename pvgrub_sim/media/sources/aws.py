"""What the sources in AWS have in common: boto3, its errors in one line, and never a credential in them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from pvgrub_sim.errors import ImageError, PvgrubSimError, UsageError
from pvgrub_sim.media.sources.aws_clock import CLOCK, PIECE
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context

TRIES: Final = 5
"""How often something is fetched that does not come whole; boto3 itself repeats what the service refuses."""
FIRST_PAUSE = 0.25
"""Seconds before the second try; each further pause is twice as long."""
LONGEST_ANSWER: Final = 256 << 20
"""Bytes of an answer that tells of everything in an account."""
LONGEST_PAGE: Final = 4 << 20
"""Bytes of an answer that tells of one image, or of a thousand blocks."""
_LONGEST_CODE: Final = 100
_LONGEST_TEXT: Final = 200

_T = TypeVar("_T")


class Again(Exception):
    """What came was not right and may be the next time; the text says what was wrong with it."""


def client(name: str, service: str, context: Context, longest: int = LONGEST_ANSWER) -> Any:
    """A boto3 client, whose answers have so many bytes at most.

    Raises UsageError where boto3 is not installed or does not know the region to ask.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        from pvgrub_sim.media.sources.aws_watch import watch
    except ImportError:
        raise UsageError(f"{name}: boto3 is not installed (pip install 'pvgrub-sim[aws]')") from None
    config = Config(
        connect_timeout=15,
        read_timeout=30,
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 5},
    )
    try:
        # boto3 itself reads AWS_DEFAULT_REGION only; AWS's command line and other kits want AWS_REGION first.
        region = context.access.region or os.environ.get("AWS_REGION") or None
        session: Any = boto3.session.Session(region_name=region)
        made = session.client(service, config=config)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"{name}: {words(error)}") from None
    watch(made, longest)
    return made


def call(name: str, ask: Callable[[], _T], offset: int | None = None, about: str = "") -> _T:
    """Ask a service, again where what comes is not right; raises ImageError with what is wrong in the end.

    about: what stands before that. Whatever botocore raises of an answer that it does not understand is such an error.
    """
    from botocore.exceptions import HTTPClientError

    pause = FIRST_PAUSE
    CLOCK.call(True)
    try:
        for number in range(1, TRIES + 1):
            try:
                return ask()
            except PvgrubSimError:
                raise
            except Exception as error:  # of any kind: botocore's parsers raise what Python raises of a wrong shape
                again = isinstance(error, (Again, HTTPClientError, OSError))
                if not again or number == TRIES or CLOCK.over():
                    tries = f" ({number} tries)" if again and number > 1 else ""
                    raise ImageError(name, f"{about}{words(error)}{tries}", offset) from None
            time.sleep(pause)
            pause *= 2
    finally:
        CLOCK.call(False)
    raise AssertionError


def whole(body: Any, length: int) -> bytes:
    """All of an answer's body; raises Again when it ends too early, or is longer than that."""
    from botocore.exceptions import IncompleteReadError

    found: list[bytes] = []
    left = length + 1
    try:
        while left and (data := body.read(min(PIECE, left))):
            found.append(data)
            left -= len(data)
    except IncompleteReadError as error:
        raise Again(words(error)) from None
    finally:
        body.close()
    if not left:
        raise Again(f"an answer of more than {length} bytes")
    return b"".join(found)


def code_of(error: Exception) -> str:
    """The service's own word for an error, such as `AccessDenied`; empty for what is none of its errors."""
    return _told(error, "Code")


def _told(error: Exception, key: str) -> str:
    answer = getattr(error, "response", None)
    inner = answer.get("Error") if isinstance(answer, dict) else None
    return str(inner.get(key) or "") if isinstance(inner, dict) else ""


def short(text: object, most: int = _LONGEST_TEXT) -> str:
    """A text of a server's in one line that is not too long."""
    return " ".join(str(text)[: most * 2].split())[:most]


def words(error: Exception) -> str:
    """What went wrong, in one line, by the service's own words where they carry nothing that is secret."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    kind = type(error).__name__
    if kind == "NoCredentialsError":
        return "no AWS credentials are set up (aws configure, or the environment)"
    if kind == "NoRegionError":
        return "which region? (--region, or AWS_REGION in the environment)"
    if code := short(code_of(error), _LONGEST_CODE):
        text = short(_told(error, "Message"))
        # Messages about signatures and tokens quote what was sent.
        quotes = any(word in code for word in ("Signature", "Token", "AccessKey", "Auth"))
        return f"AWS answers {code}" if quotes or not text else f"AWS answers {code}: {text}"
    if kind in ("ConnectTimeoutError", "ReadTimeoutError"):
        return "AWS does not answer in time"
    own = isinstance(error, (Again, BotoCoreError, ClientError, OSError)) and not isinstance(error, ResponseParserError)
    if not own:
        # The text of what botocore's parsers raise is the answer itself.
        return f"AWS answers what makes no sense ({kind})"
    return short(error) or kind
