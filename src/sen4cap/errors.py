"""The error tree. Below everything; one sentence per error, and it says what to do next.

Sen4capError
├─ InputRefused            what was given cannot be used; nothing was changed
│  ├─ UnreadableFile       missing, truncated or of an unknown format
│  ├─ UnsafeArchive        a zip that leaves its folder or unpacks to too much
│  ├─ MissingCrs           no coordinate reference system
│  ├─ EmptyLayer           no feature, no raster, no row
│  ├─ MissingColumn        a column that was named or is required is not there
│  ├─ UnreadableDate       no date could be read
│  ├─ OutsideSite          the data do not meet the site
│  ├─ RadiometryRefused    scale and offset contradict each other or the pixels
│  └─ InvalidParameter     unknown, of the wrong type or out of bounds
├─ NotFound                no such site, season, product, processor, version
├─ Conflict                it exists already, or it cannot be done in this state
├─ NoInput                 nothing to work on
├─ SourceRefused           credentials, quota, or not held by the source
└─ ServiceUnavailable      a database or program cannot be reached
"""

from __future__ import annotations


class Sen4capError(Exception):
    """Something went wrong that a user can understand and mend."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class InputRefused(Sen4capError):
    """What was given cannot be used; nothing was changed."""


class UnreadableFile(InputRefused):
    """The file is missing, truncated or of an unknown format."""


class UnsafeArchive(InputRefused):
    """The archive leaves its folder or unpacks to too much."""


class MissingCrs(InputRefused):
    """The data carry no coordinate reference system."""


class EmptyLayer(InputRefused):
    """There is nothing in the data."""


class MissingColumn(InputRefused):
    """A column that is needed is not in the data."""


class UnreadableDate(InputRefused):
    """No date could be read."""


class OutsideSite(InputRefused):
    """The data do not meet the site."""


class RadiometryRefused(InputRefused):
    """Scale and offset contradict each other or the pixels."""


class InvalidParameter(InputRefused):
    """A parameter is unknown, of the wrong type or out of bounds."""


class NotFound(Sen4capError):
    """There is no such thing."""


class Conflict(Sen4capError):
    """It exists already, or it cannot be done in this state."""


class NoInput(Sen4capError):
    """There is nothing to work on."""


class SourceRefused(Sen4capError):
    """A source of satellite data refuses: credentials, quota, or something it does not hold."""


class ServiceUnavailable(Sen4capError):
    """A database or program cannot be reached."""
