"""Which of several is newest, and what is out of date because of it.

Of one acquisition there may be several: a newer processing baseline, a later generation, the two
granules of a datatake that was cut within a tile, the same scene at another source. One of them
stands; the others are left out with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sen4cap.domain import Product, ProductType
from sen4cap.domain.scene import Scene

SAME_PASS = timedelta(minutes=15)
"""Scenes of one place that are not farther apart are of one pass; orbits take 100 minutes."""
FETCHED_BY = "fetch_"
"""Begins the name of every processor that fetches scenes."""

Age = tuple[str, str, str]


def age_of(product: Product) -> Age:
    """Processing baseline, when it was made, and the source's name: the later one is newer.

    In a source's name the newer generation sorts later. Without a baseline a name tells no age;
    all such products are older than those with one.
    """
    baseline = str(product.properties.get("s2:processing_baseline", ""))
    created = str(product.properties.get("created", ""))
    return baseline, created, product.name.rpartition("_r")[0] if baseline else ""


def is_delivered(product: Product) -> bool:
    """Whether it is what a source delivered, not what was made of that."""
    return product.processor is None or product.processor.startswith(FETCHED_BY)


def newest(products: Iterable[Product], standing: Mapping[str, Product]) -> dict[str, Product]:
    """What is to stand in each slot: of the products and what a source put there, the newest.

    Of equally new ones, such as one product taken in with another offset, the later word counts.
    """
    found = {slot: item for slot, item in standing.items() if is_delivered(item)}
    for item in products:
        found[item.slot] = max(item, found.get(item.slot, item), key=age_of)
    return found


def why_left_out(product: Product, instead: Product) -> str:
    """Why a product does not stand where another one does."""
    baselines, times = (
        {item.properties.get(key) for item in (product, instead)}
        for key in ("s2:processing_baseline", "sen4cap:granule_time")
    )
    if len(baselines) == 1 and len(times - {None}) == 2:
        return (
            f"Another granule of the same tile and datatake stands in its place: '{instead.name}'."
        )
    return f"Superseded by '{instead.name}'."


@dataclass(frozen=True)
class Chosen:
    """What is to stand of one pass over a place."""

    scene: Scene
    """With the instant under which the pass is known."""
    left: tuple[tuple[Scene, str], ...] = ()
    """The others, each with why."""


@dataclass(frozen=True)
class Known:
    """The scene that stands for a pass."""

    scene: Scene
    kept: bool = False
    """Whether it was fetched, or is the fallback's: only a newer baseline takes its place."""


def choose(found: Iterable[Scene], known: Iterable[Known]) -> Iterator[Chosen]:
    """Of each pass that was found what is to stand, sorted by kind, place and time."""
    standing: dict[tuple[ProductType, str], list[Known]] = {}
    for item in known:
        standing.setdefault((item.scene.kind, item.scene.place), []).append(item)
    for group in passes(found):
        same = standing.get((group[0].kind, group[0].place), [])
        before = next((item for item in same if _one_pass(item.scene, group[0])), None)
        yield _chosen(group, before)


def passes(scenes: Iterable[Scene]) -> list[list[Scene]]:
    """The scenes of one kind, place and pass together, oldest first."""
    groups: list[list[Scene]] = []
    for scene in sorted(scenes, key=lambda item: (item.kind, item.place, item.start, item.name)):
        last = groups[-1][0] if groups else None
        same_place = last is not None and (last.kind, last.place) == (scene.kind, scene.place)
        if last is not None and same_place and _one_pass(last, scene):
            groups[-1].append(scene)
        else:
            groups.append([scene])
    return groups


def _one_pass(one: Scene, other: Scene) -> bool:
    return abs(one.start - other.start) <= SAME_PASS


def _chosen(group: Sequence[Scene], before: Known | None) -> Chosen:
    best = max(group, key=_rank)
    if before is not None and not _takes_over(best, before):
        best = before.scene
    left = [scene for scene in group if scene.name != best.name]
    start = best.start if before is None else before.scene.start
    told = tuple((scene, _why_scene_left_out(scene, best)) for scene in left)
    return Chosen(replace(best, start=start), told)


def _rank(scene: Scene) -> tuple[tuple[str, str], str]:
    return scene.age, scene.name


def _takes_over(scene: Scene, before: Known) -> bool:
    if scene.source == before.scene.source:
        return _rank(scene) >= _rank(before.scene)
    baselines = scene.age[0], before.scene.age[0]
    return not before.kept or (all(baselines) and baselines[0] > baselines[1])


def _why_scene_left_out(scene: Scene, instead: Scene) -> str:
    """Why one scene of a pass is left out."""
    if scene.age[0] == instead.age[0] and _datatake(scene) == _datatake(instead) != "":
        return (
            f"Another granule of the same tile and datatake stands in its place: '{instead.name}'."
        )
    return f"Superseded by '{instead.name}'."


def _datatake(scene: Scene) -> str:
    return str(scene.properties.get("s2:datatake_id", ""))


@dataclass
class _Line:
    """Products and what they were made from, looked up once each."""

    products: Mapping[str, Product]
    current: Mapping[str, str]
    """Name by slot."""
    reasons: dict[str, str] = field(default_factory=dict)

    def reason(self, name: str) -> str:
        """Why a product is out of date; empty where it is not."""
        if name not in self.reasons:
            parents = self.products[name].parents
            told = (self._of_parent(parent) for parent in parents)
            self.reasons[name] = next((text for text in told if text), "")
        return self.reasons[name]

    def _of_parent(self, name: str) -> str:
        parent = self.products.get(name)
        if parent is None:
            return f"'{name}', from which it was made, was removed."
        instead = self.current.get(parent.slot)
        if instead is None:
            return f"Nothing stands in the place of '{name}', from which it was made."
        if instead != name:
            return f"'{name}', from which it was made, was superseded by '{instead}'."
        return self.reason(name)


def outdated(products: Collection[Product], current: Mapping[str, str]) -> dict[str, str]:
    """Why current products are out of date, by name; those that are not are left out.

    `products` are all of a site, superseded ones too; `current` names the one in each slot. A
    product is out of date where what it was made from no longer stands in its slot, or is out of
    date itself.
    """
    line = _Line({item.name: item for item in products}, current)
    told = {name: line.reason(name) for name in current.values()}
    return {name: reason for name, reason in sorted(told.items()) if reason}
