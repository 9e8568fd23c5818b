"""What the sources in AWS have in common: boto3, its errors in one line, and never a credential in them."""

from __future__ import annotations

import time
from collections.abc import Callable

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context

TRIES: Final = 5
"""How often something is fetched that does not come whole; boto3 itself repeats what the service refuses."""
FIRST_PAUSE = 0.25
"""Seconds before the second try; each further pause is twice as long."""

_T = TypeVar("_T")


class Again(Exception):
    """What came was not right and may be the next time; the text says what was wrong with it."""


def client(name: str, service: str, context: Context) -> Any:
    """A boto3 client. Raises UsageError where boto3 is not installed or does not know the region to ask."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise UsageError(f"{name}: boto3 is not installed (pip install 'pvgrub-sim[aws]')") from None
    config = Config(
        connect_timeout=15,
        read_timeout=30,
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 5},
    )
    try:
        session: Any = boto3.session.Session(region_name=context.access.region)
        return session.client(service, config=config)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"{name}: {words(error)}") from None


def call(name: str, ask: Callable[[], _T], offset: int | None = None) -> _T:
    """Ask a service, again where what comes is not right; raises ImageError with what is wrong in the end."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    pause = FIRST_PAUSE
    for number in range(1, TRIES + 1):
        try:
            return ask()
        except ClientError as error:
            raise ImageError(name, words(error), offset) from None
        except (Again, HTTPClientError, OSError) as error:
            if number == TRIES:
                raise ImageError(name, f"{words(error)} ({TRIES} tries)", offset) from None
        except BotoCoreError as error:
            raise ImageError(name, words(error), offset) from None
        time.sleep(pause)
        pause *= 2
    raise AssertionError


def whole(body: Any) -> bytes:
    """All of an answer's body; raises Again when it ends too early."""
    from botocore.exceptions import IncompleteReadError

    try:
        data: bytes = body.read()
    except IncompleteReadError as error:
        raise Again(words(error)) from None
    finally:
        body.close()
    return data


def code_of(error: Exception) -> str:
    """The service's own word for an error, such as `AccessDenied`; empty for what is none of its errors."""
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def words(error: Exception) -> str:
    """What went wrong, in one line, by the service's own words where they carry nothing that is secret."""
    kind = type(error).__name__
    if kind == "NoCredentialsError":
        return "no AWS credentials are set up (aws configure, or the environment)"
    if kind == "NoRegionError":
        return "which region? (--region, or AWS_REGION in the environment)"
    if code := code_of(error):
        answer = getattr(error, "response", {})
        text = " ".join(str(answer["Error"].get("Message", "")).split())[:200]
        # Messages about signatures and tokens quote what was sent.
        quotes = any(word in code for word in ("Signature", "Token", "AccessKey", "Auth"))
        return f"AWS answers {code}" if quotes or not text else f"AWS answers {code}: {text}"
    if isinstance(error, Again):
        return str(error)
    if kind in ("ConnectTimeoutError", "ReadTimeoutError"):
        return "AWS does not answer in time"
    return " ".join(str(error).split())[:200] or kind
