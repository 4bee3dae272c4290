"""The API's document (OpenAPI 3.1), made from the services' `ROUTES` tables, and a page to read it offline.

One component serves it for all. It imports the other services' tables by name on the first request: tables are values,
so nothing is started, and no service depends on another.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import re
import typing
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

import msgspec
from aiohttp import web

from core.names import IDEMPOTENCY_HEADER, Component
from core.operations import API
from services.kit import answers
from services.kit.answers import Problem
from services.kit.fields import ID_PATTERN
from services.kit.idempotency import KEY_CHARACTERS_MAX
from services.kit.responses import responses
from services.kit.routing import Route

SERVED_BY: Final = Component.POSTS
_REFERENCE: Final = "#/components/schemas/{name}"
_VARIABLE: Final = re.compile(r"\{(\w+)\}")


def routes_of(component: Component) -> tuple[Route, ...]:
    """The `ROUTES` table of a service; empty for one that answers no operation."""
    name = f"services.{component}.routes"
    if importlib.util.find_spec(name) is None:
        return ()
    return tuple(importlib.import_module(name).ROUTES)


@functools.cache
def document() -> dict[str, Any]:
    """The whole document as plain values."""
    return make([route for component in Component for route in routes_of(component)])


def make(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes."""
    kinds: list[Any] = [Problem]
    for route in routes:
        kinds += [kind for kind in (route.body, route.query, route.answer) if kind is not None and kind not in kinds]
    schemas, components = _short(routes, kinds, *msgspec.json.schema_components(kinds, ref_template=_REFERENCE))
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, schema_of, components)
        paths.setdefault(route.operation.path, {})[route.operation.method.lower()] = operation
    used = _references([paths, schema_of[Problem]], components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Windtunnel",
            "version": "1",
            "summary": "A social photo feed: people, photos, feeds, likes, comments, stories and search.",
            "description": "Ids are decimal strings. Lists come in pages: pass `next_cursor` as `cursor` to continue."
            " Every error is a problem detail (RFC 9457) that names the wrong fields.",
        },
        "servers": [{"url": API}],
        "tags": [{"name": name} for name in dict.fromkeys(str(route.operation.component) for route in routes)],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name in used},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _short(
    routes: Sequence[Route], kinds: Sequence[Any], schemas: Sequence[Any], components: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The schemas with names that make good class names: `PersonPage` for a page of persons."""
    names: dict[str, str] = {}
    for kind, schema in zip(kinds, schemas, strict=True):
        arguments = typing.get_args(kind)
        if arguments:
            item = getattr(arguments[0], "__name__", None)
            if item is None:  # a union has the name of its component
                item = str(next(route for route in routes if route.answer is kind).operation.component).title()
            names[_name(schema)] = f"{item}Page"

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            found = {key: renamed(inner) for key, inner in value.items()}
            if isinstance(found.get("$ref"), str):
                found["$ref"] = _REFERENCE.format(name=names.get(_name(found), _name(found)))
            return found
        return [renamed(inner) for inner in value] if isinstance(value, list | tuple) else value

    described = {names.get(name, name): renamed(schema) for name, schema in components.items()}
    for name, schema in described.items():
        if "title" in schema:
            schema["title"] = name
    return [renamed(schema) for schema in schemas], described


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _references(value: Any, components: dict[str, Any]) -> set[str]:
    """Names of the schemas that ``value`` refers to, directly or indirectly."""
    found: set[str] = set()
    open_ends = [value]
    while open_ends:
        match open_ends.pop():
            case {"$ref": str(reference)}:
                name = reference.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    open_ends.append(components[name])
            case dict() as inner:
                open_ends += inner.values()
            case list() | tuple() as inner:
                open_ends += inner
    return found


def _operation(route: Route, schema_of: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    known = route.operation
    made: dict[str, Any] = {
        "operationId": known.name,
        "summary": route.summary,
        "tags": [str(known.component)],
        "parameters": list(_parameters(route, schema_of, components)),
        "responses": responses(
            route,
            summary="Done." if route.answer is None else _description(route.answer, components, schema_of),
            answer=None if route.answer is None else schema_of[route.answer],
            problem=schema_of[Problem],
        ),
        "security": [{"token": []}] if known.signed_in else [],
    }
    if route.body is not None:
        needs = bool(_resolved(schema_of[route.body], components).get("required"))
        made["requestBody"] = {"required": needs, "content": {answers.JSON: {"schema": schema_of[route.body]}}}
    return made


def _parameters(route: Route, schema_of: dict[Any, Any], components: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for name in _VARIABLE.findall(route.operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": ID_PATTERN}}
    if route.query is not None:
        described = _resolved(schema_of[route.query], components)
        for name, schema in described.get("properties", {}).items():
            required = name in described.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": _without_null(schema)}
    if route.operation.creates:
        yield {
            "name": IDEMPOTENCY_HEADER,
            "in": "header",
            "required": False,
            "description": "Repeats of a request with the same key get the first answer for 24 hours;"
            " 422 when the body or the path differs, 409 while the first is in progress.",
            "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARACTERS_MAX},
        }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, which is omitted rather than null."""
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if not choices:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **rest}


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = components[reference.rpartition("/")[2]]
    return found


