"""A client of a running stack's public API, for one person."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from core.operations import API
from tests.waiting import until


class Client:
    """Signed up under a name that is new to the stack."""

    def __init__(self, gateway_url: str, name: str):
        self._base = gateway_url + API
        self._token = ""
        answer = until(lambda: self._sign_up(name), "nobody can sign up")
        self.id = answer["user"]["id"]
        self._token = answer["access_token"]

    def _sign_up(self, name: str) -> Any:
        status, answer = self.ask("POST", "/auth/signup", {"username": name, "password": "correct horse"})
        assert status in (201, 503), answer
        return answer if status == 201 else None

    def ask(
        self, method: str, path: str, body: object = None, *, wait: float = 20.0, **headers: str
    ) -> tuple[int, Any]:
        """Status and decoded answer; fails when there is none within ``wait`` seconds."""
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._base + path, method=method, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=wait) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")
