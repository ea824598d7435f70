"""Decklists of made-up cards: as text in the layouts that programs export, and as pictures of cards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from rendering.fonts import label_font

STYLES = ("arena", "mtgo", "moxfield", "table", "cards", "stacks")
"""Arena's and MTGO's export, Moxfield's list of groups, a table, cards with counts, stacks of titles."""
_INK = (28, 28, 32)
_BASIC = ("Forest", "Island", "Mountain", "Plains", "Swamp")
_COLOURS = ((196, 214, 190), (190, 208, 228), (230, 200, 186), (232, 228, 206), (200, 192, 206))


@dataclass(frozen=True, slots=True)
class Entry:
    """One card of a deck."""

    count: int
    name: str
    section: str
    set_code: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Deck:
    """A deck in the order in which it is shown."""

    entries: tuple[Entry, ...]

    def section(self, name: str) -> tuple[Entry, ...]:
        """The entries of one section."""
        return tuple(entry for entry in self.entries if entry.section == name)

    def total(self, name: str) -> int:
        """Cards of one section."""
        return sum(entry.count for entry in self.section(name))


def random_deck(random: Random, names: Sequence[str], style: str) -> Deck:
    """About sixty cards and a sideboard; small where every copy is drawn."""
    small = style == "stacks"
    chosen = random.sample(list(names), 20 if small else 26)
    split = 14 if small else 18
    entries = [_entry(random, name, "main", style) for name in chosen[:split]]
    if not small:
        entries += [
            Entry(random.randint(5, 12), name, "main", *_printing(random, style))
            for name in random.sample(_BASIC, 2)
        ]
    entries += [_entry(random, name, "sideboard", style) for name in chosen[split:]]
    if style == "moxfield":
        entries.insert(0, Entry(1, random.choice(names), "commander"))
    return Deck(tuple(entries))


def _entry(random: Random, name: str, section: str, style: str) -> Entry:
    most = 2 if section == "sideboard" else 4
    return Entry(random.randint(1, most), name, section, *_printing(random, style))


def _printing(random: Random, style: str) -> tuple[str, str]:
    if style != "arena":
        return "", ""
    return "".join(random.choices("ABCDEFGHKMNPRSTVWXZ", k=3)), str(random.randint(1, 389))


def deck_lines(deck: Deck, style: str) -> list[str]:
    """The lines of a written deck; empty strings are empty lines."""
    match style:
        case "arena":
            return ["Deck", *_arena(deck, "main"), "", "Sideboard", *_arena(deck, "sideboard")]
        case "mtgo":
            return [*_plain(deck, "main"), "", *_plain(deck, "sideboard")]
        case _:
            groups = _groups(deck)
            return [line for title, lines in groups for line in ("", title, *lines)][1:]


def _arena(deck: Deck, section: str) -> Iterator[str]:
    for entry in deck.section(section):
        yield f"{entry.count} {entry.name} ({entry.set_code}) {entry.number}"


def _plain(deck: Deck, section: str) -> Iterator[str]:
    for entry in deck.section(section):
        yield f"{entry.count} {entry.name}"


def _groups(deck: Deck) -> list[tuple[str, list[str]]]:
    main = list(_plain(deck, "main"))
    half = len(main) // 2
    sizes = [sum(int(line.split(" ", 1)[0]) for line in part) for part in (main[:half], main[half:])]
    commanders = list(_plain(deck, "commander"))
    return [
        *([(f"Commander ({len(commanders)})", commanders)] if commanders else []),
        (f"Creatures ({sizes[0]})", main[:half]),
        (f"Lands ({sizes[1]})", main[half:]),
        (f"Sideboard ({deck.total('sideboard')})", list(_plain(deck, "sideboard"))),
    ]


def render_deck(deck: Deck, style: str) -> Image.Image:
    """A picture of the deck in one of `STYLES`."""
    match style:
        case "table":
            return _table(deck)
        case "cards":
            return _cards(deck)
        case "stacks":
            return _stacks(deck)
        case "moxfield":
            return _text(deck_lines(deck, style), columns=2)
        case _:
            return _text(deck_lines(deck, style), columns=1)


def _text(lines: Sequence[str], *, columns: int) -> Image.Image:
    """Lines in one column or, broken at an empty line, in two."""
    pitch, size = 34, 22
    parts = [list(lines)] if columns == 1 else _broken(lines)
    height = 60 + pitch * max(len(part) for part in parts)
    image = Image.new("RGB", (60 + 620 * len(parts), height), (250, 250, 248))
    draw = ImageDraw.Draw(image)
    for column, part in enumerate(parts):
        for row, line in enumerate(part):
            bold = bool(line) and not line[0].isdigit()
            draw.text(
                (40 + 620 * column, 30 + pitch * row), line, font=label_font(size, bold=bold), fill=_INK
            )
    return image


def _broken(lines: Sequence[str]) -> list[list[str]]:
    empty = [place for place, line in enumerate(lines) if not line]
    middle = min(empty, key=lambda place: abs(place - len(lines) / 2))
    return [list(lines[:middle]), list(lines[middle + 1 :])]


