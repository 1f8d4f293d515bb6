#!/usr/bin/env python3
"""Checks openapi.yaml: it is OpenAPI 3.1, every example fits its schema, and it keeps the rules of our own that are below."""

import pathlib
import re
import sys
from collections.abc import Iterator

import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

HERE = pathlib.Path(__file__).parent
METHODS = ("get", "put", "post", "delete", "patch")
DOCUMENT = "urn:openapi"


def absolute(node):
    """The document with references that also work from inside a part of it."""
    if isinstance(node, dict):
        return {key: DOCUMENT + value if key == "$ref" else absolute(value) for key, value in node.items()}
    if isinstance(node, list):
        return [absolute(value) for value in node]
    return node


def examples(node, place: str = "") -> Iterator[tuple[str, dict, object]]:
    """Every example with its place and its schema."""
    if isinstance(node, dict):
        if "schema" in node:
            if "example" in node:
                yield place, node["schema"], node["example"]
            for name, example in node.get("examples", {}).items():
                yield f"{place}/{name}", node["schema"], example["value"]
        elif "/schemas/" in place and isinstance(node.get("examples"), list):
            for example in node["examples"]:
                yield place, node, example
        for key, value in node.items():
            yield from examples(value, f"{place}/{key}")
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from examples(value, f"{place}/{position}")


def faults(text: str) -> Iterator[str]:
    """Everything that is wrong."""
    document = yaml.safe_load(text)
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message}"

    whole = absolute(document)
    registry = Registry().with_resource(DOCUMENT, Resource(contents=whole, specification=DRAFT202012))
    for place, schema, example in examples(whole):
        for error in Draft202012Validator(schema, registry=registry).iter_errors(example):
            yield f"{place}: the example does not fit: {error.message}"

    for kind in ("schemas", "parameters", "responses", "headers"):
        for name in document["components"][kind]:
            if not re.search(rf"'#/components/{kind}/{name}'", text):
                yield f"components/{kind}/{name}: nothing refers to it"

    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield from operation_faults(f"{method.upper()} {path}", item[method], document)


def operation_faults(name: str, operation: dict, document: dict) -> Iterator[str]:
    """What an operation must say beyond OpenAPI."""
    for wanted in ("operationId", "summary", "description", "tags", "x-holdfast-callers"):
        if not operation.get(wanted):
            yield f"{name}: says no {wanted}"
    function = operation.get("x-holdfast-function", "")
    if not (HERE.parent / "functions" / function / "Cargo.toml").is_file():
        yield f"{name}: there is no function {function!r}"
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        problem = "application/problem+json" in response.get("content", {})
        if (status >= "400") != problem:
            yield f"{name}: {status} is {'' if problem else 'not '}a problem"
        if problem and not response.get("x-holdfast-codes"):
            yield f"{name}: {status} names no codes"


def main() -> int:
    found = list(faults((HERE / "openapi.yaml").read_text(encoding="utf-8")))
    for fault in found:
        print(f"infra/openapi.yaml: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
