"""Lambda's Python runtimes, and which wheels can be imported there."""

from __future__ import annotations

from typing import Final

__all__ = ["ARCHITECTURES", "RUNTIMES", "abi_tag", "is_importable", "platform_tags"]

RUNTIMES: Final = {"3.11": (2, 26), "3.12": (2, 34), "3.13": (2, 34), "3.14": (2, 34)}
"""The glibc of each: Amazon Linux 2 under 3.11, Amazon Linux 2023 under the later ones."""

ARCHITECTURES: Final = ("x86_64", "arm64")

_MACHINES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}
_FIRST: Final = {"x86_64": 5, "arm64": 17}  # the oldest glibc 2.x that a wheel of the machine can name
_NAMED: Final = {"manylinux2014": 17, "manylinux2010": 12, "manylinux1": 5}


def platform_tags(python: str, arch: str) -> list[str]:
    """List the platforms whose wheels the runtime can import, the newest first.

    Parameters
    ----------
    python : str
        Such as ``3.13``.
    arch : str
        ``x86_64`` or ``arm64``.

    Returns
    -------
    list of str
        Such as ``manylinux_2_34_x86_64``; after PEP 600, with the names that PEPs 513, 571 and 599 gave.
    """
    machine, first = _MACHINES[arch], _FIRST[arch]
    newest = RUNTIMES[python][1]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, first - 1, -1)]
    return [*tags, *(f"{name}_{machine}" for name, minor in _NAMED.items() if first <= minor <= newest)]


def abi_tag(python: str) -> str:
    """Name the interpreter in wheel tags, such as ``cp313``."""
    return f"cp{python.replace('.', '')}"


def is_importable(wheel: str, python: str, arch: str) -> bool:
    """Say whether a runtime can import what a wheel holds, by the wheel's name.

    Parameters
    ----------
    wheel : str
        Its file name.
    python, arch : str
        The runtime.
    """
    parts = wheel.removesuffix(".whl").split("-")
    pythons, abis, platforms = (set(part.split(".")) for part in parts[-3:])
    minor = int(python.partition(".")[2])
    exact, stable = abi_tag(python), {f"cp3{older}" for older in range(2, minor + 1)}
    pure = {f"py3{older}" for older in range(minor + 1)} | {"py3"}
    runs = (
        ("abi3" in abis and pythons & stable)
        or (exact in abis and exact in pythons)
        or ("none" in abis and pythons & (pure | {exact}))
    )
    return bool(runs) and bool(platforms & {"any", *platform_tags(python, arch)})
