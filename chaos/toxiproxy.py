"""Talks to Toxiproxy through its Python client, which no other module imports.

The client blocks, has no time-outs and keeps the server's address in a class; so each call runs in a thread of its own
with a deadline, and one process talks to one server. The server accepts a misspelt attribute and injects nothing, so
everything that is set is read back and compared.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
import toxiproxy
from toxiproxy import exceptions
from toxiproxy.api import APIConsumer

from chaos.orders import PREFIX, Toxic

TIMEOUT_SECONDS: Final = 3.0
Result = TypeVar("Result")


class WireError(Exception):
    """Toxiproxy did not do what was asked; the message says what."""


class WireGoneError(WireError):
    """Nothing answers at Toxiproxy's address; its toxics are gone with it."""


class ProxyAddresses(NamedTuple):
    """Host and port of a proxy, and of the server behind it."""

    listens: tuple[str, int]
    behind: tuple[str, int]


class ToxiproxyClient:
    """One Toxiproxy server. Raises WireError from everything, WireGoneError when the server is not there."""

    _address: tuple[str, int] | None = None  # of this process: the client supports only one

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS):
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise WireError(f"{url!r} is not an address of Toxiproxy, such as http://127.0.0.1:8474")
        address = (parts.hostname, parts.port)
        if ToxiproxyClient._address not in (None, address):
            raise WireError(
                f"this process already uses Toxiproxy at {ToxiproxyClient._address}, and cannot use {address} too"
            )
        ToxiproxyClient._address = address
        self._timeout_seconds = timeout_seconds
        self._server = toxiproxy.Toxiproxy()
        self._server.update_api_consumer(*address)
        self._switched_off: Counter[str] = Counter()

    async def place(self, name: str) -> ProxyAddresses:
        """Where the proxy ``name`` listens, and what is behind it."""
        proxy = await self._call(lambda: self._proxy(name))
        return ProxyAddresses(listens=_address(proxy.listen), behind=_address(proxy.upstream))

    async def add(self, proxy: str, toxic: Toxic) -> None:
        """Add ``toxic`` to ``proxy`` and read it back to check it."""

        def call() -> None:
            found = self._proxy(proxy)
            found.add_toxic(
                name=toxic.name, type=toxic.type, stream=toxic.stream, toxicity=1.0, attributes=toxic.attributes
            )
            seen = found.get_toxic(toxic.name)
            if seen is None:
                raise WireError(f"{proxy}: {toxic.name} was not accepted")
            wanted = (toxic.type, toxic.stream, 1.0, toxic.attributes)
            got = (seen.type, seen.stream, seen.toxicity, seen.attributes)
            if got != wanted:
                found.destroy_toxic(toxic.name)
                raise WireError(f"{proxy}: {toxic.name} was accepted as {got} instead of {wanted}")

        await self._call(call)

    async def remove(self, proxy: str, toxic_name: str) -> None:
        """Remove a toxic, and check that it is gone; does nothing if there is none."""

        def call() -> None:
            found = self._proxy(proxy)
            with suppress(exceptions.NotFound):
                found.destroy_toxic(toxic_name)
            if found.get_toxic(toxic_name) is not None:
                raise WireError(f"{proxy}: {toxic_name} cannot be removed")

        await self._call(call)

    async def switch_off(self, proxy: str) -> None:
        """Close all connections of ``proxy`` and refuse new ones."""
        await self._call(lambda: self._switch(proxy, enabled=False))
        self._switched_off[proxy] += 1

    async def switch_on(self, proxy: str) -> None:
        """Enable ``proxy`` again, unless another fault of ours keeps it disabled."""
        self._switched_off[proxy] -= 1
        if self._switched_off[proxy] <= 0:
            await self._call(lambda: self._switch(proxy, enabled=True))

    async def sweep(self) -> tuple[str, ...]:
        """Remove every toxic of ours and enable every proxy; returns what had been left."""

        def call() -> tuple[str, ...]:
            left = []
            for name, proxy in sorted(self._server.proxies().items()):
                for toxic in sorted(proxy.toxics()):
                    if toxic.startswith(PREFIX):
                        proxy.destroy_toxic(toxic)
                        left.append(f"{name}: {toxic}")
                if not proxy.enabled:
                    self._switch(name, enabled=True)
                    left.append(f"{name}: off")
            return tuple(left)

        self._switched_off.clear()
        return await self._call(call)

    def _proxy(self, name: str) -> toxiproxy.Proxy:
        found = self._server.get_proxy(name)
        if found is None:
            raise WireError(f"Toxiproxy has no proxy {name}")
        return found

    def _switch(self, name: str, *, enabled: bool) -> None:
        proxy = self._proxy(name)
        if enabled:
            proxy.enable()
        else:
            proxy.disable()
        if self._proxy(name).enabled is not enabled:
            raise WireError(f"{name} cannot be switched {'on' if enabled else 'off'}")

    async def _call(self, call: Callable[[], Result]) -> Result:
        """Run ``call`` in a daemon thread: one that hangs must not keep the process from ending."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()

        def settle(result: Result | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]  # None is a result of calls that return None

        def run() -> None:
            result, error = None, None
            try:
                result = call()
            except BaseException as raised:  # noqa: BLE001 - passed on to the caller
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=run, name="toxiproxy", daemon=True).start()
        host, port = APIConsumer.host, APIConsumer.port
        try:
            return await asyncio.wait_for(answer, self._timeout_seconds)
        except TimeoutError as error:
            raise WireError(f"Toxiproxy at {host}:{port} gave no answer in {self._timeout_seconds:g} s") from error
        except requests.ConnectionError as error:
            raise WireGoneError(f"nothing answers at Toxiproxy's address {host}:{port}") from error
        except (requests.RequestException, exceptions.InvalidToxic, exceptions.NotFound, ValueError) as error:
            raise WireError(f"Toxiproxy at {host}:{port}: {error!r}") from error
        except exceptions.ProxyExists as error:  # its 409: a toxic of this name is there
            raise WireError(f"Toxiproxy at {host}:{port}: exists already: {error!r}") from error


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
