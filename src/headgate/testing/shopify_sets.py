"""What Shopify's `productSet` does with a product's options and variants, as its documentation describes it.

Lists are what is left afterwards: a variant with an id is changed, one without is made, and all others are deleted. Options and variants
are given together; each variant has a value of every option, and no two have the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

Errors = list[dict[str, Any]]
ITEM: Final = {
    "sku": "String", "cost": "Decimal", "tracked": "Boolean", "requiresShipping": "Boolean", "countryCodeOfOrigin": "String",
    "harmonizedSystemCode": "String",
}  # fmt: skip
VARIANT: Final = {
    "id": "ID", "price": "Money", "compareAtPrice": "Money", "barcode": "String", "inventoryPolicy": ("CONTINUE", "DENY"),
    "taxable": "Boolean", "inventoryItem": ITEM,
}  # fmt: skip
SET: Final[dict[str, Any]] = {
    "productOptions": [{"name": "String", "position": "Int", "values": [{"name": "String"}]}],
    "variants": [
        {**VARIANT, "sku": "String", "optionValues": [{"optionName": "String", "name": "String"}], "position": "Int"}
    ],
}
"""The fields of the input beside those of the product itself."""
STANDALONE: Final = [{"name": "Title", "values": [{"name": "Default Title"}]}]
_OPTIONS: Final = 3


def wrong(given: Mapping[str, Any], ids: Sequence[str], most: int) -> Errors:
    """What is wrong with options and variants.

    Args:
        ids: of the product's variants.
        most: variants that a product may have.
    """
    options, variants = given.get("productOptions"), given.get("variants")
    if options is None and variants is None:
        return []
    if not options:
        return [_error("PRODUCT_OPTIONS_INPUT_MISSING", "Product options input is required when updating variants")]
    if not variants:
        return [
            _error("VARIANTS_INPUT_MISSING", "Variants input is required when updating product options", "variants")
        ]
    if len(options) > _OPTIONS:
        said = f"Options are over the limit of {_OPTIONS}"
        return [_error("OPTIONS_OVER_LIMIT", said, "productOptions")]
    if len(variants) > most:
        return [_error("VARIANTS_OVER_LIMIT", f"The number of variants exceeds the limit of {most}", "variants")]
    known = {o["name"]: [v["name"] for v in o.get("values") or ()] for o in options}
    errors = [
        _error("OPTION_VALUES_MISSING", "Option values are missing", "productOptions", str(i))
        for i, o in enumerate(options)
        if not o.get("values")
    ]
    taken: set[tuple[str, ...]] = set()
    for i, one in enumerate(variants):
        errors += _wrong_variant(one, ("variants", str(i)), known, ids, taken)
    return errors


def _wrong_variant(
    one: Mapping[str, Any], at: Sequence[str], known: Mapping[str, list[str]], ids: Sequence[str], taken: set[Any]
) -> Errors:
    values = {v.get("optionName"): v.get("name") for v in one.get("optionValues") or ()}
    if values.keys() - known.keys():
        return [_error("OPTION_DOES_NOT_EXIST", "Option does not exist", *at, "optionValues")]
    if known.keys() - values.keys():
        return [_error("INVALID_VARIANT", "You need to add option values for every option", *at, "optionValues")]
    if any(value not in known[name] for name, value in values.items()):
        return [_error("OPTION_VALUE_DOES_NOT_EXIST", "Option value does not exist", *at, "optionValues")]
    here = tuple(values[name] for name in known)
    if here in taken:
        return [_error("INVALID_VARIANT", f"The variant '{' / '.join(here)}' already exists.", *at)]
    taken.add(here)
    if one.get("id") is not None and one["id"] not in ids:
        return [_error("PRODUCT_VARIANT_DOES_NOT_EXIST", "Product variant does not exist", *at, "id")]
    if Decimal(one.get("price") or 0) < 0:
        return [_error("INVALID_VARIANT", "Price must be greater than or equal to 0", *at, "price")]
    return []


def variant(old: Mapping[str, Any] | None, given: Mapping[str, Any], options: Sequence[str]) -> dict[str, Any]:
    """A variant with what is given, as it is kept.

    Args:
        old: as it was; None for a new one.
        options: names of the product's, in their order.
    """
    new: dict[str, Any] = {
        "sku": None, "price": "0.00", "compareAtPrice": None, "barcode": "", "inventoryPolicy": "DENY", "taxable": True,
        "inventoryItem": {**dict.fromkeys(ITEM), "tracked": False, "requiresShipping": True, "unitCost": None},
    } | dict(old or {})  # fmt: skip
    item = dict(given.get("inventoryItem") or {})
    if "cost" in item:
        cost = item.pop("cost")
        item["unitCost"] = None if cost is None else {"amount": money(cost)}
    new |= {n: v for n, v in given.items() if n not in ("optionValues", "inventoryItem", "position")}
    new |= {n: money(given[n]) for n in ("price", "compareAtPrice") if given.get(n) is not None}
    new["inventoryItem"] = {**new["inventoryItem"], **item}
    if (values := given.get("optionValues")) is not None:
        by = {v["optionName"]: v["name"] for v in values}
        new["selectedOptions"] = [{"name": name, "value": by[name]} for name in options]
    return new


def money(text: str) -> str:
    """An amount as the API writes it."""
    return f"{Decimal(text):.2f}"


def _error(code: str, message: str, *path: str) -> dict[str, Any]:
    return {"field": ["input", *path], "message": message, "code": code}
