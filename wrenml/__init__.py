"""Map Python functions and scikit-learn work over local processes or AWS Lambda."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
