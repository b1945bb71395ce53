"""evodev: search over developmental programs. Genome -> decoder -> network -> lifetime -> fitness -> strategy."""

__version__ = "0.1.0"
