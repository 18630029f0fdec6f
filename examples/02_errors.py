"""Errors: a call's own exception is raised where its result is asked for; the other results are not lost."""

from __future__ import annotations

from wrenml import default_executor


def reciprocal(number: float) -> float:
    """Divide one by a number."""
    print(f"dividing by {number}")
    return 1 / number


if __name__ == "__main__":
    with default_executor() as executor:
        futures = executor.map(reciprocal, [4, 2, 0, 1])

        try:
            futures.results()
        except ZeroDivisionError as error:  # its own type, with the worker's traceback
            print(f"raised here: {type(error).__name__}: {error}")
            print("\n".join(error.__notes__))

        print("pairs of those that succeeded:", futures.results(errors="skip"))
        print("exceptions in their places:   ", futures.results(errors="return"))
        print("what call 2 printed:          ", futures.logs(2).strip())
        assert futures.results(errors="skip") == [(0, 0.25), (1, 0.5), (3, 1.0)]
