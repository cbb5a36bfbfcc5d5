"""Apache Kafka on one machine: its jars from Maven, a broker as one JVM process (KRaft)."""
