"""Verdicts about devices from when they were last heard: silent, and heard again."""

from collections.abc import Mapping

from ingest_service.domain.alert import HOUR_MS, MINUTE_MS, RULES, Evidence, Rule, Severity, State, Verdict

_OFFLINE = RULES["offline"]


def silence_limit_ms(interval_ms: float, rule: Rule = _OFFLINE) -> int:
    """Longest silence that is still usual for a device that speaks every `interval_ms`."""
    return round(max(rule.limits["intervals"] * interval_ms, rule.raise_for_min * MINUTE_MS))


def judge_silence(heard_ms: int, until_ms: int, interval_ms: float, *, since_ms: int = 0) -> list[Verdict]:
    """Decide whether a device is silent; at most a warning and the critical step, by when each became true.

    Args:
        heard_ms: when it was last heard.
        until_ms: up to when its silence is certain: now, or for a node when its gateway was last heard.
        interval_ms: how often it should speak.
        since_ms: from when on somebody listened; silence before that proves nothing.
    """
    rule, from_ms = _OFFLINE, max(heard_ms, since_ms)
    limit_ms = silence_limit_ms(interval_ms)
    critical_ms = max(limit_ms, round(rule.limits["critical_h"] * HOUR_MS))
    verdicts = []
    if until_ms - from_ms > limit_ms:
        verdicts.append(_silent(rule.severity, from_ms + limit_ms, "silent", heard_ms, limit_ms))
    if until_ms - from_ms > critical_ms:
        verdicts.append(_silent("critical", from_ms + critical_ms, "silent_long", heard_ms, critical_ms))
    return verdicts


def judge_return(state: State, heard_ms: int, interval_ms: float) -> tuple[Mapping[str, int], Verdict | None]:
    """Decide whether a device that was silent is back: heard twice in a row.

    Args:
        state: of the open alert.
        heard_ms: when it was last heard.
        interval_ms: how often it should speak.

    Returns:
        The marks to keep, and the verdict when it is back.
    """
    before_ms, returns = state.marks.get("heard_ms", 0), state.marks.get("returns", 0)
    if heard_ms <= before_ms:
        return state.marks, None
    limit_ms = silence_limit_ms(interval_ms)
    returns = returns + 1 if returns and heard_ms - before_ms <= limit_ms else 1
    if returns < 2:
        return {"heard_ms": heard_ms, "returns": returns}, None
    told = _told(heard_ms, limit_ms)
    back = Verdict(heard_ms, raises=False, severity=_OFFLINE.severity, reason="heard_again", evidence=told)
    return {"heard_ms": heard_ms}, back


def _silent(severity: Severity, at_ms: int, reason: str, heard_ms: int, limit_ms: int) -> Verdict:
    return Verdict(at_ms, raises=True, severity=severity, reason=reason, evidence=_told(heard_ms, limit_ms))


def _told(heard_ms: int, limit_ms: int) -> Evidence:
    return {"last_heard_ms": heard_ms, "threshold": limit_ms / MINUTE_MS, "unit": "min"}
