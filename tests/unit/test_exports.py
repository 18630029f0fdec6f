from __future__ import annotations

import importlib
import re
from importlib.metadata import version
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import wrenml

ROOT = Path(wrenml.__file__).parent


def module_names() -> list[str]:
    """Every public module of the package."""
    files = (path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("*.py"))
    names = (".".join(file.parts).removesuffix(".__init__") for file in files)
    return sorted(name for name in names if not re.search(r"\._", name))


def exported(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", []))


def test_version_is_the_distributions() -> None:
    assert wrenml.__version__ == version("wrenml")


def test_dir_shows_what_is_exported() -> None:
    assert set(wrenml.__all__) <= set(dir(wrenml))


@pytest.mark.parametrize("name", module_names())
class TestEveryModule:
    def test_exports_exist_once(self, name: str) -> None:
        module = importlib.import_module(name)
        assert len(set(exported(module))) == len(exported(module))
        assert [each for each in exported(module) if not hasattr(module, each)] == []

    def test_everything_public_is_exported(self, name: str) -> None:
        module = importlib.import_module(name)
        defined = {
            key
            for key, value in vars(module).items()
            if isinstance(value, type | FunctionType) and value.__module__ == name and not key.startswith("_")
        }
        if exported(module):  # an empty list says that nothing is meant to be imported by name
            assert sorted(defined - set(exported(module))) == []
