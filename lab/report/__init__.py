"""The report of a pair of runs: ``report.html``, one offline file with its charts inside, and ``report.md``.

`content` says what is told, once; `page` and `markdown` only give it a form, so both say the same.
"""

from lab.report.write import write

__all__ = ["write"]
