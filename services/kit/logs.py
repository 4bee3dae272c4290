"""JSON logs: one event with values per line on standard output, with the request's id where there is one."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, BinaryIO, Final, cast

import msgspec
import structlog

#: Id of the request or event that the current task works for; messages that it creates carry it on.
REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")


def _with_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = REQUEST_ID.get()
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def _encode(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


class _Output:
    """Standard output without a buffer. What cannot be written is lost: a full disk must not make requests fail."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except OSError:
            return 0

    def flush(self) -> None:
        """Do nothing: every line is written at once."""


def configure(*, level: str, process: str) -> None:
    """Set up logging for this process: ours through structlog, libraries' warnings in the same format."""

    def with_process(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    number = getattr(logging, level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            with_process,
            _with_request_id,
            structlog.processors.format_exc_info,
            _encode,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Output(sys.stdout.fileno()))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_LibraryFormat())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


class _LibraryFormat(logging.Formatter):
    """Formats libraries' lines like ours."""

    def format(self, record: logging.LogRecord) -> str:
        event = {"event": record.getMessage(), "level": record.levelname.lower(), "logger": record.name}
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(event).decode()
