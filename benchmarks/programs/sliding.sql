-- Work (c) in native Flink SQL.
CREATE TABLE readings (
  sensor_id STRING NOT NULL,
  metric STRING NOT NULL,
  observed_at TIMESTAMP(3) NOT NULL,
  `value` DOUBLE NOT NULL,
  WATERMARK FOR observed_at AS observed_at - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${topic}',
  'properties.bootstrap.servers' = '${brokers}',
  'properties.group.id' = 'flink-sql',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'avro'
);
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
FROM TABLE(HOP(TABLE readings, DESCRIPTOR(observed_at), INTERVAL '1' MINUTE, INTERVAL '1' HOUR))
GROUP BY window_start, window_end, sensor_id, metric;
