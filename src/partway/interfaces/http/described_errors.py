"""What OpenAPI says of answers that are errors: every route may give one, in our form.

FastAPI knows none of them, and describes a 422 of its own that never leaves here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partway.interfaces.http.errors import SDAPI

if TYPE_CHECKING:
    from fastapi import FastAPI

TEXT = {"type": "string"}
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "type", "param"],
            "properties": {
                "code": TEXT | {"description": "A stable word for programs."},
                "message": TEXT | {"description": "What was got, what is allowed."},
                "type": TEXT,
                "param": {"type": ["string", "null"]},
            },
        },
        "job": {"type": "object", "description": "Where one was waited for and failed."},
    },
}
SDAPI_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error", "detail"],
    "properties": dict.fromkeys(("error", "detail", "body", "errors"), TEXT),
}
KINDS = {"4XX": "The request is wrong, or comes at the wrong time.", "5XX": "Ours to answer for."}
FASTAPI_OWN = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Add them to the application's schema."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_errors(describe())
        return app.openapi_schema

    app.openapi = openapi


def with_errors(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with an error's form for every operation."""
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in FASTAPI_OWN:
        schemas.pop(name, None)
    schemas |= {"Error": ERROR, "SdapiError": SDAPI_ERROR}
    for path, operations in schema["paths"].items():
        name = "SdapiError" if path.startswith(SDAPI) else "Error"
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= {
                status: {"description": text, "content": content} for status, text in KINDS.items()
            }
    return schema
