"""A small server for the calls of EBS's direct APIs and of EC2 that are used, as AWS documents them.

https://docs.aws.amazon.com/ebs/latest/APIReference/API_ListSnapshotBlocks.html, API_GetSnapshotBlock.html and
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.media.web import running

BLOCK = 512 << 10
Fault = Callable[["Handler", dict[str, str], bytes], bool]
"""Answers a GetSnapshotBlock in the place of the server: the headers and the data that it would send."""


class AwsServer(ThreadingHTTPServer):
    """Snapshots by id, as files whose blocks of zeros do not exist; images as DescribeImages tells of them, in XML."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.snapshots: dict[str, Path] = {}
        self.images: dict[str, str] = {}
        self.page = 100
        self.block_size = BLOCK
        self.lifetime = 3600.0
        self.generation = 0
        """Tokens of an earlier one have expired."""
        self.faults: list[Fault] = []
        self.instead: Callable[[Handler], bool] | None = None
        """Answers a request in the place of the server, and tells whether it has."""
        self.alter: Callable[[dict[str, Any]], object] | None = None
        """Makes something else of what ListSnapshotBlocks tells: of bytes the body, of all else JSON."""
        self.blocks: list[int] = []
        self.listed: list[dict[str, str]] = []
        self.lock = threading.Lock()

    def present(self, snapshot: str) -> list[int]:
        """The blocks that a snapshot has, found out by the holes of its file."""
        path = self.snapshots[snapshot]
        found: set[int] = set()
        with path.open("rb") as file:
            at = 0
            while True:
                try:
                    begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
                except OSError:
                    return sorted(found)
                at = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
                found.update(range(begin // BLOCK, (at - 1) // BLOCK + 1))

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing to tell."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AwsServer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"Message": message, "Reason": code}).encode()
        self.answer(status, body, Content_Type="application/json", x_amzn_ErrorType=code)

    def do_HEAD(self) -> None:
        if self.server.instead is not None:
            self.server.instead(self)

    def do_GET(self) -> None:
        if self.server.instead is not None and self.server.instead(self):
            return
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        words = unquote(parts.path).strip("/").split("/")
        snapshot = words[1] if len(words) > 1 else ""
        if snapshot not in self.server.snapshots:
            self.refuse(404, "ResourceNotFoundException", f"The snapshot {snapshot} does not exist.")
        elif len(words) == 3:
            self.list_blocks(snapshot, query)
        else:
            self.block(snapshot, int(words[3]), query)

    def list_blocks(self, snapshot: str, query: dict[str, str]) -> None:
        with self.server.lock:
            self.server.listed.append(query)
        start = int(query.get("startingBlockIndex", 0))
        if "pageToken" in query:
            start = int(query["pageToken"].removeprefix("page"))
        most = min(int(query.get("maxResults", 10000)), self.server.page)
        blocks = [number for number in self.server.present(snapshot) if number >= start]
        told: dict[str, Any] = {
            "Blocks": [
                {"BlockIndex": number, "BlockToken": f"token-{self.server.generation}-{number}"}
                for number in blocks[:most]
            ],
            "ExpiryTime": time.time() + self.server.lifetime,
            "VolumeSize": -(-self.server.snapshots[snapshot].stat().st_size // (1 << 30)),
            "BlockSize": self.server.block_size,
        }
        if len(blocks) > most:
            told["NextToken"] = f"page{blocks[most]}"
        altered = told if self.server.alter is None else self.server.alter(told)
        body = altered if isinstance(altered, bytes) else json.dumps(altered).encode()
        self.answer(200, body, Content_Type="application/json")

    def block(self, snapshot: str, number: int, query: dict[str, str]) -> None:
        with self.server.lock:
            self.server.blocks.append(number)
            fault = self.server.faults.pop(0) if self.server.faults else None
        if query.get("blockToken") != f"token-{self.server.generation}-{number}":
            self.refuse(400, "ValidationException", "The block token has expired. SECRETTOKEN")
            return
        with self.server.snapshots[snapshot].open("rb") as file:
            file.seek(number * BLOCK)
            data = file.read(BLOCK).ljust(BLOCK, b"\0")
        headers = {
            "x_amz_Data_Length": str(len(data)),
            "x_amz_Checksum": base64.b64encode(hashlib.sha256(data).digest()).decode(),
            "x_amz_Checksum_Algorithm": "SHA256",
        }
        if fault is None or not fault(self, headers, data):
            self.answer(200, data, **headers)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.server.instead is not None and self.server.instead(self):
            return
        wanted = form.get("ImageId.1", [""])[0]
        if wanted not in self.server.images:
            self.answer(
                400,
                b"<Response><Errors><Error><Code>InvalidAMIID.NotFound</Code><Message>The image id does not exist"
                b"</Message></Error></Errors><RequestID>1</RequestID></Response>",
            )
            return
        body = (
            '<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>'
            f"<imagesSet><item><imageId>{wanted}</imageId>{self.server.images[wanted]}</item></imagesSet>"
            "</DescribeImagesResponse>"
        )
        self.answer(200, body.encode(), Content_Type="text/xml")


def image_xml(root: str, devices: dict[str, str], **fields: str) -> str:
    """The inside of an image: root device, snapshots by device, and other elements."""
    mappings = "".join(
        f"<item><deviceName>{device}</deviceName><ebs><snapshotId>{snapshot}</snapshotId></ebs></item>"
        for device, snapshot in devices.items()
    )
    told = {"imageType": "machine", "architecture": "x86_64", "rootDeviceType": "ebs", "rootDeviceName": root,
            "virtualizationType": "paravirtual", **fields}  # fmt: skip
    plain = "".join(f"<{key}>{value}</{key}>" for key, value in told.items())
    return f"{plain}<blockDeviceMapping>{mappings}</blockDeviceMapping>"


@contextmanager
def aws() -> Iterator[AwsServer]:
    """A server that runs as long as the block does."""
    with running(AwsServer()) as server:
        yield server
