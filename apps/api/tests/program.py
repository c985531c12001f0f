"""Owns how tests ask the API: as a program with a token, that never sends a cookie. Checks nothing."""

from dataclasses import dataclass
from typing import Any

from django.test import Client

from apps.accounts.models import ApiToken, User


@dataclass
class Program:
    """Somebody's program, with its token."""

    client: Client
    user: User
    token: ApiToken
    secret: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request below /api/v1; `body` goes as JSON."""
        content = {} if body is None else {"data": body, "content_type": "application/json"}
        headers = {"Authorization": f"Bearer {self.secret}"} | headers
        return getattr(self.client, method)(f"/api/v1{path}", headers=headers, **content)

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("get", path, **headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.ask("post", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self.ask("patch", path, body)

    def delete(self, path: str) -> Any:
        return self.ask("delete", path)


def refusal(response: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["error"]["code"]
