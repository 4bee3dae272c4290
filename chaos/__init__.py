"""Chaos drills: inject faults into the running system, prove that they act, remove them, and judge the hypothesis."""
