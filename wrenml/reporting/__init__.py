"""A job's calls over time: drawn, and told on a page that can be mailed."""

from __future__ import annotations
