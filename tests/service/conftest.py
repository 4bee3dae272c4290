"""Services in this process against real servers, and a client in place of the gateway.

``async with running(...)`` or the fixture `system` (components from the test module's ``COMPONENTS``) gives a `System`:
`call` routes an operation to its component with the user's id, as the gateway does; `drain` waits until every event has
been relayed and handled.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import structlog
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.names import USER_HEADER, Component
from core.operations import API, OPERATIONS
from core.settings import Listen, Member, ProcessSettings, SecretSettings
from services.kit import openapi, responses
from services.kit.answers import Problem
from services.kit.app import HTTP
from services.kit.bus import CONSUMERS
from services.kit.outbox import OUTBOX
from services.kit.process import build
from services.media.events.scheduler import SCHEDULER

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "viral_post_small.yaml"
DRAIN_SECONDS = 60.0
PASSWORD = "correct horse"
_NAMES = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, its JSON decoded (None without any)."""

    status: int
    json: Any
    body: bytes
    headers: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """A signed-up user."""

    id: str
    username: str
    token: str


@dataclass(slots=True, kw_only=True)
class System:
    """Running components."""

    settings: ProcessSettings
    apps: dict[str, web.Application] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    session: aiohttp.ClientSession

    async def call(
        self,
        operation: str,
        *,
        user: Someone | str | None = None,
        json: Any = None,
        data: bytes | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **path: Any,
    ) -> Answer:
        """Call an operation by name: ``call("graph.follow", user=ann, user_id=ben.id)``."""
        known = OPERATIONS[operation]
        url = API + known.path.format(**path)
        answer = await self.send(
            known.component, known.method, url, user=user, json=json, data=data, query=query, headers=headers
        )
        if answer.status < 400:
            assert answer.status == known.status
            must_be_documented(operation, answer)
        else:
            msgspec.json.decode(answer.body, type=Problem)
            must_be_a_documented_refusal(operation, answer)
        return answer

    async def send(
        self,
        component: str,
        method: str,
        path: str,
        *,
        user: Someone | str | None = None,
        json: Any = None,
        data: bytes | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send anything to one component, as the signed-in ``user``."""
        sent = dict(headers or {})
        if user is not None:
            sent[USER_HEADER] = user.id if isinstance(user, Someone) else user
        if json is not None:
            data = msgspec.json.encode(json)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            # as a stream: large bytes make the client warn
            method,
            self.urls[component] + path,
            data=io.BytesIO(data) if data is not None else None,
            params=query,
            headers=sent,
            allow_redirects=False,
        ) as response:
            body = await response.read()
            decoded = msgspec.json.decode(body) if "json" in response.content_type and body else None
            assert response.status < 500 or response.status in (503, 504), decoded
            return Answer(status=response.status, json=decoded, body=body, headers=response.headers.copy())

    async def person(self, name: str | None = None) -> Someone:
        """Sign somebody up (component auth must run); names are unique in this database."""
        username = name or f"p{time.time_ns() // 1000:x}{next(_NAMES)}"
        answer = await self.call("auth.signup", json={"username": username, "password": PASSWORD})
        assert answer.status == 201, answer.json
        user = answer.json["user"]
        return Someone(id=user["id"], username=user["username"], token=answer.json["access_token"])

    async def drain(self) -> None:
        """Wait until no outbox holds an event and every consumer has handled all events, twice in a row."""
        async with asyncio.timeout(DRAIN_SECONDS):
            quiet = 0
            while quiet < 2:
                quiet = quiet + 1 if await self._quiet() else 0
                await asyncio.sleep(0.02)

    async def _quiet(self) -> bool:
        for app in self.apps.values():
            if OUTBOX in app and await app[OUTBOX].pending():
                return False
            if SCHEDULER in app and not await app[SCHEDULER].idle():
                return False
        for app in self.apps.values():
            for consumer in app.get(CONSUMERS, []):
                if not await consumer.caught_up():
                    return False
        return True


def must_be_documented(operation: str, answer: Answer) -> None:
    """Check a live answer against what its route declares, and so the OpenAPI document: the same fields exactly."""
    routes = openapi.routes_of(Component(OPERATIONS[operation].component))
    kind = next(route.answer for route in routes if route.operation.name == operation)
    if kind is None:
        assert answer.body == b""
    else:
        assert msgspec.to_builtins(msgspec.json.decode(answer.body, type=kind)) == answer.json


def must_be_a_documented_refusal(operation: str, answer: Answer) -> None:
    """Check a live refusal against what its operation's route declares: its status, kind and headers."""
    routes = openapi.routes_of(Component(OPERATIONS[operation].component))
    route = next(route for route in routes if route.operation.name == operation)
    assert (answer.status, answer.json["code"]) in {(kind.status, kind.code) for kind in responses.kinds(route)}
    if answer.status in (429, 503):
        assert int(answer.headers["Retry-After"]) >= 1


def keys_at(folder: Path) -> SecretSettings:
    """A fresh key pair and secret in ``folder``."""
    private = ec.generate_private_key(ec.SECP256R1())
    encoded = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "jwt.key").write_bytes(encoded)
    (folder / "jwt.pub").write_bytes(public)
    return SecretSettings(
        jwt_private_key=str(folder / "jwt.key"),
        jwt_public_key=str(folder / "jwt.pub"),
        cursor_secret=os.urandom(16).hex(),
        media_secret=os.urandom(32).hex(),
    )


