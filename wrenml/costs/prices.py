"""What AWS charges, by region and architecture, as a table with its date.

The first tier of on-demand prices in US dollars, without the free tier, savings plans, taxes and data that leaves
AWS. Lambda's are those of AWS's Price List of 2026-09-19, S3's and CloudWatch's those of 2026-09-18 for
us-east-1. What is not known of a region is taken from us-east-1, and the record says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PRICED_ON", "Prices", "prices_of"]

PRICED_ON: Final = "2026-09-19"
"""Date of the table."""

_DEFAULT: Final = "us-east-1"
_MILLION: Final = 1e6
_THOUSAND: Final = 1e3

# Dollars for a GB-second on x86_64 and on arm64 (a fifth less, everywhere), and for a million requests.
_USUAL: Final = (0.0000166667, 0.0000133334, 0.20)
_DEAR: Final = {
    "af-south-1": (0.0000221, 0.00001768, 0.27),
    "ap-east-1": (0.00002292, 0.0000183, 0.28),
    "eu-central-2": (0.0000183334, 0.0000146667, 0.22),
    "eu-south-1": (0.0000195172, 0.0000156138, 0.23),
    "il-central-1": (0.0000175, 0.000014, 0.21),
    "me-central-1": (0.0000206667, 0.0000165334, 0.25),
    "me-south-1": (0.0000206667, 0.0000165334, 0.25),
}
_LIKE_DEFAULT: Final = frozenset({
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1",
    "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "ca-west-1", "eu-central-1", "eu-north-1",
    "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1",
    "us-west-2",
})  # fmt: skip

# Dollars for 1,000 writes or listings, for 1,000 reads, and for a GB-month.
_S3_USUAL: Final = (0.005, 0.0004, 0.023)
_S3: Final = {
    "us-east-1": _S3_USUAL,
    "us-east-2": _S3_USUAL,
    "us-west-2": _S3_USUAL,
    "eu-west-1": _S3_USUAL,
    "eu-north-1": _S3_USUAL,
    "us-west-1": (0.0055, 0.00044, 0.026),
    "ca-central-1": (0.0055, 0.00044, 0.025),
    "eu-central-1": (0.0054, 0.00043, 0.0245),
    "eu-west-2": (0.0053, 0.00042, 0.024),
    "eu-west-3": (0.0053, 0.00042, 0.024),
    "ap-northeast-1": (0.0047, 0.00037, 0.025),
    "ap-south-1": (0.005, 0.0004, 0.025),
    "ap-southeast-1": (0.005, 0.0004, 0.025),
    "ap-southeast-2": (0.0055, 0.00044, 0.025),
    "sa-east-1": (0.007, 0.00056, 0.0405),
}
_LOG_GB: Final = 0.50


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of one region and architecture, in dollars.

    Parameters
    ----------
    region, arch : str
        Where, and ``x86_64`` or ``arm64``.
    gb_second : float
        Of a function's memory (1 GB is 1,024 MB) for a second.
    invocation : float
        Of one.
    write : float
        Of one PUT, COPY, POST or LIST.
    read : float
        Of one GET or HEAD.
    gb_month : float
        Of what is stored.
    log_gb : float
        Of logs taken in.
    priced_on : str
        Date of the table.
    assumed : tuple of str
        What of it is not known for the region, and taken from us-east-1: ``Lambda``, ``S3``, ``logs``.
    """

    region: str
    arch: str
    gb_second: float
    invocation: float
    write: float
    read: float
    gb_month: float
    log_gb: float
    priced_on: str
    assumed: tuple[str, ...]


def prices_of(region: str, arch: str) -> Prices:
    """Look up the prices of a region.

    Parameters
    ----------
    region : str
        Such as ``eu-west-1``. Of an unknown one, us-east-1's prices are given and named in `Prices.assumed`.
    arch : str
        ``arm64``; anything else is x86_64.
    """
    x86, arm, million = _DEAR.get(region, _USUAL)
    thousand_writes, thousand_reads, month = _S3.get(region, _S3_USUAL)
    known = {
        "Lambda": region in _DEAR or region in _LIKE_DEFAULT,
        "S3": region in _S3,
        "logs": region == _DEFAULT,
    }
    return Prices(
        region=region,
        arch=arch,
        gb_second=arm if arch == "arm64" else x86,
        invocation=million / _MILLION,
        write=thousand_writes / _THOUSAND,
        read=thousand_reads / _THOUSAND,
        gb_month=month,
        log_gb=_LOG_GB,
        priced_on=PRICED_ON,
        assumed=tuple(what for what, is_known in known.items() if not is_known),
    )