def _table(deck: Deck) -> Image.Image:
    """Counts in a column of their own, a rule under each row."""
    pitch = 36
    rows: list[tuple[str, str]] = [(str(entry.count), entry.name) for entry in deck.section("main")]
    rows += [("", "Sideboard"), *((str(entry.count), entry.name) for entry in deck.section("sideboard"))]
    image = Image.new("RGB", (820, 80 + pitch * len(rows)), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    for place, (count, name) in enumerate(rows):
        y = 40 + pitch * place
        draw.text((60, y), count, font=label_font(22), fill=_INK)
        draw.text((130, y), name, font=label_font(22, bold=not count), fill=_INK)
        draw.line((50, y + 31, 770, y + 31), fill=(222, 222, 222))
    return image


def _cards(deck: Deck) -> Image.Image:
    """Columns of cards, each with its title and `x4` on the picture; the sideboard as a list at the right."""
    main = deck.section("main")
    columns = [main[start : start + 5] for start in range(0, len(main), 5)]
    width, step = 250, 92
    image = Image.new("RGB", (60 + width * len(columns) + 420, 170 + step * 5 + 180), (26, 28, 34))
    draw = ImageDraw.Draw(image)
    draw.text((30, 24), "A deck of nobody", font=label_font(26, bold=True), fill=(230, 230, 230))
    draw.text((30, 58), f"{deck.total('main')}/60 Cards", font=label_font(18), fill=(180, 180, 180))
    for number, column in enumerate(columns):
        x = 40 + width * number
        for row, entry in enumerate(column):
            y = 110 + step * row
            colour = _COLOURS[(number + row) % len(_COLOURS)]
            draw.rectangle((x, y, x + width - 30, y + 260), fill=(12, 12, 12))
            draw.rectangle((x + 6, y + 6, x + width - 36, y + 30), fill=colour)
            draw.text(
                (x + 12, y + 9),
                entry.name,
                font=label_font(_fitting(entry.name, width - 60)),
                fill=(16, 16, 16),
            )
            draw.rectangle(
                (x + 6, y + 34, x + width - 36, y + 250), fill=tuple(level // 2 for level in colour)
            )
            draw.text(
                (x + width - 90, y + 44),
                f"x{entry.count}",
                font=label_font(26, bold=True),
                fill=(250, 250, 250),
            )
    _sidebar(draw, deck, 60 + width * len(columns))
    return image


def _fitting(name: str, width: int) -> int:
    """The largest size, px, in which a title fits."""
    return next((size for size in (15, 14, 13, 12) if label_font(size).getlength(name) <= width), 11)


def _sidebar(draw: ImageDraw.ImageDraw, deck: Deck, x: int) -> None:
    draw.text((x + 20, 24), "Sideboard", font=label_font(26, bold=True), fill=(230, 230, 230))
    draw.text((x + 20, 58), f"{deck.total('sideboard')}/15 Cards", font=label_font(18), fill=(180, 180, 180))
    for row, entry in enumerate(deck.section("sideboard")):
        y = 110 + 40 * row
        draw.rectangle((x + 52, y, x + 400, y + 32), fill=_COLOURS[row % len(_COLOURS)])
        draw.text((x + 6, y + 4), f"{entry.count}x", font=label_font(20), fill=(240, 240, 240))
        draw.text((x + 60, y + 4), entry.name, font=label_font(20, bold=True), fill=(16, 16, 16))


def _stacks(deck: Deck) -> Image.Image:
    """Every copy with its title, overlapping; the last card of a column shows its text."""
    copies = {
        section: [entry for entry in deck.section(section) for _ in range(entry.count)]
        for section in ("main", "sideboard")
    }
    columns = [("main", part) for part in _parts(copies["main"], 10)] + [
        ("sideboard", part) for part in _parts(copies["sideboard"], 10)
    ]
    width, step = 330, 38
    first_side = sum(section == "main" for section, _ in columns)
    image = Image.new("RGB", (30 + width * len(columns), 110 + step * 10 + 330), (238, 238, 236))
    draw = ImageDraw.Draw(image)
    draw.text((20, 16), f"Mine: {len(copies['main'])}", font=label_font(22, bold=True), fill=(60, 90, 160))
    draw.text(
        (24 + width * first_side, 16),
        f"Sideboard: {len(copies['sideboard'])}",
        font=label_font(22, bold=True),
        fill=(60, 90, 160),
    )
    for number, (_, column) in enumerate(columns):
        x = 24 + width * number
        for row, entry in enumerate(column):
            _stacked_title(draw, entry.name, (x, 70 + step * row, width), _COLOURS[number % len(_COLOURS)])
        if column:
            _card_text(draw, column[-1].name, (x, 70 + step * (len(column) - 1), width))
    return image


def _stacked_title(
    draw: ImageDraw.ImageDraw, name: str, place: tuple[int, int, int], colour: tuple[int, int, int]
) -> None:
    x, y, width = place
    draw.rectangle((x, y, x + width - 26, y + 300), fill=(14, 14, 14))
    draw.rectangle((x + 8, y + 6, x + width - 34, y + 32), fill=colour)
    draw.text((x + 14, y + 8), name, font=label_font(17), fill=(12, 12, 12))


def _card_text(draw: ImageDraw.ImageDraw, name: str, place: tuple[int, int, int]) -> None:
    """A type line, and a text that begins with the card's own name."""
    x, y, width = place
    draw.rectangle((x + 8, y + 180, x + width - 34, y + 204), fill=(226, 220, 206))
    draw.text((x + 14, y + 182), "Creature — Drake", font=label_font(15), fill=(12, 12, 12))
    draw.rectangle((x + 8, y + 208, x + width - 34, y + 292), fill=(244, 240, 230))
    for line, text in enumerate((f"{name} enters", "the battlefield tapped.")):
        draw.text((x + 14, y + 214 + 22 * line), text, font=label_font(14), fill=(12, 12, 12))


def _parts(entries: Sequence[Entry], size: int) -> list[Sequence[Entry]]:
    return [entries[start : start + size] for start in range(0, len(entries), size)]
