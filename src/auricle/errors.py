"""Errors a user can cause and mend: each message names the input, the rule it broke and the fix."""


class AuricleError(Exception):
    """Base of every error auricle raises for a reason outside its own code."""


class AudioError(AuricleError, ValueError):
    """A recording that cannot be captioned."""


class ModelError(AuricleError, ValueError):
    """A model name, folder or checkpoint that cannot be used."""


class DataError(AuricleError, ValueError):
    """A data set, table, archive or manifest that cannot be used."""


class MissingDependencyError(AuricleError, ImportError):
    """An optional package or download that is not installed; the message says what brings it."""


class TrainingError(AuricleError, RuntimeError):
    """A training run that cannot start or go on; what was finished is kept."""


class ProviderError(AuricleError, RuntimeError):
    """A language model's server that cannot be used; what it has answered is kept."""
