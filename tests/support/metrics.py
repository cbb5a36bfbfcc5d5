"""A metrics page, read as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]


def samples(page: str, name: str) -> dict[Labels, float]:
    """The values of one name, by the sorted labels."""
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    }


def value(page: str, name: str, **labels: str) -> float | None:
    """Of the one series with just these labels; None: it is not there."""
    return samples(page, name).get(tuple(sorted(labels.items())))


def without_help(page: str) -> list[str]:
    """Names of families that say nothing about themselves."""
    return [one.name for one in text_string_to_metric_families(page) if not one.documentation]
