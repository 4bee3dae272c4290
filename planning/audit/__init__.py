"""Audit of a published design: every stated figure is recomputed from its own terms, with units.

`sheet` reads (by `units`, `amounts`, `expression`), `check` computes and judges (by `judgement`), `diagnosis` says
which slip a wrong figure looks like, `consequences` says what the mistakes are worth. Pint carries the units; nothing
here knows any particular design.
"""

from planning.audit.check import AuditVerdict, Finding, audit
from planning.audit.flaws import DesignError, Flaw

__all__ = ["AuditVerdict", "DesignError", "Finding", "Flaw", "audit"]
