"""Words that tell what a line of a receipt is. Data: a language or a country more is a line more."""

from __future__ import annotations

TOTALS: tuple[tuple[str, float], ...] = (
    ("grand total", 1.0), ("net total", 1.0), ("final total", 1.0), ("total payable", 1.0),
    ("amount payable", 1.0), ("nett total", 1.0), ("total due", 1.0), ("amount due", 1.0),
    ("balance due", 0.95), ("to pay", 0.95), ("total to pay", 1.0), ("please pay", 0.95),
    ("total rounded", 1.0), ("rounded total", 1.0), ("total after rounding", 1.0),
    ("total after adj", 1.0), ("total inclusive", 0.9), ("total incl", 0.9),
    ("total sales inclusive", 0.9), ("total sales incl", 0.9), ("total rm incl", 0.9),
    ("total with tax", 0.9), ("bill total", 0.9), ("invoice total", 0.9), ("total amount", 0.85),
    ("total amt", 0.85), ("total sales", 0.8), ("nett", 0.7), ("net amount", 0.8), ("amount", 0.35),
    ("inclusive gst", 0.5), ("incl gst", 0.5), ("inclusive of gst", 0.5), ("total", 0.8),
    ("jumlah", 0.75), ("importe total", 0.95), ("total a pagar", 1.0), ("a pagar", 0.9),
    ("kabuuan", 0.85), ("gesamtbetrag", 0.95), ("summe", 0.85), ("montant total", 0.95),
    ("total ttc", 1.0),
)  # fmt: skip
"""Labels of the amount to be paid, and how surely they mean it."""

NO_TOTALS: tuple[str, ...] = (
    "subtotal", "sub total", "sub-total", "total qty", "total quantity", "total item", "total items",
    "total no", "total gst", "total tax", "total sst", "total vat", "total discount", "total saving",
    "total savings", "you saved", "excluding", "exclude", "excl", "exc gst", "before tax",
    "total supplies", "supplies", "tax amount", "amount rm", "amt rm", "tax rm", "price total",
    "total price", "item total", "total point", "total points", "points", "total pax", "amount exc",
    "total before", "qty", "unit price", "total rounding", "rounding adjustment", "change",
    "total weight", "total number", "item count", "service charge", "total litre", "total cash",
    "total disc",
)  # fmt: skip
"""Labels with the same words that mean something else."""

SUBTOTALS = (
    "subtotal", "sub total", "sub-total", "total excluding", "total excl", "total sales excluding",
    "total before",
)  # fmt: skip
ROUNDING = ("rounding", "rounding adj", "round adj", "rounding adjustment", "rnd adj", "rounded")
TENDERED = (
    "cash", "tunai", "visa", "master", "mastercard", "amex", "credit card", "debit card", "payment",
    "tendered", "tender", "paid", "amount paid", "bayaran", "card", "efectivo", "tarjeta", "cash received",
    "customer's payment", "e-wallet",
)  # fmt: skip
CHANGE = ("change", "baki", "balance", "cambio", "sukli", "change due", "ruckgeld")
TAXES = (
    "gst", "sst", "vat", "tax", "service tax", "sales tax", "cukai", "iva", "igv", "mwst", "tva", "hst",
    "pst",
)  # fmt: skip
TAX_NUMBERS = ("id", "no", "reg", "number", "invoice", "code", "nr", "summary", "act")
"""Words beside a tax's name that make it no amount."""
ITEM_HEADS = (
    "qty", "description", "item", "amount", "price", "u price", "s price", "unit price", "code", "total",
    "disc",
    "tax", "uom", "desc", "cantidad", "descripcion", "importe", "precio", "kuantiti", "harga",
)  # fmt: skip

COMPANY_FORMS = ( "sdn bhd", "bhd", "ltd", "limited", "inc", "llc", "llp",
    "plc", "pte ltd", "pty ltd", "corp", "corporation", "gmbh", "ag", "sa", "s l", "sl", "srl", "sarl",
    "co", "company", "holdings", "plt",
)  # fmt: skip
"""Legal forms, as the last words of a company's name."""
TRADES = (
    "enterprise", "trading", "restaurant", "restoran", "cafe", "kopitiam", "hardware", "stationery",
    "shop", "store", "mart", "minimart", "market", "supermarket", "hypermarket", "pharmacy", "farmasi",
    "bakery", "bakeries", "book", "books", "kedai", "pasaraya", "perniagaan", "niaga", "syarikat",
    "electrical", "motor", "auto", "service", "services", "station", "petrol", "hotel", "clinic",
    "klinik", "catering", "seafood", "cuisine", "foods", "food", "industries", "supply", "supplies",
    "centre", "center", "brothers", "sons", "group", "panaderia", "tienda", "farmacia", "restaurante",
    "supermercado", "sari-sari", "machinery", "gallery", "boutique", "fashion",
)  # fmt: skip
NO_NAMES = (
    "tax invoice", "invoice", "receipt", "cash receipt", "official receipt", "cash sales", "cash bill",
    "bill", "copy", "customer copy", "merchant copy", "posted", "counter", "welcome", "welcome to",
    "thank you", "duplicate", "reprint", "original", "simplified tax invoice", "credit note", "table",
    "delivery order", "date", "order", "take away", "dine in", "paid", "recibo", "factura", "resit",
)  # fmt: skip
"""What stands at the top of a receipt and is nobody's name."""

