"""Card names that no game has, as plausible as those that one has."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

_FIRST = (
    "Ashen", "Brackish", "Cinder", "Dusk", "Ember", "Frost", "Gloam", "Hollow", "Iron", "Jade", "Keen",
    "Lunar", "Moss", "Night", "Obsidian", "Pale", "Quiet", "Rust", "Silver", "Thorn", "Umbral", "Verdant",
    "Wild", "Woven", "Bright", "Storm", "Stone", "River", "Blood", "Bone", "Dread", "Golden", "Grave",
    "Ancient", "Burning", "Drifting", "Forgotten", "Endless", "Restless", "Sacred", "Sunken", "Twisted",
)  # fmt: skip
_SECOND = (
    "Archivist", "Bellows", "Caravan", "Drake", "Effigy", "Falconer", "Garden", "Harrier", "Idol", "Juggler",
    "Keeper", "Lantern", "Mariner", "Nightjar", "Orchard", "Pilgrim", "Quarry", "Reliquary", "Sentinel",
    "Tinker", "Usher", "Vanguard", "Warden", "Wyvern", "Zealot", "Colossus", "Serpent", "Oracle", "Hydra",
    "Bastion", "Causeway", "Citadel", "Command", "Decree", "Elegy", "Forge", "Gambit", "Haven", "Mimicry",
    "Pathway", "Passage", "Ritual", "Shatter", "Titan", "Verdict", "Visions", "Witness", "Shieldbearer",
)  # fmt: skip
_PLACES = (
    "the Deep", "Embers", "the Tides", "Ruin", "the Vale", "Salt", "Winter", "the Hollow", "Sorrow",
    "the Ninth Gate", "Echoes", "the Marsh", "Glass", "the Hunt", "Ashes", "Morrow",
)  # fmt: skip
_STEMS = ("Ae", "Bra", "Cor", "Dra", "El", "Fen", "Gor", "Hal", "Is", "Jor", "Kal", "Lo", "Mir", "Nar", "Or")
_ENDS = ("dan", "eth", "fir", "gul", "hra", "ian", "kos", "lia", "mund", "nok", "oth", "rix", "sune", "tav")


def made_up_names(random: Random, count: int) -> list[str]:
    """Different names: two words, words of one, `X of Y`, persons with a title; seeded by the caller.

    No two differ in spaces only.
    """
    found: dict[str, str] = {}
    for name in _names(random):
        found.setdefault(name.replace(" ", "").casefold(), name)
        if len(found) == count:
            break
    return list(found.values())


def _names(random: Random) -> Iterator[str]:
    while True:
        first, second, place = random.choice(_FIRST), random.choice(_SECOND), random.choice(_PLACES)
        person = random.choice(_STEMS) + random.choice(_STEMS).lower() + random.choice(_ENDS)
        yield random.choice(
            (
                f"{first} {second}",
                f"{first}{second.lower()}",
                f"{second} of {place}",
                f"{first} {second} of {place}",
                f"{person}, {second} of {place}",
                f"{person}'s {second}",
                f"{person}, the {first}",
                f"{first} {person}",
            )
        )
