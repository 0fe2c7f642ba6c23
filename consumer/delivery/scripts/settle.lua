-- Ends one delivery, atomically with what follows from it. ARGV: group, consumer, id, key, verdict, JSON detail, JSON successors, lease ms
-- -> OK, or LOST when another consumer holds the entry (then nothing was written)
local consumer, id, key, verdict = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local pending = owned(id, consumer)
if not pending then return 'LOST' end
if verdict == 'release' then
  -- At once claimable by others, and this delivery does not count.
  redis.call('XCLAIM', KEYS[1], GROUP, consumer, 0, id, 'IDLE', tonumber(ARGV[8]) * 10, 'RETRYCOUNT', math.max(pending[4] - 1, 0), 'JUSTID')
  return 'OK'
end
if verdict == 'dead' then
  redis.call('XADD', KEYS[5], '*', unpack(cjson.decode(ARGV[6])))
elseif verdict == 'retry' then
  park(cjson.decode(ARGV[6]))
end
for _, message in ipairs(cjson.decode(ARGV[7])) do put(message) end
forget(key, id)
return 'OK'
