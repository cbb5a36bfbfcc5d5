"""What has run out: as a condition of the table, and by the table's partitions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.erasure.rules import Rule, Rules, micros_of
from activity_consume.erasure.scope import OF_USER, as_text
from activity_deploy.forget.holds import Hold

# Of the table's PARTITION BY (migration 0001).
_BUCKETS = 4


@dataclass(frozen=True, slots=True)
class Part:
    """What has run out of a partition of the table. `size`: bytes on the disk, by its share of the
    rows. `whole`: the partition can be dropped, because nothing may come that has to stay."""

    id: str
    month: str
    orgs: int
    rows: int
    size: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Expired:
    """`bounds`: of each org, '' of all others, before what time it has run out."""

    bounds: Mapping[str, datetime]
    holds: list[Hold]

    def rules(self) -> Rules:
        """As a consumer's list would have it."""
        rules = [Rule("retention", org, "", micros_of(at)) for org, at in self.bounds.items()]
        return Rules(rules, ((one.org_id, one.user_id) for one in self.holds))

    def where(self, *, also_held: bool = False) -> tuple[str, dict[str, Any]]:
        """The condition in ClickHouse's words, and its parameters."""
        own = {org: at for org, at in self.bounds.items() if org}
        default = self.bounds.get("")
        values: dict[str, Any] = {
            "orgs": list(own),
            "befores": [micros_of(at) for at in own.values()],
            "default": micros_of(default) if default else 0,
        }
        # The first condition alone leaves younger partitions out.
        youngest = max(self.bounds.values(), default=None)
        values["youngest"] = as_text(youngest) if youngest else "1970-01-01 00:00:00.000000"
        bound = "transform(org_id, {orgs:Array(String)}, {befores:Array(Int64)}, {default:Int64})"
        sql = (
            "timestamp < {youngest:DateTime64(6, 'UTC')} AND toUnixTimestamp64Micro(timestamp) < "
            + (bound if own else "{default:Int64}")
        )
        for number, hold in enumerate(() if also_held else self.holds):
            org, user = f"hold{number}", f"user{number}"
            values |= {org: hold.org_id, user: hold.user_id}
            of_user = f" AND {OF_USER.format(user=f'{{{user}:String}}')}" if hold.user_id else ""
            sql += f" AND NOT (org_id = {{{org}:String}}{of_user})"
        return sql, values

    async def parts(self, client: AsyncClient) -> list[Part]:
        """Raises ClickHouseError."""
        where, values = self.where()
        found = await client.query(
            "SELECT _partition_id, toString(toStartOfMonth(any(timestamp))),"  # noqa: S608
            f" any(kafkaMurmurHash(org_id) % {_BUCKETS}), uniqExact(org_id), count()"
            f" FROM events WHERE {where} GROUP BY _partition_id ORDER BY 2, 1",
            values,
        )
        sizes = await client.query(
            "SELECT partition_id, sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active"
            " AND database = currentDatabase() AND table = 'events' GROUP BY partition_id"
        )
        bytes_a_row = {id_: size / max(1, rows) for id_, rows, size in sizes.result_rows}
        kept = [org for org in {*self.bounds, *(hold.org_id for hold in self.holds)} if org]
        buckets = await self._buckets(client, kept)
        return [
            Part(
                id_,
                month[:7],
                orgs,
                rows,
                int(rows * bytes_a_row.get(id_, 0)),
                self._is_whole(month, int(bucket), buckets),
            )
            for id_, month, bucket, orgs, rows in found.result_rows
        ]

    def _is_whole(self, month: str, bucket: int, buckets: Mapping[str, int]) -> bool:
        begin = datetime.fromisoformat(f"{month}T00:00:00+00:00")
        end = (begin + timedelta(days=32)).replace(day=1)
        held = {hold.org_id for hold in self.holds}
        stay = [
            org
            for org, its in buckets.items()
            if its == bucket and (org in held or self.bounds.get(org, end) < end)
        ]
        default = self.bounds.get("")
        return default is not None and default >= end and not stay

    async def _buckets(self, client: AsyncClient, orgs: Iterable[str]) -> dict[str, int]:
        result = await client.query(
            f"SELECT org, kafkaMurmurHash(org) % {_BUCKETS}"  # noqa: S608 - a constant
            " FROM (SELECT arrayJoin({o:Array(String)}) AS org)",
            {"o": sorted(orgs)},
        )
        return {org: int(bucket) for org, bucket in result.result_rows}
