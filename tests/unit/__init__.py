"""Tests of pure code, module by module."""
