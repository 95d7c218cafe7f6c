"""The statements by which the journal is read: what undo needs of the records a run changes."""

from __future__ import annotations

import pyarrow as pa

from headgate.model.write import ACTION, NUMBER, OLD, Images, Operation

from .statements import CREATE, DECIDED, GONE, MARKED, REMOVE, UPDATE, Statements


class JournaledStatements(Statements):
    """All statements of a run, those of its journal included."""

    def images(self) -> Images:
        """Which columns the journal knows."""
        columns = tuple(c.name for c in self._t.columns.values() if not c.generated)
        if self._spec.operation is Operation.DELETE:
            return Images(columns, (), ())
        written = [f for f in self._spec.fields if not self._t.columns[f.name].generated]
        created = columns if self._reads_back() else tuple(f.name for f in written if f.when != "updated")
        updated = tuple(f.name for f in written if f.name not in self._spec.key and f.when != "created")
        return Images(columns, created, updated, tuple(self._spec.mark))

    def _reads_back(self) -> bool:
        """Whether created records must be read to know all of them: the destination has filled columns by itself."""
        given = {f.name for f in self._spec.fields if f.when != "updated"}
        return self._t.unique and any(c not in given for c, column in self._t.columns.items() if not column.generated)

    def journal_schema(self) -> pa.Schema:
        """Names and types of the journal's columns."""
        columns = self.images().columns
        return pa.schema(
            [(NUMBER, pa.int64()), (ACTION, pa.string())]
            + [(c, pa.string()) for c in columns]
            + [(OLD + c, pa.string()) for c in columns]
        )

    def before(self) -> str:
        """Images of the records that will be updated or deleted, with the columns of `journal_schema`."""
        images = self.images()
        if not (self._joins() or self.pairs):  # no record was looked for
            return f"select {', '.join(['null'] * (2 + 2 * len(images.columns)))} limit 0"
        old = [self._image(f"t.{self._d.quote(c)}", c) for c in images.columns]
        marks = {c: self._image(v, c) for c, v in self._marks()}
        action = (
            f"case s._o when '{UPDATE}' then 'updated' when '{MARKED}' then '{self._gone_action}' else 'deleted' end"
        )
        new = []
        for c in images.columns:
            cases = f"when '{UPDATE}' then {self._image(f's.f{self._index[c]}', c)} " if c in images.updated else ""
            cases += f"when '{MARKED}' then {marks[c]} " if c in marks else ""
            new.append(f"case s._o {cases}end" if cases else "null")
        source = f"{self._d.temp(DECIDED)} s join {self._t.name} t on {self._on_row()}"
        chosen = f"s._o in ('{UPDATE}', '{REMOVE}', '{MARKED}')"
        parts = [f"select {', '.join(['s._n', action, *new, *old])} from {source} where {chosen}"]
        if self._lists_gone():
            marked = [marks.get(c, "null") for c in images.columns]
            gone = f"{self._d.temp(GONE)} s join {self._t.name} t on {self._on_row()}"
            parts.append(f"select null, '{self._gone_action}', {', '.join([*marked, *old])} from {gone}")
        return " union all ".join(parts)

    @property
    def _gone_action(self) -> str:
        return "marked" if self._spec.mark else "deleted"

    def after(self) -> str:
        """Images of the records that were created, with the columns of `journal_schema`."""
        images = self.images()
        if self._reads_back():
            # Found again by the key they were written with, to see what the destination made of them.
            values = [self._image(f"t.{self._d.quote(c)}", c) for c in images.columns]
            keys = " and ".join(f"{self._old(k)} = s.f{self._index[k.name]}" for k in self._keys)
            source = f"{self._d.temp(DECIDED)} s join {self._t.name} t on {keys}"
        else:
            known = set(images.created)
            values = [self._image(f"s.f{self._index[c]}", c) if c in known else "null" for c in images.columns]
            source = f"{self._d.temp(DECIDED)} s"
        nothing = ["null"] * len(images.columns)
        return f"select s._n, 'created', {', '.join([*values, *nothing])} from {source} where s._o = '{CREATE}'"

    def _image(self, expr: str, column: str) -> str:
        return self._d.image(expr, self._t.columns[column])
