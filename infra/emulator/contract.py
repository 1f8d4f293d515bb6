"""Calls of the deployed API, each answer held against openapi.yaml."""

import json
import pathlib
import re
import urllib.error
import urllib.request
from typing import NamedTuple

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = pathlib.Path(__file__).resolve().parent.parent / "openapi.yaml"
NAME = "urn:openapi"
LONGEST_CALL = 40


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: dict


class Broken(AssertionError):
    """A promise was not kept."""


class Api:
    """The API at a URL."""

    def __init__(self, url: str):
        self.url = url
        document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
        self._document = _absolute(document)
        self._registry = Registry().with_resource(NAME, Resource(contents=self._document, specification=DRAFT202012))

    def call(self, method: str, path: str, *, token="", key="", body=None, raw=None, headers=None) -> Answer:
        """Calls, and checks that the answer is one that the document promises."""
        sent = dict(headers or {})
        if token:
            sent["authorization"] = f"Bearer {token}"
        if key:
            sent["idempotency-key"] = key
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("content-type", "application/json")
        request = urllib.request.Request(self.url + path, data=raw, headers=sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LONGEST_CALL) as response:
                answer = _read(response)
        except urllib.error.HTTPError as response:
            answer = _read(response)
        self._check(method, path.split("?")[0], answer)
        return answer

    def get(self, path: str, token: str) -> dict:
        """A call that must succeed."""
        return expect(self.call("GET", path, token=token), 200).body

    def post(self, path: str, token: str, key: str, body: dict | None = None, status: int = 200) -> Answer:
        """A command that must end so."""
        return expect(self.call("POST", path, token=token, key=key, body=body), status)

    def _check(self, method: str, path: str, answer: Answer) -> None:
        operation = self._operation(method, path)
        promised = operation["responses"].get(str(answer.status))
        if promised is None:
            raise Broken(f"{method} {path} answered {answer.status}, which is not in the document: {answer.body}")
        promised = self._resolved(promised)
        media = answer.headers.get("content-type", "").split(";")[0]
        if media not in promised["content"]:
            raise Broken(f"{method} {path} answered {answer.status} as {media!r}")
        validator = Draft202012Validator(promised["content"][media]["schema"], registry=self._registry)
        for error in validator.iter_errors(answer.body):
            raise Broken(f"{method} {path} answered {answer.status}: {error.json_path}: {error.message}")
        codes = promised.get("x-holdfast-codes")
        if codes and answer.body["code"] not in codes:
            raise Broken(f"{method} {path} answered {answer.status} with the code {answer.body['code']}")

    def _operation(self, method: str, path: str) -> dict:
        for template, item in self._document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in item:
                return item[method.lower()]
        raise Broken(f"{method} {path} is not in the document")

    def _resolved(self, node: dict) -> dict:
        while "$ref" in node:
            place = node["$ref"].removeprefix(NAME + "#/")
            node = self._document
            for part in place.split("/"):
                node = node[part]
        return node


def expect(answer: Answer, status: int, code: str | None = None) -> Answer:
    """The answer, if it has this status (and this problem's code)."""
    if answer.status != status or (code and answer.body.get("code") != code):
        raise Broken(f"promised {status} {code or ''}, found {answer.status} {answer.body}")
    return answer


def same(what: str, promised, found) -> None:
    """Holds a value against the promised one."""
    if promised != found:
        raise Broken(f"{what}: promised {promised!r}, found {found!r}")


def _read(response) -> Answer:
    text = response.read()
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        body = json.loads(text)
    except ValueError:
        body = {"text": text.decode(errors="replace")}
    return Answer(response.status, headers, body)


def _absolute(node):
    if isinstance(node, dict):
        return {key: NAME + value if key == "$ref" else _absolute(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_absolute(value) for value in node]
    return node
