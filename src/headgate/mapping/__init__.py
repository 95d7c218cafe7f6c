"""From a definition and a source's columns to a program that maps batches.

`plan_fields` says which fields there are, `effective_types` of which types, `compile_program` makes the `Program`, and
`Program.map` turns batches into accepted records and rejects. It is total over data: a bad value is a reject, never an error.
"""

from __future__ import annotations

from .columns import columns_of
from .compile import compile_program
from .condition import Condition
from .expressions import Expression, Name, Scope, check_expression
from .infer import Inference
from .lookups import wanted
from .matching import ColumnMatch, match_columns
from .notation import Notation, notations
from .plan import FieldTypes, effective_types, plan_fields, unclaimed, without
from .program import Program
from .quick import Quick, quick
from .transforms import TRANSFORMS, Transform

__all__ = [
    "TRANSFORMS",
    "ColumnMatch",
    "Condition",
    "Expression",
    "FieldTypes",
    "Inference",
    "Name",
    "Notation",
    "Program",
    "Quick",
    "Scope",
    "Transform",
    "check_expression",
    "columns_of",
    "compile_program",
    "effective_types",
    "match_columns",
    "notations",
    "plan_fields",
    "quick",
    "unclaimed",
    "wanted",
    "without",
]
