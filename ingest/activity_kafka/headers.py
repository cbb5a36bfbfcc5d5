"""Names of the Kafka headers that the emitter writes and the consumer reads."""

#: This message may be in the topic already, further back than the consumer remembers.
RESENT_HEADER = "activity-resent"
#: Which span the event is of, as W3C writes it.
TRACEPARENT_HEADER = "traceparent"
