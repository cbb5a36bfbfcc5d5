"""Settings: what each is and where that comes from, without secrets."""

from collections.abc import Collection

from activity_deploy.doctor.finding import Finding, broken, ok
from activity_deploy.settings import Setting, read_settings


def check_settings(found: Collection[str], *, every: bool) -> list[Finding]:
    """`found`: variables that the local stack's notes have filled in. `every`: also those that
    have their default."""
    settings = list({one.variable: one for one in read_settings(found)}.values())
    findings = [_of(one) for one in settings if every or one.source != "default" or one.error]
    left_out = 0 if every else sum(one.source == "default" for one in settings)
    if left_out:
        findings.append(ok("settings", f"{left_out} have their default (see `activity settings`)"))
    return findings


def _of(one: Setting) -> Finding:
    shown = "" if one.value is None else one.value
    text = f"{one.variable}={shown} ({one.source})"
    if one.error:
        return broken("settings", f"{text}: {one.error}", f"set {one.variable} to what it allows")
    return ok("settings", text)
