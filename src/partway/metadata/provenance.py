"""Which picture counts as made by a machine: IPTC's DigitalSourceType, by a rule.

    strength 0                           nothing is said: it is the source
    a trained network, source heard      compositeWithTrainedAlgorithmicMedia
    a trained network, source ignored    trainedAlgorithmicMedia: from the start noise of strength
                                         0.85 on, where the dial says "reimagine"; text-to-image
    no trained network (exemplar, …)     compositeSynthetic

A source that is trainedAlgorithmicMedia itself makes every edit of it that.
Terms: https://cv.iptc.org/newscodes/digitalsourcetype/
"""

from __future__ import annotations

from partway.strength import start_noise_fraction

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
TRAINED = "trainedAlgorithmicMedia"
SYNTHETIC = "compositeSynthetic"
IGNORED_FROM = start_noise_fraction(0.85, "sd1")


def digital_source(noise_fraction: float, *, trained: bool, has_source: bool) -> str | None:
    """The term of a result; None for the source itself.

    noise_fraction  where the edit started, 0 … 1
    trained         whether a trained network drew it
    """
    if has_source and noise_fraction == 0.0:
        return None
    if not trained:
        return SYNTHETIC
    return COMPOSITE if has_source and noise_fraction < IGNORED_FROM else TRAINED


def combined(term: str | None, source_says: str | None) -> str | None:
    """The term as written into a file, as a web address; what the source says of itself counts."""
    if term is None:
        return None
    if source_says is not None and source_says.rsplit("/", 1)[-1] == TRAINED:
        term = TRAINED
    return f"{VOCABULARY}{term}"
