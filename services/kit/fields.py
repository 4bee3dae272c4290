"""Types of fields in requests and answers, each with the schema that the API's document shows.

Requests are checked by a component's rules, which name every wrong field at once; for them the schema is documentation
only (`stated`).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

ID_PATTERN: Final = "^(0|[1-9][0-9]{0,18})$"  # as `core.ids.parse` accepts it: one id has one spelling

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Count = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=1)]
Url = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
Time = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T.+Z$", extra_json_schema={"format": "date-time"})]


def stated(**schema: Any) -> Meta:
    """A schema that the document shows and a rule checks: ``Annotated[str, stated(maxLength=MAX)]``."""
    return Meta(extra_json_schema=schema)


Username = Annotated[str, stated(minLength=3, maxLength=30)]
DisplayName = Annotated[str, stated(minLength=1, maxLength=64)]
SentId = Annotated[str, stated(pattern=ID_PATTERN)]
