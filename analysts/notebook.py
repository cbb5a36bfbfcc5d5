"""An org's month in pictures: `marimo edit analysts/notebook.py`, `marimo export html` for a page.

It asks the views `activity` and `sessions` by clickhouse-connect, as polars frames. Which engine:
ACTIVITY_CLICKHOUSE_URL, _USER, _PASSWORD, _DATABASE; whose: ACTIVITY_ORG. docs/connect.md
"""

import marimo

app = marimo.App(width="medium", app_title="Activity")


@app.cell
def _():
    import os

    import altair as alt
    import clickhouse_connect
    import marimo as mo

    client = clickhouse_connect.get_client(
        dsn=os.environ.get("ACTIVITY_CLICKHOUSE_URL", "http://127.0.0.1:8123"),
        username=os.environ.get("ACTIVITY_CLICKHOUSE_USER", "default"),
        password=os.environ.get("ACTIVITY_CLICKHOUSE_PASSWORD", ""),
        database=os.environ.get("ACTIVITY_CLICKHOUSE_DATABASE", "activity"),
    )
    return alt, client, mo, os


@app.cell
def _(client, os):
    def ask(sql):
        """The answer as a polars frame. In SQL: {org:String}, {until:DateTime}."""
        return client.query_df_arrow(sql, parameters, dataframe_library="polars")

    # The busiest org, and the 30 days before its last event: any table has something to show.
    org = (
        os.environ.get("ACTIVITY_ORG")
        or client.query(
            "SELECT org_id FROM activity GROUP BY org_id ORDER BY count() DESC, org_id LIMIT 1"
        ).first_row[0]
    )
    until = client.query(
        "SELECT max(timestamp) FROM activity WHERE org_id = {org:String}", {"org": org}
    ).first_row[0]
    parameters = {"org": org, "until": until}
    return ask, org, until


@app.cell
def _(ask):
    days = ask("""
        SELECT toDate(timestamp) AS day, if(success, 'succeeded', 'failed') AS outcome,
            count() AS requests
        FROM activity
        WHERE org_id = {org:String} AND timestamp > {until:DateTime('UTC')} - INTERVAL 30 DAY
        GROUP BY day, outcome
        ORDER BY day, outcome
    """)
    latency = ask("""
        SELECT toDate(timestamp) AS day, action,
            round(quantileExact(0.95)(duration_ms), 1) AS p95_ms
        FROM activity
        WHERE org_id = {org:String} AND timestamp > {until:DateTime('UTC')} - INTERVAL 30 DAY
        GROUP BY day, action
        ORDER BY day, action
    """)
    # Not `tokens`: it has 128 bits, which Arrow has not.
    models = ask("""
        SELECT model, sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion
        FROM activity
        WHERE org_id = {org:String} AND timestamp > {until:DateTime('UTC')} - INTERVAL 30 DAY
            AND model != ''
        GROUP BY model
        ORDER BY model
    """)
    lengths = ask("""
        SELECT intDiv(duration_s, 60) AS minutes, count() AS sessions, avg(requests) AS requests
        FROM sessions
        WHERE org_id = {org:String} AND started_at > {until:DateTime('UTC')} - INTERVAL 30 DAY
        GROUP BY minutes
        ORDER BY minutes
    """)
    return days, latency, lengths, models


@app.cell
def _(alt, days, latency, lengths, models):
    requests_chart = (
        alt.Chart(days, title="Requests by day")
        .mark_bar(size=14)
        .encode(
            x=alt.X("day:T", title=None),
            y=alt.Y("requests:Q", title="requests"),
            color=alt.Color("outcome:N", title=None).scale(
                domain=["succeeded", "failed"], range=["#4c78a8", "#e45756"]
            ),
        )
        .properties(width=600, height=200)
    )
    latency_chart = (
        alt.Chart(latency, title="p95 of the duration by day")
        .mark_line(point=True)
        .encode(
            x=alt.X("day:T", title=None),
            y=alt.Y("p95_ms:Q", title="ms").scale(type="log"),
            color=alt.Color("action:N", title=None),
        )
        .properties(width=600, height=200)
    )
    models_chart = (
        alt.Chart(models, title="Tokens by model")
        .transform_fold(["prompt", "completion"], as_=["kind", "tokens"])
        .mark_bar()
        .encode(
            x=alt.X("tokens:Q", title="tokens"),
            y=alt.Y("model:N", title=None, sort="-x"),
            color=alt.Color("kind:N", title=None),
        )
        .properties(width=600, height=120)
    )
    sessions_chart = (
        alt.Chart(lengths, title="Sessions by length")
        .mark_bar(size=10)
        .encode(
            x=alt.X("minutes:Q", title="minutes from the first event to the last").scale(
                nice=False, padding=8
            ),
            y=alt.Y("sessions:Q", title="sessions"),
        )
        .properties(width=600, height=160)
    )
    return latency_chart, models_chart, requests_chart, sessions_chart


@app.cell
def _(latency_chart, mo, models_chart, org, requests_chart, sessions_chart, until):
    mo.vstack(
        [
            mo.md(f"# {org}, the 30 days before {until:%Y-%m-%d %H:%M} UTC"),
            requests_chart,
            latency_chart,
            models_chart,
            sessions_chart,
        ]
    )


if __name__ == "__main__":
    app.run()
