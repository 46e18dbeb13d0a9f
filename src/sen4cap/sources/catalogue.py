"""From a definition to a source that can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from sen4cap.errors import InvalidParameter
from sen4cap.sources.archive import ArchiveSource, Mode
from sen4cap.sources.asf import CMR, AsfSource
from sen4cap.sources.auth import (
    Auth,
    Bearer,
    Credentials,
    Missing,
    Nobody,
    PasswordToken,
    SignedUrls,
)
from sen4cap.sources.http import Policy, Session
from sen4cap.sources.hyp3 import Hyp3Source
from sen4cap.sources.odata import ODataSource
from sen4cap.sources.profiles import Access, Kind, Profile, profile
from sen4cap.sources.remote import Remote
from sen4cap.sources.slots import Slots
from sen4cap.sources.stac_api import StacSource

AnySource: TypeAlias = StacSource | ODataSource | AsfSource | Hyp3Source | ArchiveSource


class _Opener(Protocol):
    def __call__(self, made: Definition, about: Profile, remote: Remote) -> AnySource: ...


@dataclass(frozen=True)
class Definition:
    """A source as it is set up: a profile, and what differs from it. A value, without secrets."""

    name: str
    profile: str = ""
    """Name of the profile; empty is its own name."""
    endpoint: str = ""
    """Address where it is asked; empty is the profile's, as are the next two."""
    download: str = ""
    token: str = ""
    hosts: tuple[str, ...] = ()
    """Hosts that may see the token, beside the profile's."""
    connections: int = 0
    """At most so many at a time; 0 is the profile's."""
    timeout: float = 60.0
    """Seconds to wait for each piece of an answer."""
    root: str = ""
    """Folder of an archive."""
    mode: str = "link"
    """What is done with the products of an archive: `copy` or `link`."""
    by_nodes: bool = False
    """Whether only the files that are used are brought, where the source allows it."""
    proxies: Mapping[str, str] = field(default_factory=dict)
    """Proxy by scheme of URL."""

    @property
    def about(self) -> Profile:
        """Its profile.

        Raises
        ------
        NotFound
            If there is no such profile.
        """
        return profile(self.profile or self.name)


def open_source(
    definition: Definition,
    credentials: Credentials | None = None,
    *,
    locks: Path | None = None,
    policy: Policy | None = None,
) -> AnySource:
    """The source of a definition; nothing is asked yet.

    `locks` is a folder in which all processes of this machine agree on the number of
    connections; None is no limit.

    Raises
    ------
    NotFound
        If its profile is not known.
    InvalidParameter
        If it is an archive without a folder.
    """
    about = definition.about
    if about.kind is Kind.ARCHIVE:
        return _archive(definition, about)
    policy = policy or Policy(timeout=definition.timeout)
    session = Session(definition.name, policy, definition.proxies)
    session.authority = _authority(definition, about, credentials or Credentials(), session)
    count = definition.connections or about.connections
    remote = Remote(session, Slots(locks, definition.name, count, policy.sleep))
    return _OPENERS[about.kind](made=definition, about=about, remote=remote)


def _archive(made: Definition, about: Profile) -> ArchiveSource:
    if not made.root:
        raise InvalidParameter(
            f"Source '{made.name}' needs the folder of its products: "
            f"run 'sen4cap source set {made.name} root /eodata'."
        )
    return ArchiveSource(made.name, about, Path(made.root).expanduser().absolute(), Mode(made.mode))


def _stac(made: Definition, about: Profile, remote: Remote) -> AnySource:
    return StacSource(made.name, about, made.endpoint or about.endpoint, remote)


def _odata(made: Definition, about: Profile, remote: Remote) -> AnySource:
    endpoint, download = made.endpoint or about.endpoint, made.download or about.download
    return ODataSource(made.name, about, endpoint, download, remote, by_nodes=made.by_nodes)


def _asf(made: Definition, about: Profile, remote: Remote) -> AnySource:
    if made.endpoint:
        remote.session.moved = {CMR: made.endpoint}
    return AsfSource(made.name, about, remote)


def _hyp3(made: Definition, about: Profile, remote: Remote) -> AnySource:
    return Hyp3Source(made.name, about, made.endpoint or about.endpoint, remote)


_OPENERS: Mapping[Kind, _Opener] = {
    Kind.STAC: _stac,
    Kind.ODATA: _odata,
    Kind.ASF: _asf,
    Kind.HYP3: _hyp3,
}


def _authority(
    made: Definition, about: Profile, credentials: Credentials, session: Session
) -> Auth:
    hosts, url = (*about.hosts, *made.hosts), made.token or about.token
    if about.access is Access.PASSWORD:
        return PasswordToken(
            made.name, url, about.client, credentials, hosts, session.form, session.policy.now
        )
    if about.access is Access.TOKEN:
        return Bearer(credentials.token, hosts) if credentials.token else Missing(made.name, hosts)
    if about.access is Access.SIGNED:
        return SignedUrls(url, hosts, session.form, session.policy.now)
    return Nobody()
