-- Queries written for the earlier service name these two columns. Per slot we keep volumes only: they are null.

CREATE OR REPLACE VIEW volume_slots AS
SELECT day.trading_date AS date, day.symbol, slot.slot_number, slot.slot_time, slot.volume, slot.volume_accumulated,
       NULL::integer AS trades_count, NULL::double precision AS avg_price
FROM volume_slots_daily AS day
CROSS JOIN LATERAL (
    SELECT (n - 1)::integer AS slot_number,
           time '04:00' + (n - 1) * interval '5 minutes' AS slot_time,
           v AS volume,
           sum(v) OVER (ORDER BY n) AS volume_accumulated
    FROM unnest(day.volumes) WITH ORDINALITY AS u (v, n)
) AS slot
WHERE slot.volume > 0;
