"""The public sources that are known: what they hold, where, and what they ask for.

Profiles are data. Nothing here was found out by the program: addresses, collections and limits
are those of the providers' documentation, and none could be verified live from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sen4cap.domain import ProductType
from sen4cap.errors import NotFound


class Kind(StrEnum):
    """How a source is spoken to."""

    STAC = "stac"
    ODATA = "odata"
    ASF = "asf"
    HYP3 = "hyp3"
    ARCHIVE = "archive"


class Access(StrEnum):
    """What a source wants before it hands out a file."""

    OPEN = "open"
    PASSWORD = "password"  # noqa: S105 - a kind of access, not a password
    TOKEN = "token"  # noqa: S105 - a kind of access, not a token
    SIGNED = "signed"
    """Addresses with a signature that anybody may ask for."""


class Form(StrEnum):
    """As what a scene arrives."""

    ITEM = "item"
    """Rasters with a STAC Item beside them."""
    FILES = "files"
    """Rasters and metadata files as the provider names them."""
    PACKED = "packed"
    """One zip that is unpacked."""


@dataclass(frozen=True)
class Collection:
    """Scenes of one platform that become one kind of product."""

    kind: ProductType
    platform: str
    id: str
    """Name at the source."""
    form: Form = Form.ITEM
    assets: tuple[str, ...] = ()
    """Keys of what is fetched; none: every band that is known."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """What else is asked for, in the source's words."""


@dataclass(frozen=True)
class Profile:
    """A kind of source, or a public one with its addresses."""

    name: str
    title: str
    kind: Kind
    collections: tuple[Collection, ...]
    endpoint: str = ""
    """Where it is asked what it holds."""
    download: str = ""
    """Where files come from, if their addresses are built and not told."""
    token: str = ""
    """Where tokens or signatures come from."""
    access: Access = Access.OPEN
    client: str = ""
    """Name under which tokens are asked for."""
    hosts: tuple[str, ...] = ()
    """Hosts that may see the token; with signed addresses the end of the hosts that need one."""
    fields: tuple[str, ...] = ()
    """Credentials it needs: `user`, `password`, `token`."""
    searches_with_credentials: bool = False
    fetches: bool = True
    streams: bool = False
    """Whether its files can be read in place without a secret."""
    connections: int = 2
    note: str = ""

    def collection(self, kind: ProductType, platform: str) -> Collection | None:
        """Its scenes of a platform that become a kind of product; None if it has none."""
        found = (
            item for item in self.collections if (item.kind, item.platform) == (kind, platform)
        )
        return next(found, None)


L1C, L2A, SLC, AMP, COHE = (
    ProductType.L1C,
    ProductType.L2A,
    ProductType.SLC,
    ProductType.S1_AMP,
    ProductType.S1_COHE,
)
S1, S2, LANDSAT = "sentinel-1", "sentinel-2", "landsat"
SURFACE = (
    "coastal",
    "blue",
    "green",
    "red",
    "nir08",
    "swir16",
    "swir22",
    "qa_pixel",
    "qa_radsat",
    "mtl.txt",
    "mtl.json",
)
"""Keys of what is used of a Landsat Collection 2 level 2 product."""

CDSE = ("download.dataspace.copernicus.eu", "zipper.dataspace.copernicus.eu")
EARTHDATA = ("asf.alaska.edu", "earthdatacloud.nasa.gov", "urs.earthdata.nasa.gov")

