"""What stands for an object that was put into storage."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Ref"]

T = TypeVar("T")

_MARK = "blob:"


class Ref(Generic[T]):
    """An object that `Executor.put` stored.

    Given to a call, as an argument or anywhere inside one, it becomes the object itself.

    Parameters
    ----------
    digest : str
        SHA-256 of the packed object.
    description : str
        For its repr.
    modules : frozenset of str
        Modules that the object refers to: they travel with the calls that are given it.
    """

    __slots__ = ("description", "digest", "modules")

    def __init__(self, digest: str, description: str, modules: frozenset[str] = frozenset()) -> None:
        self.digest = digest
        self.description = description
        self.modules = modules

    def as_input(self) -> tuple[str, int]:
        """How the packed arguments name it."""
        return _MARK + self.digest, 0

    @staticmethod
    def is_reference(entry: tuple[str, int]) -> bool:
        """Whether a packed argument's input is one of these, not the result of a call."""
        return entry[0].startswith(_MARK)

    @staticmethod
    def digest_of(job: str) -> str | None:
        """The digest that an input's job name carries, if it is one of these."""
        return job.removeprefix(_MARK) if job.startswith(_MARK) else None

    def __repr__(self) -> str:
        return f"<Ref {self.description} {self.digest[:12]}>"
