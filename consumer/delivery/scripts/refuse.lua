-- Drops entries that are no messages, many at once. ARGV: group, consumer, dead letters kept,
--   JSON [[id, key, fields of the dead letter or false, whether it is deleted], ...] -> how many were ours to drop
local dropped = 0
for _, item in ipairs(cjson.decode(ARGV[4])) do
  local id, key, letter, deleted = item[1], item[2], item[3], item[4]
  if owned(id, ARGV[2]) then
    if letter then redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[3], '*', unpack(letter)) end
    unregister(key, id)
    redis.call('XACK', KEYS[1], GROUP, id)
    if deleted then redis.call('XDEL', KEYS[1], id) end
    dropped = dropped + 1
  end
end
return dropped
