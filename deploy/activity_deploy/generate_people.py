"""Generated events as people make them: sessions, cohorts that come back less and less, funnels,
models with their tokens, an outage; and the little that goes wrong on the way. For questions; a
load to measure with is `generate.Platform`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.generated import fill

DAYS = 90
PRODUCERS = 12
#: What a million tokens cost: prompt, completion.
PRICES = {
    "atlas-large": (3.0, 15.0),
    "atlas-small": (0.25, 1.25),
    "nimbus-2": (2.5, 10.0),
    "nimbus-2-mini": (0.15, 0.6),
    "local-8b": (0.0, 0.0),
}

# Eight numbers in a row are one user's: one session of the first few, another of the others. A user
# has a first day, and comes back the less the longer it is ago. Of 40 orgs the first has a quarter.
# One number in 1,000 is the event before it once more (a duplicate, so its own is missing: a gap).
# One event in 100 comes up to three days late.
_SQL = f"""\
WITH
    number + {{base:UInt64}} AS place,
    place - (place % 1000 = 999) AS serial,
    intDiv(serial, 8) AS group_, serial % 8 AS position,
    arrayMap(salt -> cityHash64({{seed:UInt64}}, group_, salt, 'group'), range(8)) AS g,
    arrayMap(x -> x / 18446744073709551616., g) AS gu,
    arrayMap(salt -> cityHash64({{seed:UInt64}}, serial, salt), range(12)) AS noise,
    arrayMap(x -> x / 18446744073709551616., noise) AS u,
    -- Whose
    toUInt32(pow(gu[1], 2.6) * 40) + 1 AS rank,
    concat('org-', leftPad(toString(rank), 4, '0')) AS org,
    toUInt32(pow(gu[2], 1.5) * greatest(5, {{rows:UInt64}} / 60 / rank)) AS user,
    concat('user-', toString(rank), '-', toString(user)) AS user_name,
    cityHash64({{seed:UInt64}}, rank, user) AS taste,
    -- When
    1 + g[3] % 6 AS first_length,
    position < first_length AS is_first,
    if(is_first, position, position - first_length) AS step,
    taste % {DAYS} AS first_day,
    first_day + toUInt64(pow(gu[if(is_first, 4, 5)], 4) * ({DAYS} - first_day)) AS any_day,
    {{since:UInt64}} + any_day * 86400000000 AS midnight,
    -- Of a weekend three fifths are on the working days before it.
    toDayOfWeek(fromUnixTimestamp64Micro(toInt64(midnight), 'UTC')) AS weekday,
    midnight - if(weekday > 5 AND any_day > 6 AND g[6] % 5 < 3, (weekday - 5 + g[8] % 5) * 86400000000, 0) AS day,
    toUInt64(82800e6 * (gu[if(is_first, 7, 8)] + gu[6] + gu[7]) / 3) AS begin,
    least(day + begin + step * (15000000 + g[7] % 160000000) + noise[1] % 14000000,
        {{until:UInt64}} - 1 - noise[1] % 3600000000) AS us,
    fromUnixTimestamp64Micro(toInt64(us), 'UTC') AS at,
    -- What
    multiIf(step = 0, 'read', step = 1 AND u[2] < .5, 'create', u[2] < .36, 'execute', u[2] < .43, 'trigger',
        u[2] < .53, 'update', u[2] < .56, 'delete', u[2] < .62, 'create', 'read') AS act,
    act IN ('execute', 'trigger') AS runs,
    step = 0 AND noise[3] % 20 = 0 AS is_audit,
    greatest(1, toUInt32(12 / sqrt(rank))) AS apps,
    toUInt32(if(noise[3] % 5 = 0, u[4], (taste % 1000) / 1000) * apps) AS app,
    concat('app-', toString(app)) AS app_name,
    concat('ep-', toString(app), '-', toString(intDiv(taste, 1000) % 4)) AS endpoint,
    concat('ws-', toString(app % greatest(1, toUInt32(6 / sqrt(rank))))) AS workspace,
    concat('res-', toString(rank), '-', toString(taste % 300)) AS resource,
    -- How it went: an app has its own share of errors; three days before the end, at 14 and 15 h, app-1 is ill.
    app = 1 AND us >= {{until:UInt64}} - 259200000000 AND us < {{until:UInt64}} - 172800000000
        AND toHour(at) IN (14, 15) AS is_ill,
    (1 + cityHash64(rank, app) % 7) / 100 + if(is_ill, .5, 0) AS error_share,
    multiIf(u[5] >= error_share, if(act = 'create', 201, 200), is_ill, 503,
        arrayElement([404, 404, 422, 422, 403, 429, 500], 1 + noise[6] % 7)) AS status,
    round((4 + cityHash64(endpoint) % 60) * if(runs, 12, 1) * if(is_ill, 6, 1) * pow(1 - u[7], -0.45), 3) AS took,
    arrayElement({list(PRICES)!r}, 1 + cityHash64(rank, app, noise[8] % 4 = 0) % {len(PRICES)}) AS model_name,
    toUInt64(least(150 * pow(1 - u[9], -0.6), 100000)) AS prompt,
    toUInt64(least(60 * pow(1 - u[10], -0.5), 8000)) AS completion,
    arrayElement(['eu-1', 'us-1', 'ap-1'], 1 + taste % 3) AS region,
    -- A trigger is of the trace of what was done before it.
    serial - (act = 'trigger') AS traced,
    least(us + 300000 + if(noise[11] % 100 = 0, toUInt64(u[12] * 3 * 86400e6), 0), {{until:UInt64}}) AS arrived
