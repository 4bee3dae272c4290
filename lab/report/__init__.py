"""The report of a pair of runs: ``report.html``, one offline file with its charts inside, and ``report.md``.

`content` builds the report; `page` and `markdown` only render it, so both have the same content.
"""

from lab.report.write import write

__all__ = ["write"]
