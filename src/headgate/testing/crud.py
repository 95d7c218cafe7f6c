"""An HTTP API that keeps records, for tests of what is sent to APIs: every way of saying what became of them, and faults before,
during and after it acts.

    with CrudServer() as api:
        api.add("customers", unique=[("email",)])
        api.fault("cut_after", method="POST", times=1)
        ...  # write to api.url + "/customers"

    GET    /NAME/ID              the record; 404 when there is none
    GET    /NAME?FIELD=VALUE     {"items": […]}: the records that have it; with _size, and _page from 1 on, some of them, and "more"
    POST   /NAME/find            {"any": [{FIELD: VALUE, …}, …]}: {"items": […]}, those that are like one of them
    POST   /NAME                 one record: 201 and the record with its id; 409 when another one has what must be unique, 422 with
                                 {"error": …, "field": …} when a required value is missing
    POST   /NAME/batch           a list: {"results": [{"index", "status", "id", "record", "error", "field"}]}, or with ?mode=ids
                                 {"success": […], "errors": […]}, with ?mode=all (nothing is done if one is refused) 422
    PATCH  /NAME/ID              the fields that are given; objects as a whole
    PUT    /NAME/ID              the whole record, in place of the one that is there
    PUT    /NAME/by/FIELD/VALUE  created (201) or updated (200)
    POST   /NAME/change          a list of {"id": …, "set": {…}}: {"results": […]} as for batch
    POST   /NAME/remove          a list of ids, likewise
    DELETE /NAME/ID              204; 404 when there is none
    POST   /NAME/later           202 and `Location`: /jobs/N, which says {"state": "working"} once, and then does it: {"state": "done"}

A request with the header `Idempotency-Key` that was answered before is answered in the same way and not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from .simulated import Answer, SimulatedApi

Record = dict[str, Any]


@dataclass(slots=True)
class Kept:
    """The records of one name.

    Attributes:
        unique: sets of fields of which no two records have the same values.
        required: fields that must have a value.
        defaults: of fields that are not given.
        own: name of the field with the server's own id.
        records: by id.
    """

    unique: Sequence[tuple[str, ...]] = ()
    required: Sequence[str] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    own: str = "id"
    records: dict[str, Record] = field(default_factory=dict)


class _Refused(Exception):
    def __init__(self, status: int, error: str, name: str = "") -> None:
        super().__init__(error)
        self.status, self.body = status, {"error": error, "field": name}


class CrudServer(SimulatedApi):
    """See the module.

    Args:
        token: what every request must have as a bearer token; nothing by default.
        delay: seconds that every answer takes.
    """

    TOKEN: ClassVar = "s3cret-crud-token"  # noqa: S105

    def __init__(self, *, token: str = "", delay: float = 0.0, port: int = 0) -> None:
        self.token = token
        self._kept: dict[str, Kept] = {}
        self._answers: dict[str, Answer] = {}
        self._jobs: list[list[Any]] = []
        self._next = 0
        super().__init__(delay=delay, port=port)

    def add(self, name: str, records: Sequence[Record] = (), **more: Any) -> None:
        """Have a place for records (`Kept` says what can be told)."""
        self._kept[name] = Kept(**more)
        for record in records:
            self._create(self._kept[name], dict(record))

    def records(self, name: str) -> list[Record]:
        """The records of a name, in the order in which they came."""
        with self._lock:
            return list(self._kept[name].records.values())

    def names(self) -> list[str]:
        """The places there are."""
        return list(self._kept)

    # Requests

    def respond(
        self, method: str, path: str, query: dict[str, list[str]], headers: Mapping[str, str], body: Any
    ) -> Answer:
        """See `SimulatedApi`."""
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return 401, {}, {"error": "who are you?"}
        key = headers.get("idempotency-key", "")
        if key in self._answers:
            return self._answers[key]
        found = self._done(method, path, query, body)
        if key:
            self._answers[key] = found
        return found

    def _done(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        name, *rest = [unquote(p) for p in path.strip("/").split("/")]
        if name == "jobs":
            return self._job(int(rest[0]))
        if name not in self._kept:
            return 404, {}, {"error": f"there is nothing called {name}"}
        try:
            return self._on(self._kept[name], method, rest, query, body)
        except _Refused as e:
            return e.status, {}, e.body

    def _on(self, kept: Kept, method: str, rest: list[str], query: dict[str, list[str]], body: Any) -> Answer:
        match method, rest:
            case "GET", []:
                wanted = {k: v[0] for k, v in query.items() if k not in ("_size", "_page")}
                like = [r for r in kept.records.values() if _like(r, wanted)]
                size = int(query.get("_size", [str(len(like))])[0])
                end = size * int(query.get("_page", ["1"])[0])
                return 200, {}, {"items": like[end - size : end], "more": end < len(like)}
            case "POST", ["find"]:
                return 200, {}, {"items": [r for r in kept.records.values() if any(_like(r, w) for w in body["any"])]}
            case "POST", []:
                return 201, {}, self._create(kept, body)
            case "POST", ["batch"]:
                return self._several(kept, [lambda r=r: self._create(kept, r) for r in body], query)
            case "POST", ["change"]:
                return self._several(kept, [lambda c=c: self._update(kept, c["id"], c["set"]) for c in body], query)
            case "POST", ["remove"]:
                return self._several(kept, [lambda i=i: self._remove(kept, i) for i in body], query)
            case "POST", ["later"]:
                self._jobs.append([2, lambda: self._create(kept, body)])
                return 202, {"Location": f"/jobs/{len(self._jobs) - 1}"}, None
            case "PUT", ["by", name, value]:
                found = next((r for r in kept.records.values() if _like(r, {name: value})), None)
                return (
                    (201, {}, self._create(kept, body))
                    if found is None
                    else (200, {}, self._update(kept, found[kept.own], body))
                )
            case "GET", [key]:
                return 200, {}, self._find(kept, key)
            case "PATCH" | "PUT", [key]:
                return 200, {}, (self._update if method == "PATCH" else self._replace)(kept, key, body)
            case "DELETE", [key]:
                self._remove(kept, key)
                return 204, {}, None
        raise _Refused(405, "not so")

    def _several(self, kept: Kept, todo: Sequence[Any], query: dict[str, list[str]]) -> Answer:
        before = dict(kept.records)
        results: list[dict[str, Any]] = []
        for index, one in enumerate(todo):
            try:
                record = one()
                results.append({"index": index, "status": 201, "id": record[kept.own], "record": record})
            except _Refused as e:
                results.append({"index": index, "status": e.status, **e.body})
        mode = query.get("mode", [""])[0]
        bad = [r for r in results if r["status"] >= 300]
        if mode == "all" and bad:
            kept.records = before
            return 422, {}, {"error": bad[0]["error"]}
        if mode == "ids":
            return 200, {}, {"success": [r["id"] for r in results if r["status"] < 300], "errors": bad}
        return 200, {}, {"results": results}

    def _job(self, number: int) -> Answer:
        job = self._jobs[number]
        job[0] -= 1
        if not job[0]:
            job[1]()
        return 200, {}, {"state": "done" if job[0] <= 0 else "working"}

    # Records

    def _find(self, kept: Kept, key: Any) -> Record:
        if str(key) not in kept.records:
            raise _Refused(404, f"there is no record {key}")
        return kept.records[str(key)]

    def _create(self, kept: Kept, record: Record) -> Record:
        self._next += 1
        made = {**kept.defaults, **record}
        made.setdefault(kept.own, f"r{self._next}")
        self._check(kept, made, "")
        if str(made[kept.own]) in kept.records:
            raise _Refused(409, "there is one with this id", kept.own)
        kept.records[str(made[kept.own])] = made
        return made

    def _update(self, kept: Kept, key: Any, changes: Record) -> Record:
        return self._replace(kept, key, {**self._find(kept, key), **changes})

    def _replace(self, kept: Kept, key: Any, record: Record) -> Record:
        changed = {**record, kept.own: self._find(kept, key)[kept.own]}
        self._check(kept, changed, str(key))
        kept.records[str(key)] = changed
        return changed

    def _remove(self, kept: Kept, key: Any) -> Record:
        self._find(kept, key)
        return kept.records.pop(str(key))

    @staticmethod
    def _check(kept: Kept, record: Record, own: str) -> None:
        for name in kept.required:
            if record.get(name) is None:
                raise _Refused(422, f"{name} is required", name)
        for names in kept.unique:
            values = [record.get(n) for n in names]
            if any(k != own and [r.get(n) for n in names] == values for k, r in kept.records.items()):
                raise _Refused(409, f"another record has this {', '.join(names)}", names[0])


def _like(record: Record, wanted: Mapping[str, Any]) -> bool:
    return all(record.get(n) == v or (isinstance(v, str) and str(record.get(n)) == v) for n, v in wanted.items())
