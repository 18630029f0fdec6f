from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wrenml.digest import argument_digest

keys = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    keys | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner) | st.frozensets(keys),
    max_leaves=20,
)


def shape(value: object) -> object:
    """Say a value so that two are equal only if types are as well, whatever the order of sets and dicts."""
    if isinstance(value, dict):
        return "dict", frozenset((shape(key), shape(inner)) for key, inner in value.items())
    if isinstance(value, frozenset):
        return "frozenset", frozenset(map(shape, value))
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(map(shape, value))
    return type(value).__name__, repr(value)


def rebuilt(value: Any) -> Any:  # noqa: ANN401 - any of the values drawn
    if isinstance(value, dict):
        return {rebuilt(key): rebuilt(inner) for key, inner in reversed(value.items())}
    if isinstance(value, frozenset):
        return frozenset(map(rebuilt, reversed(list(value))))
    if isinstance(value, list | tuple):
        return type(value)(map(rebuilt, value))
    return value


@given(values)
def test_a_value_built_again_in_another_order_has_the_same_digest(value: object) -> None:
    assert argument_digest(rebuilt(value)) == argument_digest(value)


@given(values, values)
def test_digests_are_equal_exactly_when_values_and_types_are(one: object, other: object) -> None:
    assert (argument_digest(one) == argument_digest(other)) == (shape(one) == shape(other))


def targets(size: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, size - 1), max_size=2)


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[str, list[int]]]:
    """Draw nodes, each a label and the numbers of the nodes it leads to."""
    size = draw(st.integers(1, 5))
    node = st.tuples(st.sampled_from("abcd"), targets(size))
    return draw(st.lists(node, min_size=size, max_size=size))


def linked(graph: list[tuple[str, list[int]]]) -> list[Any]:
    nodes: list[list[Any]] = [[label] for label, _ in graph]
    for node, (_, leads) in zip(nodes, graph, strict=True):
        node.extend(nodes[lead] for lead in leads)
    return nodes


def unfolded(graph: list[tuple[str, list[int]]], node: int, depth: int) -> object:
    label, leads = graph[node]
    return label, len(leads), tuple(unfolded(graph, lead, depth - 1) for lead in leads) if depth else ()


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[list[tuple[str, list[int]]], list[tuple[str, list[int]]]]:
    """Draw two graphs that differ in one node, which may lie far from where they begin."""
    one = draw(graphs())
    other = list(one)
    number = draw(st.integers(0, len(one) - 1))
    other[number] = (draw(st.sampled_from("abcd")), draw(st.just(one[number][1]) | targets(len(one))))
    return one, other


@given(neighbours())
def test_cyclic_values_with_equal_digests_cannot_be_told_apart(
    pair: tuple[list[tuple[str, list[int]]], list[tuple[str, list[int]]]],
) -> None:
    one, other = pair
    # Two automata that agree to a depth of all their nodes together agree for ever.
    depth = len(one) + len(other)
    if unfolded(one, 0, depth) != unfolded(other, 0, depth):
        assert argument_digest(linked(one)[0]) != argument_digest(linked(other)[0])


@given(graphs(), st.randoms(use_true_random=False))
def test_a_cyclic_value_built_again_in_another_order_has_the_same_digest(
    graph: list[tuple[str, list[int]]], order: random.Random
) -> None:
    places = list(range(len(graph)))
    order.shuffle(places)
    moved = list(graph)
    for number, (label, leads) in enumerate(graph):
        moved[places[number]] = (label, [places[lead] for lead in leads])
    assert argument_digest(linked(moved)[places[0]]) == argument_digest(linked(graph)[0])


@given(graphs(), st.randoms(use_true_random=False))
def test_a_set_of_cyclic_values_is_told_in_any_order(graph: list[tuple[str, list[int]]], order: random.Random) -> None:
    # Each entry is a node of the same cycles, entered from another side; a dict stands in for a set of lists.
    numbers = list(range(len(graph)))
    shuffled = list(numbers)
    order.shuffle(shuffled)
    nodes, again = linked(graph), linked(graph)
    one = {number: nodes[number] for number in numbers}
    other = {number: again[number] for number in shuffled}
    assert argument_digest(one) == argument_digest(other)
