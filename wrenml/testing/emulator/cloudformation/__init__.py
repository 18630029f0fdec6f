"""CloudFormation, over the emulator's own services: what a template says is what is there."""

from __future__ import annotations
