-- Work (b) in native Flink SQL. A watermark can be on a column of the message only, and a reading's time is within an array: the
-- readings go through a DataStream, where they get one (BRIDGE is our runner's word for `fromDataStream(toDataStream(...))`).
CREATE TABLE messages (
  edge STRING NOT NULL,
  readings ARRAY<ROW<sensor_id STRING NOT NULL, metric STRING NOT NULL, observed_at TIMESTAMP(3) NOT NULL, `value` DOUBLE NOT NULL> NOT NULL> NOT NULL
) WITH (
  'connector' = 'kafka',
  'topic' = '${topic}',
  'properties.bootstrap.servers' = '${brokers}',
  'properties.group.id' = 'flink-sql',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'avro'
);
CREATE VIEW unnested AS
SELECT r.sensor_id, r.metric, r.observed_at, r.`value`
FROM messages CROSS JOIN UNNEST(messages.readings) AS r (sensor_id, metric, observed_at, `value`);
BRIDGE unnested readings;
CREATE TABLE minutes (
  window_start TIMESTAMP(3),
  sensor_id STRING,
  metric STRING,
  readings BIGINT,
  total DOUBLE,
  least DOUBLE,
  most DOUBLE
) WITH (${sink});
INSERT INTO minutes
SELECT window_start, sensor_id, metric, COUNT(`value`), SUM(`value`), MIN(`value`), MAX(`value`)
FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(observed_at), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, sensor_id, metric;
