"""Instruments to take networks apart with: grown ones, and any pytree of weights."""