def _description(kind: Any, components: dict[str, Any], schema_of: dict[Any, Any]) -> str:
    return str(_resolved(schema_of[kind], components).get("description", "The answer."))


_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1F2933; --ground: #FFFFFF; --line: #D9DEE3; --mark: #0072B2; }
@media (prefers-color-scheme: dark) { :root { --ink: #E6E8EB; --ground: #0E1117; --line: #3A4048; --mark: #56B4E9; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h2 { margin-top: 2rem; } a { color: var(--mark); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.5rem; color: var(--mark); }
summary span { opacity: .75; } pre { overflow-x: auto; border-top: 1px solid var(--line); padding-top: .5rem; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; }
"""


def page(described: dict[str, Any]) -> str:
    """The document as one self-contained HTML page."""
    parts = [
        f"<h1>{escape(described['info']['title'])} API</h1><p>{escape(described['info']['description'])}</p>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>. Base: <code>{API}</code></p>'
    ]
    for tag in described["tags"]:
        parts.append(f'<h2 id="{tag["name"]}">{escape(tag["name"])}</h2>')
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    parts.append(_entry(path, method, operation))
    parts.append("<h2>Values</h2>")
    for name, schema in described["components"]["schemas"].items():
        parts.append(
            f'<details id="{escape(name)}"><summary>{escape(name)}</summary>'
            f"<p>{escape(schema.get('description', ''))}</p>{_fields(schema)}</details>"
        )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Windtunnel API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>"
    )


def _entry(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}{' *' if each['required'] else ''}</td>"
        f"<td>{_kind(each['schema'])} {escape(each.get('description', ''))}</td></tr>"
        for each in operation["parameters"]
    )
    body = operation.get("requestBody")
    if body is not None:
        rows += f"<tr><td>body</td><td>JSON</td><td>{_kind(body['content'][answers.JSON]['schema'])}</td></tr>"
    for status, response in operation["responses"].items():
        kinds = "".join(f" {_kind(content['schema'])}" for content in response.get("content", {}).values())
        rows += f"<tr><td>{status}</td><td>answer</td><td>{escape(response['description'])}{kinds}</td></tr>"
    signed = "Needs a token." if operation["security"] else "Needs no token."
    return (
        f'<details id="{operation["operationId"]}"><summary><b>{method.upper()}</b> <code>{escape(path)}</code>'
        f" <span>{escape(operation['summary'])}</span></summary><p>{signed} Operation"
        f" <code>{operation['operationId']}</code>.</p><table>{rows}</table></details>"
    )


def _fields(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{'required' if name in required else ''}</td>"
        f"<td>{_kind(each)} {escape(each.get('description', ''))}</td></tr>"
        for name, each in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>"


_BOUNDS: Final = {
    "format": "as",
    "pattern": "such as",
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "characters at least",
    "maxLength": "characters at most",
    "default": "default",
}


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}) or {})}"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    bounds = "".join(f", {bound} {schema[name]}" for name, bound in _BOUNDS.items() if schema.get(name) is not None)
    return escape(f"{schema.get('type', 'any')}{bounds}")


async def _json(_request: web.Request) -> web.Response:
    # in a thread: the first request imports the other services' tables, which would block the loop
    return answers.answer(await asyncio.to_thread(document))


async def _html(_request: web.Request) -> web.Response:
    return web.Response(text=page(await asyncio.to_thread(document)), content_type="text/html")


def use(app: web.Application) -> None:
    """Serve the document and its page."""
    app.router.add_get(f"{API}/openapi.json", _json)
    app.router.add_get(f"{API}/docs", _html)
