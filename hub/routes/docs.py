"""`/docs`: the API described from its OpenAPI document, without any script or style from elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from hub.routes.pages import draw_plain

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Parameter:
    """One thing that may be asked."""

    name: str
    where: str
    required: bool
    values: str
    description: str


@dataclass(frozen=True)
class Operation:
    """One address and what it answers."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    responses: list[tuple[str, str]]


def operations(api: Mapping[str, Any]) -> Iterator[Operation]:
    """Return the operations of an OpenAPI document, in its order."""
    for path, methods in api["paths"].items():
        for method, one in methods.items():
            yield Operation(
                id=one["operationId"],
                method=method.upper(),
                path=path,
                summary=one.get("summary", ""),
                description=one.get("description", "").replace("`", ""),
                parameters=[_parameter(parameter) for parameter in one.get("parameters", [])],
                responses=[(code, answer["description"]) for code, answer in one["responses"].items()],
            )


def _parameter(parameter: Mapping[str, Any]) -> Parameter:
    schema = parameter.get("schema", {})
    options = [schema, *schema.get("anyOf", [])]
    values = [str(value) for option in options for value in option.get("enum", [])]
    return Parameter(
        name=parameter["name"],
        where=parameter["in"],
        required=parameter.get("required", False),
        values=", ".join(values) or str(schema.get("type", "")),
        description=parameter.get("description", ""),
    )


@router.get("/docs")
def docs(request: Request) -> Response:
    """Show what the API answers."""
    api = request.app.openapi()
    content = draw_plain("docs.html", api=api, operations=list(operations(api)))
    return Response(content, media_type="text/html; charset=utf-8")
