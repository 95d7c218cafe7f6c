"""Shopify's GraphQL Admin API as its documentation describes it, for tests: products, their variants, also with them
(`headgate.testing.shopify_sets`), and customers.

    with ShopifyServer(bucket=(50, 200)) as api:
        api.product("hat", title="Hat", variants=[{"sku": "H-1", "price": "9.90"}])
        ...  # write to api.url

Everything is answered with status 200: what a mutation does not take stands in its `userErrors`, what is no valid request in `errors`,
and a request that costs more points than there are is THROTTLED. Points come back with time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from . import shopify_sets as sets
from .graphql import Chosen, GraphqlError, Operation, carried_out, parsed
from .shopify_sets import SET, VARIANT
from .simulated import Answer, SimulatedApi

Record = dict[str, Any]
Errors = list[dict[str, Any]]
_MUTATION: Final = 10
_MOST_LISTED: Final = 250
_MOST_POINTS: Final = 1000
_GID: Final = "gid://shopify/{}/{}"
_STATUS: Final = ("ACTIVE", "ARCHIVED", "DRAFT", "UNLISTED")
_SEARCH: Final = re.compile(r"sku:'((?:[^'\\]|\\.)*)'")

_SEO: Final = {"title": "String", "description": "String"}
_PRODUCT: Final[dict[str, Any]] = {
    "handle": "String", "title": "String", "descriptionHtml": "String", "vendor": "String", "productType": "String",
    "status": _STATUS, "tags": ["String"], "templateSuffix": "String", "seo": _SEO,
}  # fmt: skip
INPUTS: Final[dict[str, dict[str, Any]]] = {
    "ProductCreateInput": _PRODUCT,
    "ProductUpdateInput": {**_PRODUCT, "id": "ID"},
    "CustomerInput": {
        "id": "ID", "email": "String", "phone": "String", "firstName": "String", "lastName": "String", "note": "String",
        "locale": "String", "taxExempt": "Boolean", "tags": ["String"],
    },
    "ProductVariantsBulkInput": VARIANT,
    "ProductSetInput": {**_PRODUCT, "id": "ID", **SET},
    "ProductSetIdentifiers": {"id": "ID", "handle": "String"},
}  # fmt: skip
"""The fields of input objects: a scalar, the values of an enumeration, a list of a scalar, or another object."""


class ShopifyServer(SimulatedApi):
    """See the module.

    Args:
        version: of the API, that requests must name.
        bucket: most points that there are, and how many come back in a second.
        scopes: what the login may do.
        most_variants: that a product may have.

    Attributes:
        throttled: how many requests there were no points for.
        buyers: addresses of customers who have ordered something, and so cannot be deleted.
    """

    TOKEN: ClassVar = "shpat_s3cret"  # noqa: S105
    CLIENT: ClassVar = "client-of-an-app"
    SECRET: ClassVar = "shpss_s3cret"  # noqa: S105

    def __init__(
        self,
        *,
        version: str = "2026-10",
        bucket: tuple[float, float] = (2000.0, 100.0),
        scopes: Sequence[str] = ("products", "customers"),
        most_variants: int = 2048,
        port: int = 0,
    ) -> None:
        self.version, self.bucket, self.scopes = version, bucket, scopes
        self.throttled, self.most_variants = 0, most_variants
        self.buyers: set[str] = set()
        self._tokens = {self.TOKEN}
        self._left, self._since = bucket[0], time.monotonic()
        self._next = 0
        self._products: dict[str, Record] = {}
        self._variants: dict[str, Record] = {}
        self._customers: dict[str, Record] = {}
        super().__init__(port=port)

    @property
    def url(self) -> str:
        """Where its API of that version is."""
        return f"{super().url}/admin/api/{self.version}"

    def product(
        self, handle: str, variants: Sequence[Record] = (), options: Sequence[str] = ("Title",), **values: Any
    ) -> None:
        """Have a product, with variants that say their `options`: values of the product's."""
        names = list(options)
        self._product_create({"product": {"title": handle, **values, "handle": handle}})
        owner = next(reversed(self._products.values()))
        owner["options"] = [{"name": n, "values": []} for n in names]
        for one in variants:
            chosen: list[str] = [*one.get("options", ()), *([_standing(variants, one)] if "options" not in one else ())]
            given = [{"optionName": n, "name": v} for n, v in zip(names, chosen, strict=True)]
            self._variant(owner, None, {**_without(one, "options"), "optionValues": given})

    def customer(self, email: str, **values: Any) -> None:
        """Have a customer."""
        self._customer_create({"input": {**values, "email": email}})

    def products(self) -> list[Record]:
        """The products, without their ids and options."""
        return [_without(one, "id", "options") for one in self._products.values()]

    def sets(self) -> dict[str, Record]:
        """By handle: the names of a product's options, and its variants by the values of these, with their ids."""
        with self._lock:
            found = {}
            for one in self._products.values():
                own = [v for v in self._variants.values() if v["product"]["id"] == one["id"]]
                variants = {"/".join(o["value"] for o in v["selectedOptions"]): v for v in own}
                found[one["handle"]] = {"options": [o["name"] for o in one["options"]], "variants": variants}
            return found

    def customers(self) -> list[Record]:
        """The customers, without their ids."""
        return [_without(one, "id") for one in self._customers.values()]

    def variants(self) -> list[Record]:
        """The variants, without their ids and products."""
        return [_without(one, "id", "product") for one in self._variants.values()]

    def alter(self, sku: str, **values: Any) -> None:
        """Have somebody change a variant."""
        with self._lock:
            for one in self._variants.values():
                one.update(values if one["sku"] == sku else {})

    # Requests

    def failure(self, status: int) -> Any:
        """See `SimulatedApi`."""
        if status != 200:
            return {"errors": f"fault {status}"}
        said = "Internal error. Looks like something went wrong on our end."
        return {"errors": [{"message": said, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "3221c58f"}}]}

    def respond(
        self, method: str, path: str, query: dict[str, list[str]], headers: Mapping[str, str], body: Any
    ) -> Answer:
        """See `SimulatedApi`."""
        del query
        if path == "/admin/oauth/access_token":
            return self._token(str(body))
        if headers.get("x-shopify-access-token") not in self._tokens:
            return 401, {}, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
        if (method, path) != ("POST", f"/admin/api/{self.version}/graphql.json"):
            return 404, {}, {"errors": "Not Found"}
        cost: float = 0
        try:
            operation = parsed(body["query"], body.get("variables", {}))
            cost = _cost(operation)
            self._spend(cost)
            _check(operation, body.get("variables", {}))
            self._may(operation)
            data = carried_out(operation.fields, self._root())
        except GraphqlError as e:
            refused = {"errors": [{"message": e.message, "extensions": e.extensions}]}
            return 200, {}, refused | self._costs(cost, None)
        return 200, {}, {"data": data} | self._costs(cost, cost)

    def _token(self, form: str) -> Answer:
        asked = dict(parse_qsl(form))
        client = (asked.get("grant_type"), asked.get("client_id"), asked.get("client_secret"))
        if client != ("client_credentials", self.CLIENT, self.SECRET):
            return 400, {}, {"error": "invalid_client"}
        self._next += 1
        token = f"shpat_issued_{self._next}"
        self._tokens.add(token)
        return 200, {}, {"access_token": token, "scope": ",".join(self.scopes), "expires_in": 86_399}

    def _spend(self, cost: float) -> None:
        if cost > _MOST_POINTS:
            said = f"Query cost is {cost:.0f}, which exceeds the single query max cost limit ({_MOST_POINTS})."
            raise GraphqlError(said, "MAX_COST_EXCEEDED")
        most, restored = self.bucket
        now = time.monotonic()
        self._left = min(most, self._left + (now - self._since) * restored)
        self._since = now
        if cost > self._left:
            self.throttled += 1
            raise GraphqlError("Throttled", "THROTTLED")
        self._left -= cost

    def _costs(self, requested: float, actual: float | None) -> dict[str, Any]:
        status = {
            "maximumAvailable": self.bucket[0],
            "currentlyAvailable": self._left,
            "restoreRate": self.bucket[1],
        }
        cost = {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}
        return {"extensions": {"cost": cost}}

    def _may(self, operation: Operation) -> None:
        for one in operation.fields:
            needed = "customers" if one.of.startswith("customer") else "products"
            if needed not in self.scopes:
                verb = "write" if operation.kind == "mutation" else "read"
                said = f"Access denied for {one.of} field. Required access: `{verb}_{needed}` access scope."
                raise GraphqlError(said, "ACCESS_DENIED")

    def _root(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        return {
            "productByIdentifier": lambda a: self._named(a["identifier"]["handle"]),
            "customerByIdentifier": lambda a: self._by(
                self._customers, "email", a["identifier"]["emailAddress"].lower()
            ),
            "productVariants": self._search,
            "products": lambda a: self._page({k: self._whole(p) for k, p in self._products.items()}, a),
            "customers": lambda a: self._page(self._customers, a),
            "productCreate": self._product_standalone,
            "productSet": self._product_set,
            "productUpdate": self._product_update,
            "productDelete": self._product_delete,
            "customerCreate": self._customer_create,
            "customerUpdate": self._customer_update,
            "customerDelete": self._customer_delete,
            "productVariantsBulkUpdate": self._variants_update,
        }

    # Records

    def _id(self, kind: str) -> str:
        self._next += 1
        return _GID.format(kind, 1000 + self._next)

    @staticmethod
    def _by(records: Mapping[str, Record], name: str, value: Any) -> Record | None:
        return next((one for one in records.values() if one[name] == value), None)

    @staticmethod
    def _page(records: Mapping[str, Record], args: Mapping[str, Any]) -> Record:
        """A part of all records, in the order of their ids."""
        if args["first"] > _MOST_LISTED:
            raise GraphqlError(f"first must be at most {_MOST_LISTED}", "BAD_USER_INPUT")
        keys = list(records)
        after = args.get("after")
        if after is not None and after not in keys:
            raise GraphqlError("Invalid cursor for current pagination sort.", "BAD_USER_INPUT")
        start = keys.index(after) + 1 if after is not None else 0
        shown = keys[start : start + args["first"]]
        info = {"hasNextPage": start + len(shown) < len(keys), "endCursor": shown[-1] if shown else None}
        return {"nodes": [records[k] for k in shown], "pageInfo": info}

    def _search(self, args: Mapping[str, Any]) -> Any:
        m = _SEARCH.fullmatch(args["query"])
        wanted = re.sub(r"\\(.)", r"\1", m[1]) if m else None
        # A search finds what begins so, in any case, too.
        found = [v for v in self._variants.values() if wanted and str(v["sku"]).lower().startswith(wanted.lower())]
        return {"nodes": found[: args["first"]]}

    def _named(self, handle: str) -> Record | None:
        found = self._by(self._products, "handle", handle)
        return None if found is None else self._whole(found)

    def _whole(self, product: Record) -> Record:
        """A product with the connection to its variants."""
        own = {k: v for k, v in self._variants.items() if v["product"]["id"] == product["id"]}
        return {**product, "variants": lambda args: self._page(own, args)}

    def _variant(self, product: Record, key: str | None, given: Mapping[str, Any]) -> str:
        """Make or change a variant; its id."""
        new = sets.variant(self._variants.get(key or ""), given, [o["name"] for o in product["options"]])
        new["id"] = key or self._id("ProductVariant")
        self._variants[new["id"]] = {**new, "product": {"id": product["id"]}}
        return str(new["id"])

    def _product_standalone(self, args: Mapping[str, Any]) -> Record:
        made = self._product_create(args)
        if made["product"] is None:
            return made
        self._variant(made["product"], None, {"optionValues": [{"optionName": "Title", "name": "Default Title"}]})
        return {**made, "product": self._whole(made["product"])}

    def _product_delete(self, args: Mapping[str, Any]) -> Record:
        key = args["input"]["id"]
        self._variants = {k: v for k, v in self._variants.items() if v["product"]["id"] != key}
        return self._delete(self._products, "Product", key)

    def _product_set(self, args: Mapping[str, Any]) -> Record:
        given, identifier = args["input"], args.get("identifier") or {}
        old = self._products.get(identifier.get("id", ""))
        if "handle" in identifier:
            old = self._by(self._products, "handle", identifier["handle"])
        elif identifier and old is None:
            gone = {"field": ["identifier"], "message": "Product does not exist", "code": "PRODUCT_DOES_NOT_EXIST"}
            return {"product": None, "userErrors": [gone]}
        own = [k for k, v in self._variants.items() if old is not None and v["product"]["id"] == old["id"]]
        errors = sets.wrong(given, own, self.most_variants)
        product = {n: v for n, v in given.items() if n not in SET}
        if not errors:
            done = (
                self._product_create({"product": product})
                if old is None
                else self._product_update({"product": {**product, "id": old["id"]}})
            )
            errors = [
                {**e, "field": ["input", *(e["field"] or ())], "code": "INVALID_PRODUCT"} for e in done["userErrors"]
            ]
        if errors:
            return {"product": None, "userErrors": errors}
        now = done["product"]
        if given.get("variants"):
            now["options"] = [{"name": o["name"], "values": o["values"]} for o in given["productOptions"]]
            left = [self._variant(now, one.get("id"), one) for one in given["variants"]]
            self._variants = {k: v for k, v in self._variants.items() if k not in own or k in left}
        elif old is None:
            self._variant(now, None, {"optionValues": [{"optionName": "Title", "name": "Default Title"}]})
        return {"product": self._whole(now), "productSetOperation": None, "userErrors": []}

    def _product_create(self, args: Mapping[str, Any]) -> Record:
        given = args["product"]
        made: Record = {
            **dict.fromkeys(_PRODUCT),
            "descriptionHtml": "",
            "vendor": "",
            "productType": "",
            "status": "ACTIVE",
        }
        made |= {"tags": [], "seo": dict.fromkeys(_SEO), "handle": _slug(str(given.get("title")))}
        made["options"] = sets.STANDALONE
        return self._kept(self._products, "Product", made, given, _product_errors)

    def _product_update(self, args: Mapping[str, Any]) -> Record:
        return self._changed(self._products, "Product", args["product"], _product_errors)

    def _customer_create(self, args: Mapping[str, Any]) -> Record:
        made: Record = {**dict.fromkeys(INPUTS["CustomerInput"]), "tags": [], "taxExempt": False, "locale": "en"}
        return self._kept(self._customers, "Customer", made, args["input"], _customer_errors)

    def _customer_delete(self, args: Mapping[str, Any]) -> Record:
        if self._customers.get(args["input"]["id"], {}).get("email") in self.buyers:
            said = "Customer can’t be deleted because they have associated orders"
            return {"deletedCustomerId": None, "userErrors": [_error(said, "id")]}
        return self._delete(self._customers, "Customer", args["input"]["id"])

    def _customer_update(self, args: Mapping[str, Any]) -> Record:
        return self._changed(self._customers, "Customer", args["input"], _customer_errors)

    def _changed(
        self, records: dict[str, Record], kind: str, given: Mapping[str, Any], wrong: Callable[..., Errors]
    ) -> Record:
        old = records.get(given.get("id", ""))
        if old is None:
            return {kind.lower(): None, "userErrors": [_error(f"{kind} does not exist", "id")]}
        return self._kept(records, kind, old, given, wrong)

    def _kept(
        self,
        records: dict[str, Record],
        kind: str,
        old: Record,
        given: Mapping[str, Any],
        wrong: Callable[..., Errors],
    ) -> Record:
        """Old values with those that are given, if nothing is wrong with them."""
        new: Record = {**old, **given}
        if "seo" in old:
            new["seo"] = {**old["seo"], **(given.get("seo") or {})}
        new["tags"] = sorted(new["tags"] or [], key=str.lower)
        new |= {n: new[n].lower() for n in ("handle", "email") if new.get(n)}
        others = [one for one in records.values() if one["id"] != old.get("id")]
        if errors := wrong(new, others):
            return {kind.lower(): None, "userErrors": errors}
        new["id"] = old.get("id") or self._id(kind)
        new |= {n: new[n] or "" for n in ("descriptionHtml", "vendor", "productType") if n in new}
        if kind == "Customer":
            new["defaultEmailAddress"] = {"emailAddress": new["email"]} if new["email"] else None
            new["defaultPhoneNumber"] = {"phoneNumber": new["phone"]} if new["phone"] else None
        records[new["id"]] = new
        return {kind.lower(): new, "userErrors": []}

    def _delete(self, records: dict[str, Record], kind: str, key: str) -> Record:
        if records.pop(key, None) is None:
            return {f"deleted{kind}Id": None, "userErrors": [_error(f"{kind} does not exist", "id")]}
        return {f"deleted{kind}Id": key, "userErrors": []}

    def _variants_update(self, args: Mapping[str, Any]) -> Record:
        changed: list[Record] = []
        errors: Errors = []
        for i, given in enumerate(args["variants"]):
            old = self._variants.get(given.get("id", ""))
            if old is None or old["product"]["id"] != args["productId"]:
                errors.append(_error("Product variant does not exist", "variants", str(i), "id"))
                continue
            if Decimal(given.get("price") or 0) < 0:
                errors.append(_error("Price must be greater than or equal to 0", "variants", str(i), "price"))
            changed.append(sets.variant(old, given, ()))
        if not errors:
            self._variants.update({one["id"]: one for one in changed})
        return {"productVariants": None if errors else changed, "userErrors": errors}


def _product_errors(new: Record, others: Sequence[Record]) -> Errors:
    errors = [] if new["title"] else [_error("Title can't be blank", "title")]
    if any(one["handle"] == new["handle"] for one in others):
        said = f"Handle '{new['handle']}' already in use. Please provide a new handle."
        errors.append(_error(said, "handle"))
    return errors


def _customer_errors(new: Record, others: Sequence[Record]) -> Errors:
    errors = []
    email, phone = new["email"], new["phone"]
    if not (email or phone or new["firstName"] or new["lastName"]):
        errors.append({"field": None, "message": "Customer must have a name, phone number or email address"})
    if email and email.count("@") != 1:
        errors.append(_error("Email is invalid", "email"))
    for name, value in (("email", email), ("phone", phone)):
        if value and any(one[name] == value for one in others):
            errors.append(_error(f"{name.capitalize()} has already been taken", name))
    if phone and not re.fullmatch(r"\+\d{6,15}", phone):
        errors.append(_error("Phone is invalid", "phone"))
    return errors


def _error(message: str, *path: str) -> dict[str, Any]:
    return {"field": list(path), "message": message}


def _cost(operation: Operation) -> float:
    """Points: ten for a mutation, one for an object, and for a list as many as it may have."""
    return sum(_points(one, mutation=operation.kind == "mutation") for one in operation.fields)


def _points(chosen: Chosen, *, mutation: bool = False) -> float:
    if mutation:
        return _MUTATION
    fields = chosen.fields or ()
    once = sum(_points(one) for one in fields if one.of != "nodes")
    each = sum(_points(one) for one in fields if one.of == "nodes")
    return (1 if chosen.fields else 0) + once + each * int(chosen.args.get("first") or 1)


def _check(operation: Operation, values: Mapping[str, Any]) -> None:
    """Refuse variables that are not of their types."""
    for name, of in operation.variables.items():
        fields = INPUTS.get(of.rstrip("!"))
        if values.get(name) is None and of.endswith("!"):
            raise _no_value(name, of, [], "Expected value to not be null")
        if fields is not None:
            for path, why in _wrong(fields, values[name], ()):
                raise _no_value(name, of, path, why)


def _no_value(name: str, of: str, path: Sequence[str], why: str) -> GraphqlError:
    where = f" for {'.'.join(path)} ({why})" if path else ""
    said = f"Variable ${name} of type {of} was provided invalid value{where}"
    return GraphqlError(said, "INVALID_VARIABLE", problems=[{"path": list(path), "explanation": why}])


def _wrong(fields: Mapping[str, Any], given: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    found = []
    for name, value in given.items():
        of, here = fields.get(name), (*path, name)
        if of is None:
            found.append((here, "Field is not defined"))
        elif value is None:
            continue
        elif isinstance(of, dict):
            found += _wrong(of, value, here)
        elif isinstance(of, list) and isinstance(of[0], dict) and isinstance(value, list):
            for i, one in enumerate(value):
                found += _wrong(of[0], one, (*here, str(i)))
        elif why := _misfit(of, value):
            found.append((here, why))
    return found


def _misfit(of: Any, value: Any) -> str:
    if isinstance(of, tuple):
        return "" if value in of else f'Expected "{value}" to be one of: {", ".join(of)}'
    if isinstance(of, list):
        fits = isinstance(value, list) and all(isinstance(v, str) for v in value)
        return "" if fits else f"Could not coerce value {value} to [String]"
    if of in ("Money", "Decimal"):
        try:
            return "" if isinstance(value, str) and Decimal(value).is_finite() else f"Could not coerce value {value}"
        except InvalidOperation:
            return f"Could not coerce value {value} to {of}"
    fits = isinstance(value, {"Boolean": bool, "Int": int}.get(of, str))
    return "" if fits else f"Could not coerce value {value} to {of}"


def _standing(variants: Sequence[Record], one: Record) -> str:
    """The value of the one option of a variant that says none."""
    return "Default Title" if len(variants) == 1 else f"Title {variants.index(one)}"


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _without(record: Record, *names: str) -> Record:
    return {k: v for k, v in record.items() if k not in names}
