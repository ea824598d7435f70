"""Field keys of decks and receipts.

Values that belong together share their index: `card.count` 3 counts `card.name` 3, `item.amount` 2 is the
amount of `item.description` 2.
"""

from __future__ import annotations

from vidence_server.extraction.domain.definition import FieldDefinition, ValueFormat

_DECK = ("decklist",)
_RECEIPT = ("receipt",)

DECK_FIELDS: tuple[FieldDefinition, ...] = (
    FieldDefinition(
        "card.count", "Count", "How many copies of a card.", ValueFormat.INTEGER, _DECK, repeated=True
    ),
    FieldDefinition(
        "card.name",
        "Card",
        "Name of a card as the catalogue writes it; as read, and not validated, where it has no such card.",
        ValueFormat.TEXT,
        _DECK,
        repeated=True,
    ),
    FieldDefinition(
        "card.set", "Set", "Code of the set, in capitals.", ValueFormat.CODE, _DECK, repeated=True
    ),
    FieldDefinition(
        "card.collector_number",
        "Collector number",
        "Number of the card in its set.",
        ValueFormat.NUMBER,
        _DECK,
        repeated=True,
    ),
    FieldDefinition(
        "card.section",
        "Section",
        "`main`, `sideboard`, `commander`, `companion` or `maybeboard`.",
        ValueFormat.CODE,
        _DECK,
        repeated=True,
    ),
    FieldDefinition(
        "deck.main_count",
        "Main deck",
        "Cards of the main deck, compared with what the document states.",
        ValueFormat.INTEGER,
        _DECK,
    ),
    FieldDefinition(
        "deck.sideboard_count", "Sideboard", "The same for the sideboard.", ValueFormat.INTEGER, _DECK
    ),
    FieldDefinition(
        "deck.commander_count", "Commanders", "The same for the commanders.", ValueFormat.INTEGER, _DECK
    ),
)

RECEIPT_FIELDS: tuple[FieldDefinition, ...] = (
    FieldDefinition(
        "merchant.name", "Company", "Who issued the receipt, as printed.", ValueFormat.TEXT, _RECEIPT
    ),
    FieldDefinition(
        "merchant.address", "Address", "Where, its lines joined by spaces.", ValueFormat.TEXT, _RECEIPT
    ),
    FieldDefinition("receipt.date", "Date", "Day of the purchase.", ValueFormat.DATE, _RECEIPT),
    FieldDefinition(
        "receipt.total",
        "Total",
        "What was to be paid, taxes and rounding included where the receipt says so.",
        ValueFormat.AMOUNT,
        _RECEIPT,
    ),
    FieldDefinition(
        "receipt.currency", "Currency", "Currency of all amounts.", ValueFormat.CURRENCY, _RECEIPT
    ),
    FieldDefinition(
        "receipt.tax", "Tax", "Tax in the total, all rates together.", ValueFormat.AMOUNT, _RECEIPT
    ),
    FieldDefinition(
        "item.description", "Item", "What was bought.", ValueFormat.TEXT, _RECEIPT, repeated=True
    ),
    FieldDefinition(
        "item.quantity", "Quantity", "How much of it.", ValueFormat.AMOUNT, _RECEIPT, repeated=True
    ),
    FieldDefinition(
        "item.unit_price", "Unit price", "Price of one.", ValueFormat.AMOUNT, _RECEIPT, repeated=True
    ),
    FieldDefinition(
        "item.amount", "Amount", "Price of all of it.", ValueFormat.AMOUNT, _RECEIPT, repeated=True
    ),
)
