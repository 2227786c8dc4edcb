"""A second implementation of PCIM's formats, written from docs/format.md alone; sections of it are cited as §."""


class Refused(Exception):
    """Bytes that the format does not allow."""


def want(holds, what):
    """Refuses unless a rule of the format holds."""
    if not holds:
        raise Refused(what)