# what a failing test shows: our warnings, plain; the default walks every frame's locals and takes seconds
structlog.configure(
    processors=[structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)


def pytest_configure(config: pytest.Config) -> None:
    """Ignore a race in a library: aiokafka may open a connection while its client is being closed, and leak it."""
    says = "Exception ignored in. <function AIOKafkaConnection.__del__"
    config.addinivalue_line("filterwarnings", f"ignore:{says}:pytest.PytestUnraisableExceptionWarning")


Running = Callable[..., AbstractAsyncContextManager[System]]


@pytest.fixture(scope="session")
def running(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """``async with running(Component.AUTH, …, stores={"posts": …}) as system``: real stores unless replaced.

    ``build_by`` runs an application of the test's own in a component's place.
    """
    folder = tmp_path_factory.mktemp("services")
    keys = keys_at(folder)

    @asynccontextmanager
    async def run(
        *components: Component,
        stores: dict[str, Any] | None = None,
        scenario: Path = SCENARIO,
        inflight_max: int = 512,
        worker: int = 0,
        worker_count: int = 4,
        build_by: Callable[[ProcessSettings, Member], web.Application] = build,
    ) -> AsyncIterator[System]:
        members = tuple(
            Member(
                component=component,
                listen=Listen(host="127.0.0.1", port=0),
                stores=(stores or {}).get(component) or servers.stores(component),
            )
            for component in components
        )
        settings = ProcessSettings(
            process="test",
            members=members,
            scenario_path=str(scenario),
            public_url="http://127.0.0.1",
            media_url="http://127.0.0.1",
            keys=keys,
            data_directory=str(folder),
            worker=worker,
            worker_count=worker_count,
            inflight_max=inflight_max,
            drain_seconds=1.0,
        )
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            system = System(settings=settings, session=session)
            for member in members:
                app = build_by(settings, member)
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, **HTTP)
                stack.push_async_callback(runner.cleanup)
                await runner.setup()
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                port = runner.addresses[0][1]
                system.apps[member.component] = app
                system.urls[member.component] = f"http://127.0.0.1:{port}"
            yield system

    return run


def components_of(module: Any) -> Iterable[Component]:
    """The components that a test module runs."""
    components: Iterable[Component] = module.COMPONENTS
    return components


@pytest.fixture(scope="module")
async def system(request: pytest.FixtureRequest, running: Running) -> AsyncIterator[System]:
    """The module's ``COMPONENTS``, running."""
    async with running(*components_of(request.module)) as system:
        yield system


@pytest.fixture(scope="module")
async def ann(system: System) -> Someone:
    """Somebody."""
    return await system.person()


@pytest.fixture(scope="module")
async def ben(system: System) -> Someone:
    """Somebody else."""
    return await system.person()
