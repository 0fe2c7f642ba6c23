-- Ends one delivery, atomically with what follows from it.
-- ARGV: group, consumer, id, key, verdict, JSON detail, JSON successors, lease ms, dead letters kept
-- -> OK, or LOST when another consumer holds the entry (then nothing was written)
local consumer, id, key, verdict = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local pending = owned(id, consumer)
if not pending then return 'LOST' end
if verdict == 'release' or verdict == 'abandon' then
  -- Released: this delivery does not count. Abandoned: it does, so that what is lost every time comes to an end.
  local deliveries = verdict == 'release' and math.max(pending[4] - 1, 0) or pending[4]
  hand_back(id, consumer, tonumber(ARGV[8]), deliveries)
  return 'OK'
end
-- Decoded before the first write: a script that fails is not rolled back.
local detail, successors = cjson.decode(ARGV[6]), cjson.decode(ARGV[7])
if verdict == 'dead' then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[9], '*', unpack(detail))
elseif verdict == 'retry' then
  park(detail)
end
unregister(key, id)
for _, message in ipairs(successors) do put(message) end
remove(id)
return 'OK'
