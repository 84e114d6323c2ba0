"""``/docs``: the description of the API as a page that needs nothing from elsewhere.

It is written on the server from ``/openapi.json``: no script, and one sheet of style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from typing import Any

import msgspec

from tollbook.http.exchange import Answer, Request, Route, Services
from tollbook.http.openapi import document

_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_KEPT = (("Cache-Control", "no-cache"),)
_REF = "#/components/schemas/"

STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto;
  padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid; }
h3 { margin-top: 2rem; }
nav ul { columns: 18rem; list-style: none; padding: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0;
  border-bottom: 1px solid; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
a:focus-visible { outline: 3px solid; outline-offset: 2px; }
"""

_Operation = tuple[str, str, Mapping[str, Any]]


def page(description: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = description["info"]
    title = escape(f"{info['title']} {info['version']}: the API")
    body = "\n".join(_body(description))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<a class="skip" href="#operations">To the operations</a>
<header>
<h1>{title}</h1>
<p>{escape(info["description"])} The same for programs:
<a href="/openapi.json"><code>/openapi.json</code></a>.</p>
</header>
{body}
</body>
</html>
"""


def _body(description: Mapping[str, Any]) -> Iterator[str]:
    groups = {
        tag["name"]: _operations(description, tag["name"])
        for tag in description["tags"]
    }
    yield '<nav aria-label="Operations">\n<ul>'
    for operation in (each for group in groups.values() for each in group):
        method, path, said = operation
        yield (
            f'<li><a href="#{escape(said["operationId"])}">'
            f"<code>{method} {escape(path)}</code></a></li>"
        )
    yield '</ul>\n</nav>\n<main id="operations">'
    for tag in description["tags"]:
        yield f"<h2>{escape(tag['name'].capitalize())}</h2>"
        yield f"<p>{_marked(tag['description'])}</p>"
        for operation in groups[tag["name"]]:
            yield from _operation(operation)
    yield "<h2>Shapes</h2>"
    for name, schema in description["components"]["schemas"].items():
        yield from _shape(name, schema)
    yield "</main>"


def _operations(description: Mapping[str, Any], tag: str) -> list[_Operation]:
    return [
        (method.upper(), path, said)
        for path, methods in description["paths"].items()
        for method, said in methods.items()
        if tag in said["tags"]
    ]


def _operation(operation: _Operation) -> Iterator[str]:
    method, path, said = operation
    yield (
        f'<section aria-labelledby="{escape(said["operationId"])}">\n'
        f'<h3 id="{escape(said["operationId"])}"><code>{method} {escape(path)}</code></h3>'
    )
    yield f"<p>{_marked(said['summary'])}</p>"
    parameters = said.get("parameters", [])
    if parameters:
        yield from _table(
            "Parameters",
            ("Name", "Meaning", "Values"),
            (
                (
                    _code(each["name"]),
                    _marked(each["description"]),
                    _kind(each["schema"]),
                )
                for each in parameters
            ),
        )
    if "requestBody" in said:
        yield from _table(
            "Body", ("Media type", "Shape"), _contents(said["requestBody"]["content"])
        )
    yield from _table(
        "Answers",
        ("Status", "Meaning", "Shape"),
        (
            (_code(status), _marked(each["description"]), _shapes(each["content"]))
            for status, each in said["responses"].items()
        ),
    )
    yield "</section>"


def _shape(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<section>\n<h3 id="shape-{escape(name)}"><code>{escape(name)}</code></h3>'
    if "description" in schema:
        yield f"<p>{_marked(schema['description'])}</p>"
    required = set(schema.get("required", ()))
    yield from _table(
        "Fields",
        ("Name", "Type", "Always there"),
        (
            (_code(field), _kind(kind), "yes" if field in required else "no")
            for field, kind in schema.get("properties", {}).items()
        ),
    )
    yield "</section>"


def _table(
    caption: str, heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]
) -> Iterator[str]:
    """A table; its cells are HTML already."""
    yield f'<div class="wide">\n<table>\n<caption>{caption}</caption>\n<thead><tr>'
    yield "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield "</tr></thead>\n<tbody>"
    for first, *rest in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</tbody>\n</table>\n</div>"


def _contents(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for media_type, each in content.items():
        yield _code(media_type), _kind(each["schema"])


def _shapes(content: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"{_code(media_type)}: {_kind(each['schema'])}"
        for media_type, each in content.items()
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """What a schema takes, in a few words."""
    match schema:
        case {"$ref": str(ref)}:
            name = escape(ref.removeprefix(_REF))
            said = f'<a href="#shape-{name}">{name}</a>'
        case {"anyOf": list(choices)} | {"oneOf": list(choices)}:
            said = " or ".join(_kind(choice) for choice in choices)
        case {"enum": list(words)}:
            said = ", ".join(_code(str(word)) for word in words)
        case {"type": "array", "items": Mapping() as items}:
            said = f"list of {_kind(items)}"
        case {"type": "object", "additionalProperties": Mapping() as values}:
            said = f"by name: {_kind(values)}"
        case {"type": "integer", "minimum": int(least), "maximum": int(most)}:
            said = f"{least} to {most}"
        case _:
            said = escape(schema.get("type", "anything"))
    return said


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _marked(text: str) -> str:
    """Text with ``code`` in backticks."""
    parts = text.replace("``", "`").split("`")
    return "".join(
        _code(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


@cache
def _written() -> tuple[bytes, bytes]:
    description = document()
    return msgspec.json.encode(description), page(description).encode()


async def _description(request: Request, services: Services) -> Answer:
    del request, services
    return Answer(body=_written()[0], headers=_KEPT)


async def _page(request: Request, services: Services) -> Answer:
    del request, services
    headers = (*_KEPT, ("Content-Security-Policy", _POLICY))
    return Answer(
        body=_written()[1], media_type="text/html; charset=utf-8", headers=headers
    )


async def _style(request: Request, services: Services) -> Answer:
    del request, services
    return Answer(
        body=STYLE.encode(), media_type="text/css; charset=utf-8", headers=_KEPT
    )


DOCS_ROUTES = (
    Route(method="GET", path="/openapi.json", handle=_description, body_max=0),
    Route(method="GET", path="/docs", handle=_page, body_max=0),
    Route(method="GET", path="/docs.css", handle=_style, body_max=0),
)
"""Open to everybody: they say what the source says."""