SELECT
    1 AS schema_version,
    reinterpretAsUUID(bitOr(toUInt128(bitOr(bitShiftLeft(intDiv(us, 1000), 16),
            bitOr(28672, bitAnd(noise[12], 4095)))),
        bitShiftLeft(toUInt128(bitOr(bitShiftLeft(toUInt64(2), 62),
            bitShiftRight(noise[11], 2))), 64))) AS id,
    at AS timestamp, org AS org_id, if(is_audit, NULL, workspace) AS workspace_id, user_name AS user_id,
    if(is_audit, NULL, app_name) AS app_id, if(is_audit, NULL, endpoint) AS endpoint_id,
    lower(hex(MD5(concat(toString({{seed:UInt64}}), '/', toString(traced))))) AS trace_id,
    'user' AS principal_type, user_name AS principal_id, concat('tok-', toString(taste % 5000)) AS token_id,
    'session' AS token_type,
    if(is_audit, 'GET', transform(act, ['read', 'update', 'delete'], ['GET', 'PATCH', 'DELETE'], 'POST')) AS method,
    if(is_audit, concat('/v1/orgs/', org, '/users/user-', toString(rank), '-', toString(user % 7), '/activity'),
        concat('/v1/orgs/', org, '/workspaces/', workspace, '/apps/', app_name, '/endpoints/', endpoint)) AS path,
    if(is_audit, 'activity', transform(noise[2] % 4, [0, 1, 2], ['app', 'endpoint', 'document'], 'workspace'))
        AS resource_type,
    if(is_audit, concat('users/user-', toString(rank), '-', toString(user % 7)), resource) AS resource_id,
    act AS action, status AS status_code, if(status < 400, NULL, concat('E', toString(status))) AS error_code,
    took AS duration_ms, if(runs, lower(hex(noise[6])), NULL) AS execution_id,
    if(runs, concat('aug-', workspace, '-', toString(taste % 9)), NULL) AS augmentation_id,
    if(runs, if(status < 400, 3, 1), NULL) AS stages_completed, if(runs, 3, NULL) AS total_stages,
    if(runs, map('prompt', prompt, 'completion', completion), map()) AS token_usage,
    concat('generate-', toString(serial % {PRODUCERS})) AS producer_id, intDiv(serial, {PRODUCERS}) AS seq,
    multiIf(is_audit, concat('{{"reads":', toString(1 + noise[9] % 9), '}}'),
        runs, concat('{{"model":"', model_name, '","region":"', region, '"}}'),
        noise[10] % 3 = 0, concat('{{"region":"', region, '"}}'), '{{}}') AS metadata,
    place, intDiv(arrived, 1000) AS arrived_ms"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class People:
    """`rows` events of the 90 days before `until` (aware, UTC), of 40 orgs and their users."""

    rows: int
    until: datetime
    seed: int = 1
    #: The first event's number; another call goes on after the last one's.
    base: int = 0

    async def insert(self, client: AsyncClient) -> AsyncIterator[int]:
        """Into the client's database; yields how many more are in. Then prices, where there are
        none."""
        until = int(self.until.timestamp()) * 1_000_000
        midnight = self.until.replace(hour=0, minute=0, second=0, microsecond=0)
        values = {
            "seed": self.seed,
            "until": until,
            "since": int((midnight - timedelta(days=DAYS)).timestamp()) * 1_000_000,
        }
        async for count in fill(client, _SQL, self.rows, self.base, values):
            yield count
        known = await client.query("SELECT DISTINCT model FROM model_prices")
        missing = PRICES.keys() - {str(model) for (model,) in known.result_rows}
        if missing:
            columns = ["model", "prompt_per_million", "completion_per_million"]
            rows = [[model, *PRICES[model]] for model in sorted(missing)]
            await client.insert("model_prices", rows, columns)
