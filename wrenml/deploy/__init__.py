"""Puts wrenml into an AWS account, and takes it out again.

::

    Choices ──render──▶ template ──change set──▶ stack: buckets, role, functions without code
                                                    │
    Package (wheels, wrenml, handler; one zip) ──▶ code/<sha256>.zip ──▶ code of each function
                                                                            │ publish
    Deployment record ◀── written last ── alias vN of each function ◀───────┘

Every step looks first at what is there, so a deployment that was interrupted goes on when it is run again.
"""