PROFILES: Mapping[str, Profile] = {
    item.name: item
    for item in (
        Profile(
            "earth-search",
            "Earth Search, Sentinel-2 Collection 1 (Element 84)",
            Kind.STAC,
            (Collection(L2A, S2, "sentinel-2-c1-l2a"),),
            endpoint="https://earth-search.aws.element84.com/v1",
            streams=True,
            connections=8,
            note="Baseline 05.00 and later; parts of 2016-2019 and 2022 were missing in 2024.",
        ),
        Profile(
            "earth-search-old",
            "Earth Search, former Sentinel-2 collection (Element 84)",
            Kind.STAC,
            (Collection(L2A, S2, "sentinel-2-l2a"),),
            endpoint="https://earth-search.aws.element84.com/v1",
            streams=True,
            connections=8,
            note="Its offset metadata are wrong for part of the items: the pixels decide.",
        ),
        Profile(
            "cdse-stac",
            "Copernicus Data Space Ecosystem, STAC",
            Kind.STAC,
            (
                Collection(L2A, S2, "sentinel-2-l2a"),
                Collection(SLC, S1, "sentinel-1-slc", Form.PACKED, ("Product", "product")),
            ),
            endpoint="https://stac.dataspace.copernicus.eu/v1",
            token="https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol"  # noqa: S106 - an address
            "/openid-connect/token",
            access=Access.PASSWORD,
            client="cdse-public",
            hosts=CDSE,
            fields=("user", "password"),
            connections=4,
        ),
        Profile(
            "cdse",
            "Copernicus Data Space Ecosystem, OData",
            Kind.ODATA,
            (
                Collection(L2A, S2, "SENTINEL-2", Form.PACKED, terms={"productType": "S2MSI2A"}),
                Collection(L1C, S2, "SENTINEL-2", Form.PACKED, terms={"productType": "S2MSI1C"}),
                Collection(SLC, S1, "SENTINEL-1", Form.PACKED, terms={"productType": "IW_SLC__1S"}),
            ),
            endpoint="https://catalogue.dataspace.copernicus.eu/odata/v1",
            download="https://download.dataspace.copernicus.eu/odata/v1",
            token="https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol"  # noqa: S106 - an address
            "/openid-connect/token",
            access=Access.PASSWORD,
            client="cdse-public",
            hosts=CDSE,
            fields=("user", "password"),
            connections=4,
            note="12 TB in 30 days at four connections, then one slow connection.",
        ),
        Profile(
            "planetary-computer",
            "Microsoft Planetary Computer",
            Kind.STAC,
            (
                Collection(L2A, S2, "sentinel-2-l2a"),
                Collection(L2A, LANDSAT, "landsat-c2-l2", Form.FILES, SURFACE),
                Collection(AMP, S1, "sentinel-1-rtc", Form.ITEM, ("vv", "vh")),
            ),
            endpoint="https://planetarycomputer.microsoft.com/api/stac/v1",
            token="https://planetarycomputer.microsoft.com/api/sas/v1/token",  # noqa: S106 - an address
            access=Access.SIGNED,
            hosts=(".blob.core.windows.net",),
            connections=4,
        ),
        Profile(
            "usgs",
            "USGS Landsat Collection 2 level 2, STAC",
            Kind.STAC,
            (Collection(L2A, LANDSAT, "landsat-c2l2-sr", Form.FILES, SURFACE),),
            endpoint="https://landsatlook.usgs.gov/stac-server",
            fetches=False,
            note="For queries; its files need requester-pays access: fetch them from "
            "planetary-computer.",
        ),
        Profile(
            "asf",
            "Alaska Satellite Facility: SLC and OPERA RTC-S1",
            Kind.ASF,
            (
                Collection(
                    AMP,
                    S1,
                    "OPERA-S1",
                    Form.FILES,
                    ("VV", "VH", "mask"),
                    terms={"processingLevel": "RTC"},
                ),
                Collection(
                    SLC,
                    S1,
                    "SENTINEL-1",
                    Form.PACKED,
                    terms={"processingLevel": "SLC", "beamMode": "IW"},
                ),
            ),
            endpoint="https://cmr.earthdata.nasa.gov",
            access=Access.TOKEN,
            hosts=EARTHDATA,
            fields=("token",),
            connections=4,
        ),
        Profile(
            "hyp3",
            "ASF HyP3: backscatter and coherence that the user ordered",
            Kind.HYP3,
            (
                Collection(AMP, S1, "RTC_GAMMA", Form.PACKED),
                Collection(COHE, S1, "INSAR_ISCE_MULTI_BURST", Form.PACKED),
                Collection(COHE, S1, "INSAR_ISCE_BURST", Form.PACKED),
                Collection(COHE, S1, "INSAR_GAMMA", Form.PACKED),
            ),
            endpoint="https://hyp3-api.asf.alaska.edu",
            access=Access.TOKEN,
            hosts=EARTHDATA,
            fields=("token",),
            searches_with_credentials=True,
        ),
        Profile(
            "archive",
            "Folder tree or mounted object store (/eodata) on this machine",
            Kind.ARCHIVE,
            tuple(
                Collection(kind, platform, "", Form.FILES)
                for kind, platform in ((L2A, S2), (L1C, S2), (SLC, S1))
            ),
            streams=True,
        ),
    )
}


def profile(name: str) -> Profile:
    """The profile of a name.

    Raises
    ------
    NotFound
        If there is none.
    """
    if name not in PROFILES:
        known = ", ".join(sorted(PROFILES))
        raise NotFound(f"There is no source profile '{name}': known are {known}.")
    return PROFILES[name]
