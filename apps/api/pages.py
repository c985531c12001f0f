"""Owns the API's description for programs and for people. Both are open to everybody and ask the database nothing."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.api.api import openapi


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1."""
    return JsonResponse(openapi(), json_dumps_params={"indent": 1})


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same for people, in our frame: no script and no other site's fonts."""
    described = openapi()
    context = {
        "info": described["info"],
        "groups": _groups(described),
        "schemas": [_schema(name, body) for name, body in sorted(described["components"]["schemas"].items())],
    }
    return render(request, "api/docs.html", context)


def _groups(described: dict[str, Any]) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    return [{"name": name, "operations": operations} for name, operations in groups.items()]


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "parameters": [_parameter(each) for each in operation.get("parameters", [])],
        "body": _type(body) if body else "",
        "answers": [
            _answer(status, each) for status, each in operation["responses"].items() if int(status) < 400
        ],
        "refusals": [
            {"status": status, "code": code}
            for status, each in operation["responses"].items()
            if int(status) >= 400
            for code in each["content"]["application/json"]["examples"]
        ],
    }


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = parameter["schema"]
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "type": _type(schema),
        "about": schema.get("description", parameter.get("description", "")),
    }


def _answer(status: str, answer: dict[str, Any]) -> dict[str, str]:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return {"status": status, "type": _type(schema) if schema else ""}


def _schema(name: str, body: dict[str, Any]) -> dict[str, Any]:
    needed = body.get("required", [])
    fields = [
        {"name": field, "type": _type(each), "about": each.get("description", ""), "needed": field in needed}
        for field, each in body.get("properties", {}).items()
    ]
    return {
        "name": name,
        "about": body.get("description", ""),
        "fields": fields,
        "words": body.get("enum", []),
    }


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words: `string (uuid)`, `list of FileOut`, `integer or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for key in ("anyOf", "allOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[key]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    told = str(schema.get("type", "anything"))
    return f"{told} ({schema['format']})" if "format" in schema else told
