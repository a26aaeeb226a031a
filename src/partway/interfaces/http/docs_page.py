"""/docs: the API described from its own OpenAPI schema, as plain HTML without scripts."""

from __future__ import annotations

from html import escape
from typing import Any

STYLE = "/docs.css"
CSS = """:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
h2{font:600 1rem ui-monospace,monospace;margin:2.5rem 0 .25rem}
h2 b{display:inline-block;min-width:4.5rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.9rem}
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;
border-bottom:1px solid #8884}
code{font-family:ui-monospace,monospace}
nav a{display:inline-block;margin-right:1rem}
"""


def page(schema: dict[str, Any]) -> str:
    """The whole page."""
    title = escape(schema["info"]["title"])
    about = escape(schema["info"].get("description", ""))
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>{title}</title><meta name=viewport content='width=device-width'>",
        f"<link rel=stylesheet href='{STYLE}'><h1>{title}</h1>",
        f"<p>{about} The same as <a href=/openapi.json>OpenAPI</a>.</p>",
    ]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(method, path, operation))
    return "".join(parts) + "</html>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    """One route."""
    text = [f"<h2><b>{method.upper()}</b> {escape(path)}</h2>"]
    text += [f"<p>{escape(part)}</p>" for part in operation.get("description", "").split("\n\n")]
    parameters = {
        f"{each['name']} ({each['in']})": each.get("schema", {})
        for each in operation.get("parameters", [])
    }
    content = operation.get("requestBody", {}).get("content", {})
    for kind, body in content.items():
        fields = body["schema"].get("properties", {})
        text.append(f"<p>Body: <code>{escape(kind)}</code></p>{_fields(fields)}")
    if parameters:
        text.append(_fields(parameters))
    return "".join(text)


def _fields(fields: dict[str, Any]) -> str:
    """A table of names, types and meanings."""
    rows = [
        f"<tr><td><code>{escape(name)}</code><td>{escape(_type(schema))}"
        f"<td>{escape(schema.get('description', ''))}{_default(schema)}"
        for name, schema in fields.items()
    ]
    return f"<table><tr><th>name<th>type<th>{''.join(rows)}</table>"


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema's type in a word or two."""
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        kinds = [_type(each) for each in schema["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "null")
    if schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        inner: list[Any] = [schema["items"]] if "items" in schema else schema.get("prefixItems", [])
        return f"list of {_type(inner[0])}" if inner else "list"
    return str(schema.get("type", ""))


def _default(schema: dict[str, Any]) -> str:
    """The default, where there is one worth a word."""
    value = schema.get("default")
    return "" if value in (None, "", []) else f" <i>Default: {escape(str(value))}</i>"
