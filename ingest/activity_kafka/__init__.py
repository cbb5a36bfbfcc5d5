"""How a service and a consumer reach Kafka: the settings that both sides share."""
