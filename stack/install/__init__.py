"""Finds what a stack needs and installs what is missing, with pinned versions, once; offline from then on."""
