"""Which exceptions hang together."""

from __future__ import annotations

__all__ = ["related"]


def related(exc: BaseException) -> list[BaseException]:
    """Return the exception and all that its causes, contexts and members lead to, each once, itself first."""
    found: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [exc]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in found:
            continue
        found[id(each)] = each
        waiting += [each.__context__, each.__cause__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
    return list(found.values())
