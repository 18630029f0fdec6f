"""S3's XML: what is sent to it, and what it answers, as boto3 shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from wrenml.aws.failures import UnreachableError

Element = Any
"""An `xml.etree.ElementTree.Element`; its module is loaded when the first answer is read."""

__all__ = ["completion", "deletion", "read_deletion", "read_error", "read_fields", "read_page"]

_SPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_REFERENCES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\n": "&#10;"})
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def deletion(request: Mapping[str, Any]) -> bytes:
    """The body of a DeleteObjects request, from boto3's ``Delete``."""
    keys = "".join([f"<Object><Key>{_text(entry['Key'])}</Key></Object>" for entry in request["Objects"]])
    quiet = "<Quiet>true</Quiet>" if request.get("Quiet") else ""
    return f"{_HEAD}<Delete{_SPACE}>{keys}{quiet}</Delete>".encode()


def completion(upload: Mapping[str, Any]) -> bytes:
    """The body of a CompleteMultipartUpload request, from boto3's ``MultipartUpload``."""
    parts = "".join(
        [
            f"<Part><ETag>{_text(part['ETag'])}</ETag><PartNumber>{part['PartNumber']}</PartNumber></Part>"
            for part in upload["Parts"]
        ]
    )
    return f"{_HEAD}<CompleteMultipartUpload{_SPACE}>{parts}</CompleteMultipartUpload>".encode()


def _text(text: str) -> str:
    # The standard library's function for this loads urllib.request.
    return text.translate(_REFERENCES)


def read_page(body: bytes) -> dict[str, Any]:
    """A page of ListObjectsV2; what a damaged one lacks is missing."""
    root = _root(body)
    try:
        return _page(root)
    except (KeyError, ValueError) as error:
        raise UnreachableError(f"the page of keys is damaged: {error!r}") from error


def _page(root: Element) -> dict[str, Any]:
    page: dict[str, Any] = {}
    contents: list[dict[str, Any]] = []
    prefixes: list[dict[str, str]] = []
    for element in root:
        name = _name(element)
        if name == "Contents":
            contents.append(_entry(element))
        elif name == "CommonPrefixes":
            prefixes.append(_strings(element))
        else:
            page[name] = _typed(name, element.text or "")
    if page.get("EncodingType") == "url":
        _decode(page, [(contents, "Key"), (prefixes, "Prefix")])
    if contents:
        page["Contents"] = contents
    if prefixes:
        page["CommonPrefixes"] = prefixes
    return page


def _entry(element: Element) -> dict[str, Any]:
    entry: dict[str, Any] = {_name(child): child.text or "" for child in element}
    if "Size" in entry:
        entry["Size"] = int(entry["Size"])
    if "LastModified" in entry:
        entry["LastModified"] = datetime.fromisoformat(entry["LastModified"])
    return entry


def _typed(name: str, text: str) -> str | int | bool:
    if name in {"KeyCount", "MaxKeys"}:
        return int(text)
    return text == "true" if name == "IsTruncated" else text


def _decode(page: dict[str, Any], groups: Iterable[tuple[list[dict[str, Any]], str]]) -> None:
    for name in ("Prefix", "StartAfter", "Delimiter"):
        if name in page:
            page[name] = unquote_plus(page[name])
    for entries, name in groups:
        for entry in entries:
            text = entry[name]
            if "%" in text or "+" in text:
                entry[name] = unquote_plus(text)


def read_deletion(body: bytes) -> list[dict[str, str]]:
    """What a DeleteObjects request did not delete."""
    return [_strings(element) for element in _root(body) if _name(element) == "Error"]


def read_fields(body: bytes) -> dict[str, str]:
    """An answer of plain fields, such as CreateMultipartUpload's."""
    return _strings(_root(body))


def read_error(body: bytes) -> dict[str, str]:
    """What an ``Error`` says; nothing where the body is no such thing."""
    if b"<Error" not in body[:1024]:
        return {}
    try:
        root = _root(body)
    except UnreachableError:
        return {}
    return _strings(root) if _name(root) == "Error" else {}


def _root(body: bytes) -> Element:
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - a worker that writes and reads needs none

    try:
        return ET.fromstring(body.strip())  # noqa: S314 - from S3, and expat refuses entities that explode
    except ET.ParseError as error:
        raise UnreachableError(f"the answer is no XML: {error}") from error


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _strings(element: Element) -> dict[str, str]:
    return {_name(child): child.text or "" for child in element}
