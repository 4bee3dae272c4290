"""Sign-up and login over HTTP."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import jwt
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from core import operations, tokens
from core.failures import Conflict, FieldError, Invalid, Overloaded, Unauthenticated
from core.messages import UserCreated
from core.names import CLIENT_HEADER
from services.auth.rules import accounts, passwords
from services.auth.rules.attempts import Attempt, attempt
from services.auth.store.attempts import Attempts
from services.auth.store.users import UserAccount, Users
from services.kit import body, outbox
from services.kit.answers import answer
from services.kit.clock import now_ms, rfc3339
from services.kit.config import SETTINGS, new_id
from services.kit.fields import DisplayName, Id, Size, Time, Username, stated
from services.kit.passwords import Passwords
from services.kit.routing import route, stage

USERS: Final = web.AppKey("USERS", Users)
ATTEMPTS: Final = web.AppKey("ATTEMPTS", Attempts)
PASSWORDS: Final = web.AppKey("PASSWORDS", Passwords)
SIGNING_KEY: Final = web.AppKey("SIGNING_KEY", object)


class SignUp(body.Body, frozen=True, kw_only=True):
    """A new account; without a display name, the username is shown."""

    username: Annotated[
        str, stated(minLength=accounts.USERNAME_MIN, maxLength=accounts.USERNAME_MAX, pattern=accounts.USERNAME_PATTERN)
    ]
    password: Annotated[str, stated(minLength=passwords.CHARACTERS_MIN, maxLength=passwords.CHARACTERS_MAX)]
    display_name: Annotated[str, stated(minLength=1, maxLength=accounts.DISPLAY_NAME_MAX)] | None = None


class Login(body.Body, frozen=True, kw_only=True):
    """Credentials."""

    username: str
    password: str


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One's own account."""

    id: Id
    username: Username
    display_name: DisplayName
    created_at: Time


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """An account and a token to act as it: ``Authorization: Bearer <access_token>``."""

    user: Account
    access_token: str
    token_type: Literal["Bearer"]
    expires_in_seconds: Size


async def sign_up(request: web.Request) -> web.Response:
    """Create an account and sign in."""
    with stage(request, "parse"):
        given = await body.read(request, SignUp)
        wrong = tuple(
            accounts.wrong_fields(username=given.username, password=given.password, display_name=given.display_name)
        )
        if wrong:
            raise Invalid(f"{wrong[0].field}: {wrong[0].detail}", errors=wrong)
    users = request.app[USERS]
    username = accounts.canonical(given.username)
    asked = _attempt(request, username)
    with stage(request, "hash"):
        password_hash = await request.app[PASSWORDS].hash(passwords.normal(given.password), client=asked.address)
    shard = users.shard_of(username)
    user = UserAccount(
        id=new_id(request.app, shard),
        username=username,
        display_name=accounts.shown_name(given.display_name or given.username),
        password_hash=password_hash,
        created_ms=now_ms(),
    )
    with stage(request, "write"):
        event = UserCreated(
            **outbox.stamp(request.app, shard),
            user_id=user.id,
            username=user.username,
            display_name=user.display_name,
        )
        if not await users.create(user, event):
            detail = "this name is taken"
            raise Conflict(f"username: {detail}", errors=(FieldError(field="username", detail=detail),))
        await request.app[ATTEMPTS].signed_up(asked)
    with stage(request, "present"):
        return answer(_session(request, user), status=201)


async def login(request: web.Request) -> web.Response:
    """Sign in by name and password."""
    with stage(request, "parse"):
        given = await body.read(request, Login)
        username = accounts.canonical(given.username)
    attempts, asked = request.app[ATTEMPTS], _attempt(request, username)
    with stage(request, "load"):
        counted = await attempts.begin(asked)
        user = await request.app[USERS].named(username)
    with stage(request, "hash"):
        try:
            matches = await request.app[PASSWORDS].matches(
                user.password_hash if user else None, passwords.hashable(given.password), client=asked.address
            )
        except Overloaded:
            await attempts.withdrawn(counted)
            raise
    if user is None or not matches:
        raise Unauthenticated("Wrong name or password")
    with stage(request, "present"):
        await attempts.succeeded(counted)
        return answer(_session(request, user))


def _attempt(request: web.Request, username: str) -> Attempt:
    # without the gateway's header, nobody stands between the client and this service
    return attempt(username=username, address=request.headers.get(CLIENT_HEADER) or request.remote or "")


def _session(request: web.Request, user: UserAccount) -> Session:
    key: Any = request.app[SIGNING_KEY]
    token = jwt.encode(tokens.claims(user_id=user.id, now_seconds=int(time.time())), key, algorithm="ES256")
    account = Account(
        id=str(user.id),
        username=user.username,
        display_name=user.display_name,
        created_at=rfc3339(user.created_ms),
    )
    return Session(user=account, access_token=token, token_type="Bearer", expires_in_seconds=tokens.TOKEN_SECONDS)


def use_tokens(app: web.Application) -> None:
    """Read the key that signs tokens; raises SystemExit with the reason when it cannot be used."""
    path = Path(app[SETTINGS].keys.jwt_private_key)
    try:
        app[SIGNING_KEY] = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise SystemExit(f"auth: the key that signs tokens cannot be read from {path}: {error}") from error


def use_passwords(app: web.Application) -> None:
    """Add the password threads to the application."""
    hashes = Passwords()
    app[PASSWORDS] = hashes

    async def opened(_app: web.Application) -> AsyncIterator[None]:
        yield
        hashes.close()

    app.cleanup_ctx.append(opened)


ROUTES: Final = (
    route(operations.AUTH_SIGNUP, sign_up, body=SignUp, answer=Session, refuses=(Conflict,)),
    route(operations.AUTH_LOGIN, login, body=Login, answer=Session, refuses=(Unauthenticated,)),
)