STOPS = (
    "tel", "telephone", "phone", "fax", "mobile", "hp", "h/p", "gst", "sst", "vat", "tin", "reg",
    "registration", "co reg", "company no", "co no", "br no", "roc", "email", "e-mail", "website",
    "www", "http", "invoice", "receipt", "tax invoice", "bill", "date", "cashier", "table", "order",
    "counter", "site", "owned by", "store", "outlet", "branch code", "member", "terminal", "doc no",
    "server", "whatsapp", "whatsapps", "trn", "pos", "slip", "nif", "cif", "telefono", "customer",
    "operating hours", "business hours", "open", "wifi", "feedback",
)  # fmt: skip
"""First words of lines that end an address."""
PLACES = (
    "jalan", "jln", "lorong", "lrg", "lot", "taman", "tmn", "bandar", "kampung", "kg", "persiaran",
    "lebuh", "lebuhraya", "medan", "kawasan", "seksyen", "section", "batu", "desa", "no", "unit",
    "blok", "block", "blk", "floor", "level", "ground", "off", "pt", "street", "st", "road", "rd",
    "avenue", "ave", "boulevard", "blvd", "lane", "drive", "highway", "hwy", "suite", "plaza", "mall",
    "square", "pyramid", "tower", "building", "wisma", "menara", "kompleks", "complex", "barangay",
    "brgy", "purok", "calle", "avenida", "av", "plz", "paseo", "carrer", "strasse", "str", "rue",
    "mukim", "pusat", "komersial", "industrial", "perindustrian", "park", "garden", "gardens", "city",
    "bhg", "g/f", "1/f", "km",
)  # fmt: skip
"""Words of streets, houses and quarters."""
REGIONS = (
    "johor", "johor bahru", "kedah", "kelantan", "melaka", "malacca", "negeri sembilan", "n sembilan",
    "pahang", "perak", "perlis", "pulau pinang", "penang", "sabah", "sarawak", "selangor",
    "selangor d e", "selangor de", "selangor darul ehsan", "terengganu", "kuala lumpur",
    "wilayah persekutuan", "wp kuala lumpur", "putrajaya", "labuan", "malaysia", "petaling jaya",
    "shah alam", "subang jaya", "klang", "kajang", "puchong", "ipoh", "seremban", "cheras", "singapore",
    "metro manila", "manila", "quezon city", "philippines", "darul ehsan", "darul takzim", "españa",
    "spain", "madrid", "barcelona", "usa", "united states", "united kingdom", "indonesia", "jakarta",
)  # fmt: skip
"""Cities, states and countries that may stand alone in the last line of an address."""

CURRENCY_SIGNS: tuple[tuple[str, str], ...] = (
    (r"\bRM\s?-?[\dO]", "MYR"), (r"\(\s?RM\s?\)|\bRM\b", "MYR"), (r"\bMYR\b", "MYR"),
    (r"\bS\$|\bSGD\b", "SGD"), (r"\bA\$|\bAUD\b", "AUD"), (r"₱|\bPHP\b|\bPhp\b", "PHP"),
    (r"€|\bEUR\b", "EUR"), (r"£|\bGBP\b", "GBP"), (r"\bRp\.?\s?\d|\bIDR\b", "IDR"),
    (r"₹|\bINR\b|\bRs\.", "INR"), (r"\bTHB\b|฿", "THB"), (r"\bJPY\b|¥", "JPY"), (r"\bCHF\b", "CHF"),
    (r"\bCAD\b|\bC\$", "CAD"), (r"\bMXN\b|\bMX\$", "MXN"), (r"\bHKD\b|\bHK\$", "HKD"),
    (r"\bUSD\b|\bUS\$", "USD"), (r"\$\s?\d", "USD"),
)  # fmt: skip
"""Patterns of currencies, the more telling first, and their ISO 4217 codes."""
CURRENCY_HINTS: tuple[tuple[str, str], ...] = (
    (r"\bSDN\.?\s?BHD\b|\bMALAYSIA\b|\bSELANGOR\b|\bKUALA LUMPUR\b", "MYR"),
    (r"\bJOHOR\b|\bPENANG\b|\bPERAK\b|\bKEDAH\b|\bMELAKA\b", "MYR"),
    (r"\bPTE\.?\s?LTD\b|\bSINGAPORE\b", "SGD"),
    (r"\bPHILIPPINES\b|\bBRGY\b|\bMANILA\b", "PHP"),
    (r"\bNIF\b|\bCIF\b|\bESPAÑA\b", "EUR"),
)
"""What tells a country whose currency it then is, less surely."""

DATE_LABELS = ("date", "tarikh", "fecha", "dated", "datum", "petsa", "inv date", "invoice date")
NO_DATES = (
    "expiry",
    "expire",
    "exp",
    "valid",
    "until",
    "due",
    "act",
    "since",
    "print",
    "dob",
    "birth",
    "next",
    "before",
    "warranty",
)
"""Words that make a day another than that of the purchase."""
