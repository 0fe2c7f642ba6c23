-- Moves what has become due into the stream. ARGV: group, limit -> how many
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
for _, key in ipairs(due) do
  local fields = redis.call('HGET', KEYS[3], key)
  if fields then append(key, cjson.decode(fields)) end
  redis.call('ZREM', KEYS[2], key)
  redis.call('HDEL', KEYS[3], key)
end
return #due
