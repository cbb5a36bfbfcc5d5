"""The fixtures every test may ask for; each file of tests/fixtures is about one thing."""

pytest_plugins = ["tests.fixtures.clickhouse", "tests.fixtures.kafka", "tests.fixtures.consumer"]
