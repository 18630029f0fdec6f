"""Digest of a graph of labelled nodes, cycles included, independent of the order in which it is walked.

Nodes off every cycle are hashed from their children. The nodes of a cycle (mutually recursive functions,
say) are told apart by rounds of refinement, as in minimising an automaton: each round hashes a node's label
with its children's last hashes, until no round tells more nodes apart.

Equal digests mean that nothing tells the two graphs apart, and graphs built alike get equal digests. The
converse has one gap: a cycle written out for some steps before it closes differs from the same cycle closed
at once. That costs a miss; closing it would cost time quadratic in the length of a chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["Node", "digest"]


class Node(NamedTuple):
    """What an object is made of.

    Parameters
    ----------
    label : bytes
        All that is said about it beside its children.
    children : sequence of object
        Objects it is made of. Default: none.
    ordered : bool
        False where the order of the children says nothing. Default: True.
    """

    label: bytes
    children: Sequence[object] = ()
    ordered: bool = True


class _Graph(NamedTuple):
    labels: list[bytes]
    ordered: list[bool]
    # A child is the number of a node, or the bytes of a scalar.
    children: list[list[int | bytes]]


def digest(
    root: object,
    *,
    key: Callable[[object], Hashable],
    scalar: Callable[[object], bytes | None],
    expand: Callable[[object], Node],
) -> str:
    """Digest an object and all it is made of.

    Parameters
    ----------
    root : object
        Where to begin.
    key : callable
        Tells whether two objects are one node.
    scalar : callable
        The bytes of an object that is its own label, None for others. Never begins with ``b"#"``.
    expand : callable
        Label and children of any other object.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    plain = scalar(root)
    if plain is not None:
        return hashlib.sha256(plain).hexdigest()
    graph = _walk(root, key, scalar, expand)
    colours: list[bytes] = [b""] * len(graph.labels)
    for component in _components(graph.children):
        _colour(component, graph, colours)
    return colours[0].hex()


def _walk(
    root: object,
    key: Callable[[object], Hashable],
    scalar: Callable[[object], bytes | None],
    expand: Callable[[object], Node],
) -> _Graph:
    graph = _Graph([], [], [])
    numbers: dict[Hashable, int] = {key(root): 0}
    # An object made while walking must outlive the walk, or its id could be another's.
    objects = [root]
    for obj in objects:
        node = expand(obj)
        children: list[int | bytes] = []
        for child in node.children:
            plain = scalar(child)
            if plain is not None:
                children.append(plain)
                continue
            number = numbers.setdefault(key(child), len(objects))
            if number == len(objects):
                objects.append(child)
            children.append(number)
        graph.labels.append(node.label)
        graph.ordered.append(node.ordered)
        graph.children.append(children)
    return graph


def _components(children: list[list[int | bytes]]) -> Iterator[list[int]]:
    """Yield the strongly connected components, what is led to before what leads there (Tarjan's)."""
    order = [-1] * len(children)
    low = [0] * len(children)
    done = [False] * len(children)
    open_nodes: list[int] = []
    path: list[tuple[int, Iterator[int | bytes]]] = []
    count = 0
    enter: int | None = 0
    while enter is not None or path:
        if enter is not None:
            order[enter] = low[enter] = count
            count += 1
            open_nodes.append(enter)
            path.append((enter, iter(children[enter])))
            enter = None
        node, rest = path[-1]
        for child in rest:
            if isinstance(child, bytes) or done[child]:
                continue
            if order[child] < 0:
                enter = child
                break
            low[node] = min(low[node], order[child])
        else:
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[node])
            if low[node] == order[node]:
                yield list(_close(node, open_nodes, done))


def _close(node: int, open_nodes: list[int], done: list[bool]) -> Iterator[int]:
    member = -1
    while member != node:
        member = open_nodes.pop()
        done[member] = True
        yield member


def _colour(component: list[int], graph: _Graph, colours: list[bytes]) -> None:
    if len(component) == 1 and component[0] not in graph.children[component[0]]:
        colours[component[0]] = _hash(component[0], graph, colours)
        return
    for node in component:
        colours[node] = hashlib.sha256(b"cycle" + graph.labels[node]).digest()
    told_apart = 0
    while True:
        before = [colours[node] for node in component]
        after = [_hash(node, graph, colours) for node in component]
        for node, colour in zip(component, after, strict=True):
            colours[node] = colour
        if len(set(after)) == told_apart:
            break
        told_apart = len(set(after))
    # A colour by itself sees only as far as there were rounds; all of them together say everything.
    table = b"".join(sorted({a + b for a, b in zip(before, after, strict=True)}))
    for node, colour in zip(component, after, strict=True):
        colours[node] = hashlib.sha256(b"in cycle" + colour + table).digest()


def _hash(node: int, graph: _Graph, colours: list[bytes]) -> bytes:
    parts = [child if isinstance(child, bytes) else b"#" + colours[child] for child in graph.children[node]]
    if not graph.ordered[node]:
        parts.sort()
    label = graph.labels[node]
    state = hashlib.sha256(b"%d:%d:" % (len(label), len(parts)) + label)
    for part in parts:
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()
